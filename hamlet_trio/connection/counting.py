"""What the services count for the metrics beyond plain numbers: errors by their code, and distributions."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from hamlet_trio.protocol.errors import ErrorCode


class ErrorCounts:
    """How often each code was answered. Bounded: there is one number for each code of the wire."""

    def __init__(self) -> None:
        self._counts = {code.value: 0 for code in ErrorCode}

    def count(self, code: str) -> None:
        """Count one answer; raises `KeyError` for what is no code of the wire."""
        self._counts[code] += 1

    def by_code(self) -> dict[str, int]:
        """Every code with its count, also those that were never answered."""
        return dict(self._counts)


class Histogram:
    """A distribution: how many values were at most each of `bounds`, and the sum of all.

    Memory: one number for each bound. Counting a value costs a search among the bounds.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds: Final = tuple(map(float, bounds))
        self._counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self._counts)

    def buckets(self) -> list[tuple[str, float]]:
        """For each bound, and "+Inf", how many values were at most that: Prometheus' own form."""
        labels = [*map(str, self.bounds), "+Inf"]
        return [(label, float(total)) for label, total in zip(labels, accumulate(self._counts), strict=True)]
