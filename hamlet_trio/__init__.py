"""Hamlet: watch a deep-Q agent learn to live in a small survival world."""

__version__ = "2.0.0"
