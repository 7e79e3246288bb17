"""Measure every figure in the documentation: `python -m bench NAME`."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
