"""The checks behind the world's configuration, and the error that they raise.

The limits of a number stand at its field, as JSON Schema: `check_fields` holds them, and the schema of worlds
and the page's editor show them. What one field allows another is checked beside them.
"""

import math
from collections.abc import Mapping
from functools import cache
from numbers import Integral
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct

from hamlet_trio.common.descriptions import numbers
from hamlet_trio.common.sizes import SIZES

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


def within(low: float = -LARGEST, high: float | None = LARGEST, *, above_low: bool = False) -> Meta:
    """Return the limits of a number for its annotation; `high` is None where another field limits it."""
    schema: dict[str, float] = {"exclusiveMinimum" if above_low else "minimum": low}
    return Meta(extra_json_schema=schema if high is None else schema | {"maximum": high})


Quantity = Annotated[float, within()]
Amount = Annotated[float, within(0)]
Share = Annotated[float, within(0, 1)]
PositiveShare = Annotated[float, within(0, 1, above_low=True)]


class _Limits(NamedTuple):
    """The limits at a field: of its number, which may be null, or of each number of its list."""

    name: str
    whole: bool
    low: float
    high: float | None
    above_low: bool
    listed: bool
    nullable: bool


def check_fields(struct: Struct, path: str = "") -> None:
    """Raise ConfigError unless each number of a struct is within the limits at its field.

    `path` stands before a field's name in the error.
    """
    for limits in _limits_of(type(struct)):
        field = f"{path}.{limits.name}" if path else limits.name
        value = getattr(struct, limits.name)
        if value is None and limits.nullable:
            continue
        for number in value if limits.listed else (value,):
            if limits.whole:
                high = None if limits.high is None else int(limits.high)
                check_integer(field, number, int(limits.low), high)
            else:
                assert limits.high is not None, "a limit that another field sets is one of whole numbers"
                check_number(field, number, limits.low, limits.high, above_low=limits.above_low)


@cache
def _limits_of(struct: type[Struct]) -> tuple[_Limits, ...]:
    """Return the limits at the fields of a struct."""
    info = msgspec.inspect.type_info(struct)
    assert isinstance(info, msgspec.inspect.StructType)
    found: list[_Limits] = []
    for field in info.fields:
        held: Any = field.type
        nullable, listed = isinstance(held, msgspec.inspect.UnionType), False
        if nullable:
            held = held.types[0]
        if isinstance(held, msgspec.inspect.TupleType):
            held, listed = held.item_types[0], True
        schema = isinstance(held, msgspec.inspect.Metadata) and held.extra_json_schema
        if not schema or not schema.keys() & {"minimum", "exclusiveMinimum"}:
            continue
        above = "exclusiveMinimum" in schema
        found.append(
            _Limits(
                field.encode_name,
                whole=isinstance(held.type, msgspec.inspect.IntType),
                low=schema["exclusiveMinimum" if above else "minimum"],
                high=schema.get("maximum"),
                above_low=above,
                listed=listed,
                nullable=nullable,
            )
        )
    return tuple(found)


def check_number(
    field: str, value: object, low: float = -LARGEST, high: float = LARGEST, *, above_low: bool = False
) -> None:
    """Raise ConfigError unless `value` is a number in low..high (more than `low` with `above_low`)."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not low <= number <= high or (above_low and number == low):
        raise ConfigError(field, value, numbers(low, high, above_low=above_low))


def check_integer(field: str, value: object, low: int, high: int | None) -> None:
    """Raise ConfigError unless `value` is an integer in low..high; with `high` None, of `low` or more."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):  # type: ignore[operator]
        raise ConfigError(field, value, numbers(low, high, whole=True))


def check_sizes(fields: Mapping[str, object]) -> None:
    """Raise ConfigError where one of these fields of a world is larger than `SIZES` allows."""
    for name, (low, high) in SIZES.items():
        if name in fields:
            check_integer(name, fields[name], low, high)


def check_count(name: str, value: object) -> None:
    """Raise ValueError unless `value` is a whole number of 1 or more, of Python or numpy."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        raise ValueError(f"{name} is {value!r}; allowed: a whole number of 1 or more")


def check_name(field: str, value: object) -> None:
    """Raise ConfigError unless `value` is a printable name of 1 to 32 characters."""
    if not isinstance(value, str) or not 0 < len(value) <= 32 or not value.isprintable():
        raise ConfigError(field, value, "a name of 1 to 32 printable characters")
