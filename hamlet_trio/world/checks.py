"""The checks behind the world's configuration, and the error that they raise."""

import math
from numbers import Integral
from typing import Final

LARGEST: Final = 1_000_000.0
"""No number of a world is larger, up or down, so that no sum of rewards or meters overflows."""


class ConfigError(ValueError):
    """An invalid world: names the field, its value and what is allowed.

    Attributes:
        field: dotted path of the field, such as `meters.energy.drain`.
        value: what was given.
        allowed: what the field takes, in words.
    """

    def __init__(self, field: str, value: object, allowed: str) -> None:
        super().__init__(f"{field} is {value!r}; allowed: {allowed}")
        self.field = field
        self.value = value
        self.allowed = allowed


def check_number(
    field: str, value: object, low: float = -LARGEST, high: float = LARGEST, *, above_low: bool = False
) -> None:
    """Raise ConfigError unless `value` is a number in low..high (more than `low` with `above_low`)."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if low <= number <= high and not (above_low and number == low):
        return
    lowest, highest = f"{low:,.10g}", f"{high:,.10g}"
    limits = f"above {lowest} and at most {highest}" if above_low else f"from {lowest} to {highest}"
    raise ConfigError(field, value, f"a number {limits}")


def check_integer(field: str, value: object, low: int, high: int) -> None:
    """Raise ConfigError unless `value` is an integer in low..high."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(field, value, f"an integer from {low:,} to {high:,}")


def check_count(name: str, value: object) -> None:
    """Raise ValueError unless `value` is a whole number of 1 or more, of Python or numpy."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        raise ValueError(f"{name} is {value!r}; allowed: a whole number of 1 or more")


def check_name(field: str, value: object) -> None:
    """Raise ConfigError unless `value` is a printable name of 1 to 32 characters."""
    if not isinstance(value, str) or not 0 < len(value) <= 32 or not value.isprintable():
        raise ConfigError(field, value, "a name of 1 to 32 printable characters")
