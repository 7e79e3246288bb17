"""How long tests wait for what must come, before they fail instead of hanging."""

from typing import Final

PATIENCE: Final = 300.0
"""Seconds. No test passes or fails by how fast the machine is: far more than the slowest one takes."""
