"""Meters that a client chose, checked against the session's world."""

from typing import Final

from msgspec import UNSET

from hamlet_trio.protocol.commands import ChosenMeters
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.frame_parts import Meters
from hamlet_trio.world import METERS, WorldConfig
from hamlet_trio.world.config import FATAL_METERS, Meter

ABSOLUTE_METERS: Final = ("money", "mood")
"""The meters that messages show in their own unit; all others are shown normalised."""


def raw_values(config: WorldConfig, chosen: ChosenMeters, command: str) -> dict[str, float]:
    """Return the chosen meters by name, in the meters' own units, to begin an episode with.

    Raises `BadMessageError` for a value outside of the meter's limits, or so low that the episode would be
    over.
    """
    values = {}
    for meter in config.meters:
        value = getattr(chosen, meter.name)
        if value is UNSET:
            continue
        if meter.name in ABSOLUTE_METERS:
            raw = float(value)
        else:
            raw = meter.minimum + value * (meter.maximum - meter.minimum)
        is_fatal = meter.name in FATAL_METERS
        if not (meter.minimum < raw <= meter.maximum or (raw == meter.minimum and not is_fatal)):
            raise _refusal(meter, value, command, is_fatal=is_fatal)
        values[meter.name] = raw
    return values


def normalised_values(
    config: WorldConfig, shown: Meters, chosen: ChosenMeters, command: str
) -> tuple[Meters, list[float]]:
    """Return the meters of a frame with the chosen ones in their place: as shown, and normalised to 0..1.

    The list is in the order of METERS. Raises `BadMessageError` for a value outside of the meter's limits.
    """
    values: dict[str, float] = {}
    normalised = []
    for meter in config.meters:
        value = getattr(chosen, meter.name)
        if value is UNSET:
            value = getattr(shown, meter.name)
        elif meter.name in ABSOLUTE_METERS and not meter.minimum <= value <= meter.maximum:
            raise _refusal(meter, value, command, is_fatal=False)
        values[meter.name] = float(value)
        part = (value - meter.minimum) / (meter.maximum - meter.minimum)
        normalised.append(part if meter.name in ABSOLUTE_METERS else float(value))
    assert tuple(values) == METERS
    return Meters(**values), normalised


def _refusal(meter: Meter, value: float, command: str, *, is_fatal: bool) -> BadMessageError:
    low, high = (meter.minimum, meter.maximum) if meter.name in ABSOLUTE_METERS else (0, 1)
    least = f"above {low:g}, for at that the episode would be over," if is_fatal else f"from {low:g}"
    return BadMessageError(
        ErrorCode.OUT_OF_RANGE,
        f"`meters.{meter.name}` must be a number {least} to {high:g} in this world; {value:g} was sent.",
        command=command,
        field=f"meters.{meter.name}",
    )
