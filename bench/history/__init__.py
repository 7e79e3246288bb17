"""What keeping runs costs the trainer, and how fast a large history answers."""

from bench.history.command import main

__all__ = ["main"]
