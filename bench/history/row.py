"""One thing measured."""

from typing import NamedTuple


class Row(NamedTuple):
    """What was measured, what came out, and what it should be, where there is a target."""

    what: str
    measured: str
    target: str = ""

    def __str__(self) -> str:
        return f"{self.what:<58} {self.measured:>24}" + (f"   (target {self.target})" if self.target else "")
