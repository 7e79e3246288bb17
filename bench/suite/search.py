"""Finding the largest load that something still carries."""

from collections.abc import Callable
from typing import Final

_STRIDE: Final = 1.5


def largest(carries: Callable[[int], bool], *, start: int, most: int, finest: float = 0.04) -> int:
    """The largest number from 1 to `most` that is carried, to a share of `finest`; 0 if not even 1 is.

    From `start` it goes up or down by half until it knows one that is carried and one that is not, then
    halves what lies between. Near the limit chance decides, so a number is only given up when it fails twice.
    """

    def tried(number: int) -> bool:
        return carries(number) or carries(number)

    low, high = 0, most + 1
    number = min(max(start, 1), most)
    while high - low > max(1, int(finest * low)):
        if tried(number):
            low = number
        else:
            high = number
        if low == 0:
            number = max(int(number / _STRIDE), 1)
        elif high > most:
            number = min(int(number * _STRIDE) + 1, most)
        else:
            number = (low + high) // 2
    return low
