"""The numbers of the two rewards, as a part of the world's configuration."""

from itertools import pairwise

import msgspec

from hamlet_trio.world.checks import (
    Amount,
    ConfigError,
    PositiveShare,
    Quantity,
    Share,
    check_fields,
    check_number,
)


class Bands(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a normalised meter n adds to the reward of a step, by the band that it lies in.

    `above` has three thresholds, falling; `values` has four rewards: values[0] for n > above[0], else
    values[1] for n > above[1], else values[2] for n > above[2], else values[3].
    """

    above: tuple[Share, Share, Share]
    values: tuple[Quantity, Quantity, Quantity, Quantity]


_VITAL = Bands((0.8, 0.5, 0.3), (0.4, 0.15, -0.6, -2.5))


class ShapedReward(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The numbers of `reward="shaped"`; the defaults are the reference rules.

    Attributes:
        energy ... social: the bands of each meter.
        interaction_scale: factor of `need * effect / 50` for each positive effect of a successful
            interaction.
        money_need_scale: for money, need is min(money_need_scale * (1 - before), 1).
        critical_below: a meter normalised below this is critical: the proximity term names one of those.
        money_critical_below: the same for money.
        proximity_scale: factor of `(1 - n) * (1 - distance / (width + height))`.
        hunger_below: normalised satiation below which distance to a meal costs.
        hunger_scale: factor of `(hunger_below - n) / hunger_below * distance / (width + height)`.
    """

    energy: Bands = _VITAL
    hygiene: Bands = _VITAL
    satiation: Bands = _VITAL
    money: Bands = Bands((0.6, 0.4, 0.2), (0.5, 0.2, -0.5, -2.0))
    mood: Bands = Bands((0.8, 0.5, 0.2), (0.2, 0.1, -0.3, -1.0))
    social: Bands = Bands((0.8, 0.5, 0.2), (0.15, 0.05, -0.3, -1.2))
    interaction_scale: Amount = 2.0
    money_need_scale: Amount = 1.5
    critical_below: PositiveShare = 0.5
    money_critical_below: PositiveShare = 0.4
    proximity_scale: Amount = 0.5
    hunger_below: PositiveShare = 0.4
    hunger_scale: Amount = 2.0

    def __post_init__(self) -> None:
        for meter in ("energy", "hygiene", "satiation", "money", "mood", "social"):
            bands: Bands = getattr(self, meter)
            path = f"shaped.{meter}"
            # msgspec checks a tuple's length when it reads a file, but not in a call.
            above: tuple[float, ...] = bands.above
            if len(above) != 3 or any(high <= low for high, low in pairwise(above)):
                raise ConfigError(f"{path}.above", bands.above, "three falling thresholds")
            if len(bands.values) != 4:
                raise ConfigError(f"{path}.values", bands.values, "four rewards")
            check_fields(bands, path)
        check_fields(self, "shaped")


class SurvivalReward(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The numbers of `reward="survival"`: `per_step` a step, less, for each of energy, hygiene and satiation,
    `severe_penalty` when the normalised meter is below `severe_below`, else `low_penalty` when it is below
    `low_below`.
    """

    per_step: Quantity = 1.0
    low_below: Share = 0.5
    low_penalty: Quantity = 0.5
    severe_below: Share = 0.2
    severe_penalty: Quantity = 2.0

    def __post_init__(self) -> None:
        check_fields(self, "survival")
        check_number("survival.severe_below", self.severe_below, 0, self.low_below)
