"""The numbers of the two rewards as lookup tables, which a step of any number of worlds reads.

Both rewards rest on bands: the reward of a meter depends only on how many of its thresholds the normalised
meter passes, so the sum over meters is one table, read at a code with one digit for each meter.

M meters (6), K kinds, C cells as in rules.py; float64 throughout. No number is -0.0, so that what a term adds
where it does not apply is +0.0 and changes nothing.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from hamlet_trio.world.config import METERS
from hamlet_trio.world.rules import FloatArray, Rules

CRITICAL_ORDER: Final = tuple(
    METERS.index(name) for name in ("energy", "hygiene", "satiation", "money", "social", "mood")
)
"""Ties for the critical meter go to the first in this order, which is not that of METERS."""

_MONEY = METERS.index("money")


class BandTable(NamedTuple):
    """Sums over the meters of a value looked up by band.

    Attributes:
        above: (T, M), the falling thresholds of each meter; one of +inf is never passed.
        sums: ((T + 1) ** M,), by code: the digit of meter m, of weight (T + 1) ** m, is the number of
            thresholds that it passes.
    """

    above: FloatArray
    sums: FloatArray


class ShapedTables(NamedTuple):
    """The tables of `reward="shaped"`.

    Attributes:
        bands: what each meter gives; a threshold is passed by what is greater.
        need_scale: (M,), factor of what a meter lacks.
        gain: (M, K), what a use gives for each unit of need.
        critical_below: (M,).
        nearness: (M, C), the meters in CRITICAL_ORDER: what a unit of lack gives, nearer to their place more.
        hunger_below: -inf where there are no meals.
        hunger: (C,), what a unit of satiation missing costs.
    """

    bands: BandTable
    need_scale: FloatArray
    gain: FloatArray
    critical_below: FloatArray
    nearness: FloatArray
    hunger_below: float
    hunger: FloatArray


class SurvivalTables(NamedTuple):
    """The tables of `reward="survival"`.

    Attributes:
        bands: what each meter gives; a threshold is passed by what is equal, too.
        per_step: what a step gives.
    """

    bands: BandTable
    per_step: float


def shaped_tables(rules: Rules) -> ShapedTables:
    """Return the tables of the rules' shaped reward."""
    config, shaped = rules.config, rules.config.shaped
    by_meter = [getattr(shaped, name) for name in METERS]
    cells = config.width * config.height
    reach = float(config.width + config.height)
    need_scale, critical_below = np.ones(len(METERS)), np.full(len(METERS), shaped.critical_below)
    need_scale[_MONEY], critical_below[_MONEY] = shaped.money_need_scale, shaped.money_critical_below

    rewarded = [a.effects if a.rewarded is None else a.rewarded for a in config.affordances]
    neither = [[0.0] * len(METERS)] * 2
    listed = np.array(neither + 2 * [effects.in_order() for effects in rewarded]).T
    gain = np.maximum(listed, 0.0) / 50.0 * shaped.interaction_scale

    nearness = np.zeros((len(METERS), cells))
    for row, meter in enumerate(config.meters):
        if meter.place is not None:
            nearness[row] = (1.0 - rules.distance_to(meter.place) / reach) * shaped.proximity_scale
    to_meals = [rules.distance_to(meal) for meal in config.meals] or [np.zeros(cells)]
    hunger = np.minimum.reduce(to_meals) / reach * shaped.hunger_scale / shaped.hunger_below
    return ShapedTables(
        bands=_band_table([(bands.above, bands.values) for bands in by_meter]),
        need_scale=need_scale + 0.0,
        gain=np.ascontiguousarray(gain) + 0.0,
        critical_below=critical_below,
        nearness=nearness[list(CRITICAL_ORDER)] + 0.0,
        hunger_below=shaped.hunger_below if config.meals else -np.inf,
        hunger=hunger + 0.0,
    )


def survival_tables(rules: Rules) -> SurvivalTables:
    """Return the tables of the rules' survival reward."""
    survival = rules.config.survival
    above = (survival.low_below, survival.severe_below)
    values = (0.0, -survival.low_penalty, -survival.severe_penalty)
    without = ((np.inf, np.inf), (0.0, 0.0, 0.0))
    vital = ("energy", "hygiene", "satiation")
    bands = [(above, values) if name in vital else without for name in METERS]
    return SurvivalTables(_band_table(bands), survival.per_step)


def _band_table(bands: Sequence[tuple[tuple[float, ...], tuple[float, ...]]]) -> BandTable:
    """Build the table of (thresholds, values) for each meter; t passed thresholds select values[-1 - t]."""
    sums = np.zeros(1)
    for _, values in bands:
        sums = np.add.outer(np.array(values[::-1]), sums).ravel()
    return BandTable(np.array([above for above, _ in bands], dtype=np.float64).T.copy(), sums)
