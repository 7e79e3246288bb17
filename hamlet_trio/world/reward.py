"""The two rewards, for any number of agents at once.

Both rest on bands: the reward of a meter depends only on how many of its thresholds the normalised meter
passes, so the sum over meters is one table, read at a code with one digit for each meter. Codes are
integers, which makes the result the same to the last bit however many agents are computed together.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from hamlet_trio.world.config import METERS
from hamlet_trio.world.rules import FloatArray, IndexArray, Rules, any_true

# Ties for the critical meter go to the first in this order, which is not that of METERS.
_CRITICAL_ORDER = np.array(
    [METERS.index(name) for name in ("energy", "hygiene", "satiation", "money", "social", "mood")],
    dtype=np.intp,
)
_MONEY = METERS.index("money")
_SATIATION = METERS.index("satiation")


class Terms(NamedTuple):
    """What a step's reward is the sum of, an end apart; each (R,) float64, None for zero throughout."""

    meters: FloatArray
    proximity: FloatArray | None
    hunger: FloatArray | None


class Reward(Protocol):
    """One of the rewards, with work space for a fixed number of rows R (a row is one agent of one world)."""

    def interaction(self, kind: IndexArray, lack: FloatArray) -> FloatArray | None:
        """What successful interactions add: kind (R,) intp; lack (6, R), 1 - normalised before the step."""
        ...

    def outcome(self, normalised: FloatArray, lack: FloatArray, cell: IndexArray) -> Terms:
        """What the state after the step is worth: normalised and lack (6, R), cell (R,) intp."""
        ...


def make_reward(rules: Rules, rows: int) -> Reward:
    """The reward that the rules' configuration names, for `rows` rows."""
    return _Shaped(rules, rows) if rules.config.reward == "shaped" else _Survival(rules, rows)


class _BandTable:
    """Sums over the meters a value looked up by band: `bands` has, by meter, (falling thresholds, values).

    The number of thresholds passed, t, selects values[-1 - t]. Every meter has the same number of
    thresholds; one of +inf is never passed. `compare` is np.greater or np.greater_equal.
    """

    def __init__(
        self, bands: Sequence[tuple[tuple[float, ...], tuple[float, ...]]], compare: np.ufunc, rows: int
    ) -> None:
        thresholds = len(bands[0][0])
        base = thresholds + 1
        self._compare = compare
        self._above = np.repeat(np.array([above for above, _ in bands]).T[:, :, None], rows, axis=2)
        digits = np.array([base**meter for meter in range(len(bands))], dtype=np.int16)
        self._digits = np.repeat(np.tile(digits, thresholds)[:, None], rows, axis=1)
        table = np.zeros(1)
        for _, values in bands:
            table = np.add.outer(np.array(values[::-1]), table).ravel()
        self._table = table
        self._passed = np.empty((thresholds, len(bands), rows), dtype=np.bool_)
        self._flat_passed = self._passed.reshape(thresholds * len(bands), rows)
        self._weighted = np.empty(self._flat_passed.shape, dtype=np.int16)
        self._code = np.empty(rows, dtype=np.int16)

    def sum(self, normalised: FloatArray) -> FloatArray:
        self._compare(normalised, self._above, out=self._passed)
        np.multiply(self._flat_passed, self._digits, out=self._weighted)
        np.add.reduce(self._weighted, axis=0, dtype=np.int16, out=self._code)
        return self._table.take(self._code)


