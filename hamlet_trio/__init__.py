"""Hamlet: watch a deep-Q agent learn to live in a small survival world.

Importing this package imports none of its parts. It does see to it that `gymnasium.make("Hamlet-v0")` works,
whichever of the two is imported first.
"""

from hamlet_trio.registration import register_with_gymnasium

__version__ = "2.0.0"

register_with_gymnasium()
