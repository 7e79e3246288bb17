"""Find the largest load that a server still carries."""

from collections.abc import Callable
from typing import Final

WIDE: Final = 1.5
CLOSE: Final = 1.12
_NEAR: Final = 3.0


def largest(
    strain: Callable[[int], float],
    limit: float,
    *,
    start: int,
    most: int,
    stride: float = WIDE,
    finest: float = 0.04,
) -> int:
    """Return the largest number from 1 to `most` with a strain below the limit, within `finest`, or 0.

    The search goes up or down from `start` by `stride` until one number is carried and one is not, then
    halves the interval. Near the limit chance decides, so a number gets a second try there.
    """

    def carried(number: int) -> bool:
        found = strain(number)
        return found < limit or (found < _NEAR * limit and strain(number) < limit)

    low, high = 0, most + 1
    number = min(max(start, 1), most)
    while high - low > max(1, int(finest * low)):
        if carried(number):
            low = number
        else:
            high = number
        if low == 0:
            number = max(int(number / stride), 1)
        elif high > most:
            number = min(int(number * stride) + 1, most)
        else:
            number = (low + high) // 2
    return low
