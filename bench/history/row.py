"""One measurement."""

from typing import NamedTuple


class Row(NamedTuple):
    """A measurement, its result, and its target if there is one."""

    what: str
    measured: str
    target: str = ""

    def __str__(self) -> str:
        return f"{self.what:<58} {self.measured:>24}" + (f"   (target {self.target})" if self.target else "")
