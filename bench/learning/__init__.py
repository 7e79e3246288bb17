"""How well configurations learn: many seeds of each, resumable, as a table and a picture."""

from bench.learning.command import main

__all__ = ["main"]