class _Shaped:
    def __init__(self, rules: Rules, rows: int) -> None:
        config, shaped = rules.config, rules.config.shaped
        by_meter = [getattr(shaped, name) for name in METERS]
        self._bands = _BandTable([(bands.above, bands.values) for bands in by_meter], np.greater, rows)

        cells = config.width * config.height
        reach = float(config.width + config.height)
        self._need_scale = np.ones((len(METERS), rows))
        self._need_scale[_MONEY] = shaped.money_need_scale
        rewarded = [a.effects if a.rewarded is None else a.rewarded for a in config.affordances]
        neither = [[0.0] * len(METERS)] * 2
        listed = np.array(neither + 2 * [effects.in_order() for effects in rewarded]).T
        self._gain = np.ascontiguousarray(np.maximum(listed, 0.0) / 50.0 * shaped.interaction_scale)

        critical = np.full((len(METERS), rows), shaped.critical_below)
        critical[_MONEY] = shaped.money_critical_below
        self._critical_below = critical
        nearness = np.zeros((len(METERS), cells))
        for row, meter in enumerate(config.meters):
            if meter.place is not None:
                nearness[row] = (1.0 - rules.distance_to(meter.place) / reach) * shaped.proximity_scale
        self._nearness = nearness[_CRITICAL_ORDER].ravel()
        self._cells = np.array([cells], dtype=np.intp)

        self._hunger_below = np.array([shaped.hunger_below if config.meals else -np.inf])
        self._zero = np.zeros(1)
        to_meals = [rules.distance_to(meal) for meal in config.meals] or [np.zeros(cells)]
        self._hunger = np.minimum.reduce(to_meals) / reach * shaped.hunger_scale / shaped.hunger_below

        self._is_critical = np.empty((len(METERS), rows), dtype=np.bool_)
        self._urgency = np.empty((len(METERS), rows))
        self._work = np.empty((len(METERS), rows))
        self._hungry = np.empty(rows, dtype=np.bool_)
        self._num_rows = np.array([rows], dtype=np.intp)
        self._rows: IndexArray = np.arange(rows, dtype=np.intp)
        self._index: IndexArray = np.empty(rows, dtype=np.intp)

    def interaction(self, kind: IndexArray, lack: FloatArray) -> FloatArray:
        need = np.multiply(lack, self._need_scale, out=self._work)
        np.minimum(need, 1.0, out=need)
        gain = self._gain.take(kind, 1, self._urgency, "clip")
        np.multiply(need, gain, out=need)
        # accumulate adds in the meters' order whatever the number of rows; reduce promises no order.
        total: FloatArray = np.add.accumulate(need, axis=0)[-1]
        return total

    def outcome(self, normalised: FloatArray, lack: FloatArray, cell: IndexArray) -> Terms:
        proximity = hunger = None
        np.less(normalised, self._critical_below, out=self._is_critical)
        if any_true(self._is_critical):
            np.multiply(lack, self._is_critical, out=self._work)
            urgency = self._work.take(_CRITICAL_ORDER, 0, self._urgency, "clip")
            place = urgency.argmax(axis=0)
            # The largest by its index, because to look for it again takes longer.
            np.multiply(place, self._num_rows, out=self._index)
            np.add(self._index, self._rows, out=self._index)
            np.multiply(place, self._cells, out=place)
            np.add(place, cell, out=place)
            proximity = self._nearness.take(place)
            np.multiply(proximity, urgency.take(self._index), out=proximity)
        satiation = normalised[_SATIATION]
        np.less(satiation, self._hunger_below, out=self._hungry)
        if any_true(self._hungry):
            hunger = np.subtract(satiation, self._hunger_below)
            np.minimum(hunger, self._zero, out=hunger)
            np.multiply(hunger, self._hunger.take(cell), out=hunger)
        return Terms(self._bands.sum(normalised), proximity, hunger)


class _Survival:
    def __init__(self, rules: Rules, rows: int) -> None:
        survival = rules.config.survival
        above = (survival.low_below, survival.severe_below)
        values = (0.0, -survival.low_penalty, -survival.severe_penalty)
        without = ((np.inf, np.inf), (0.0, 0.0, 0.0))
        vital = ("energy", "hygiene", "satiation")
        bands = [(above, values) if name in vital else without for name in METERS]
        self._bands = _BandTable(bands, np.greater_equal, rows)
        self._per_step = survival.per_step

    def interaction(self, kind: IndexArray, lack: FloatArray) -> None:
        return None

    def outcome(self, normalised: FloatArray, lack: FloatArray, cell: IndexArray) -> Terms:
        meters = self._bands.sum(normalised)
        meters += self._per_step
        return Terms(meters, None, None)
