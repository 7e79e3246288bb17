"""The two rewards, for any number of agents at once, with numpy; the tables that they read have their rules.

Codes of bands are integers, which makes the result the same to the last bit however many agents are computed
together.
"""

from typing import NamedTuple, Protocol

import numpy as np

from hamlet_trio.world.config import METERS
from hamlet_trio.world.reward_tables import (
    CRITICAL_ORDER,
    BandTable,
    shaped_tables,
    survival_tables,
)
from hamlet_trio.world.rules import FloatArray, IndexArray, Rules, any_true

_CRITICAL_ORDER = np.array(CRITICAL_ORDER, dtype=np.intp)
_SATIATION = METERS.index("satiation")


class Terms(NamedTuple):
    """What a step's reward is the sum of, an end apart; each (R,) float64, None for zero throughout."""

    meters: FloatArray
    proximity: FloatArray | None
    hunger: FloatArray | None


class Reward(Protocol):
    """One of the rewards, with work space for a fixed number of rows R (a row is one agent of one world)."""

    def interaction(self, kind: IndexArray, normalised: FloatArray) -> FloatArray | None:
        """Return what successful interactions add: kind (R,) intp; normalised (6, R) from before the step."""
        ...

    def outcome(self, normalised: FloatArray, cell: IndexArray) -> Terms:
        """Return the reward terms of the state after the step: normalised (6, R), cell (R,) intp."""
        ...


def make_reward(rules: Rules, rows: int) -> Reward:
    """Return the reward that the rules' configuration names, for `rows` rows."""
    return _Shaped(rules, rows) if rules.config.reward == "shaped" else _Survival(rules, rows)


class _BandSums:
    """A band table with work space; `compare` is np.greater or np.greater_equal."""

    def __init__(self, table: BandTable, compare: np.ufunc, rows: int) -> None:
        thresholds, meters = table.above.shape
        self._compare = compare
        self._above = np.repeat(table.above[:, :, None], rows, axis=2)
        digits = np.array([(thresholds + 1) ** meter for meter in range(meters)], dtype=np.int16)
        self._digits = np.repeat(np.tile(digits, thresholds)[:, None], rows, axis=1)
        self._sums = table.sums
        self._passed = np.empty((thresholds, meters, rows), dtype=np.bool_)
        self._flat_passed = self._passed.reshape(thresholds * meters, rows)
        self._weighted = np.empty(self._flat_passed.shape, dtype=np.int16)
        self._code = np.empty(rows, dtype=np.int16)

    def sum(self, normalised: FloatArray) -> FloatArray:
        self._compare(normalised, self._above, out=self._passed)
        np.multiply(self._flat_passed, self._digits, out=self._weighted)
        np.add.reduce(self._weighted, axis=0, dtype=np.int16, out=self._code)
        return self._sums.take(self._code)


class _Shaped:
    def __init__(self, rules: Rules, rows: int) -> None:
        tables = shaped_tables(rules)
        self._bands = _BandSums(tables.bands, np.greater, rows)
        self._need_scale = np.repeat(tables.need_scale[:, None], rows, axis=1)
        self._gain = tables.gain
        self._critical_below = np.repeat(tables.critical_below[:, None], rows, axis=1)
        self._nearness = tables.nearness.ravel()
        self._cells = np.array([tables.nearness.shape[1]], dtype=np.intp)
        self._hunger_below = np.array([tables.hunger_below])
        self._hunger = tables.hunger
        self._zero, self._unit = np.zeros(1), np.ones(1)

        self._is_critical = np.empty((len(METERS), rows), dtype=np.bool_)
        self._urgency = np.empty((len(METERS), rows))
        self._work = np.empty((len(METERS), rows))
        self._hungry = np.empty(rows, dtype=np.bool_)
        self._num_rows = np.array([rows], dtype=np.intp)
        self._rows: IndexArray = np.arange(rows, dtype=np.intp)
        self._index: IndexArray = np.empty(rows, dtype=np.intp)

    def interaction(self, kind: IndexArray, normalised: FloatArray) -> FloatArray:
        need = np.subtract(self._unit, normalised, out=self._work)
        np.multiply(need, self._need_scale, out=need)
        np.minimum(need, 1.0, out=need)
        gain = self._gain.take(kind, 1, self._urgency, "clip")
        np.multiply(need, gain, out=need)
        # accumulate adds in the meters' order whatever the number of rows; reduce promises no order.
        total: FloatArray = np.add.accumulate(need, axis=0)[-1]
        return total

    def outcome(self, normalised: FloatArray, cell: IndexArray) -> Terms:
        proximity = hunger = None
        np.less(normalised, self._critical_below, out=self._is_critical)
        if any_true(self._is_critical):
            np.subtract(self._unit, normalised, out=self._work)
            np.multiply(self._work, self._is_critical, out=self._work)
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
        tables = survival_tables(rules)
        self._bands = _BandSums(tables.bands, np.greater_equal, rows)
        self._per_step = tables.per_step

    def interaction(self, kind: IndexArray, normalised: FloatArray) -> None:
        return None

    def outcome(self, normalised: FloatArray, cell: IndexArray) -> Terms:
        meters = self._bands.sum(normalised)
        meters += self._per_step
        return Terms(meters, None, None)
