"""A configuration compiled to lookup tables: what a step of any number of worlds reads.

Cells are numbered row by row, cell = y * width + x. The result of an action is its *kind*: MOVE, FAILED,
then one kind for each affordance and, after these, one for each affordance as a tired agent uses it.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hamlet_trio.world.config import ACTIONS, FATAL_METERS, INTERACT, METERS, Affordance, WorldConfig

FloatArray: TypeAlias = NDArray[np.float64]
IndexArray: TypeAlias = NDArray[np.intp]
BoolArray: TypeAlias = NDArray[np.bool_]

RULES_VERSION: Final = 1
"""Raised whenever the same actions come to another state or reward than before, if only in a last bit:
recordings of other rules are refused then, instead of playing out differently."""

MOVE: Final = 0
FAILED: Final = 1
_FIRST_AFFORDANCE: Final = 2

_STEPS: Final = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0), "interact": (0, 0)}


def any_true(flags: BoolArray) -> bool:
    """Whether one of the flags is set; of few, in a tenth of the time that `flags.any()` takes."""
    return 1 in flags.tobytes()


class Rules:
    """The tables of one configuration. M meters (6), K kinds, C cells; float64 unless said otherwise.

    A -0.0 of the configuration is +0.0 here. No meter is -0.0 then, and so the sign of a zero depends neither
    on which of two equal numbers a minimum takes nor on what else is computed together.

    Attributes:
        config: what the tables were made from.
        next_cell, kind: (C * 5,) intp, by cell * 5 + action.
        effects: (M, K), the change of each meter.
        price: (K,), the money one must have; -inf where nothing is paid.
        tired_kind: (K,) intp, the kind that it becomes for a tired agent.
        has_tired: whether that makes a difference anywhere.
        affordance: (K,) int8, the index in config.affordances, or -1.
        minimum, maximum, span, drain: (M, 1).
        fatal_minimum: (M, 1), the minimum where reaching it ends the episode, else -inf.
        fatal_rows: the row of the meter behind each failure code from 1 on.
        start_cells: (A,) intp.
        start_meters: (M, 1).
        loneliness_mood: as in config.
        cell_xy: (C, 2) int64.
    """

    def __init__(self, config: WorldConfig) -> None:
        self.config = config
        places = {affordance.y * config.width + affordance.x: affordance for affordance in config.affordances}
        kinds = {a.name: _FIRST_AFFORDANCE + index for index, a in enumerate(config.affordances)}
        self.next_cell, self.kind = _transitions(config, places, kinds)
        normal = [config.move, config.failed_interact, *(a.effects for a in config.affordances)]
        self.effects = _columns([effects.in_order() for effects in normal], config.affordances)
        self.price = np.array([*([-np.inf] * 2), *(2 * [_price(a) for a in config.affordances])])
        count = len(config.affordances)
        self.tired_kind = np.arange(_FIRST_AFFORDANCE + 2 * count, dtype=np.intp)
        self.tired_kind[_FIRST_AFFORDANCE : _FIRST_AFFORDANCE + count] += count
        self.has_tired = any(a.tired_money is not None for a in config.affordances)
        self.affordance = np.array([-1, -1, *range(count), *range(count)], dtype=np.int8)

        self.minimum = _column([meter.minimum for meter in config.meters])
        self.maximum = _column([meter.maximum for meter in config.meters])
        self.span = self.maximum - self.minimum
        self.drain = _column([meter.drain for meter in config.meters])
        fatal = [meter.minimum if meter.name in FATAL_METERS else -np.inf for meter in config.meters]
        self.fatal_minimum = _column(fatal)
        self.fatal_rows = tuple(METERS.index(name) for name in FATAL_METERS)
        self.start_meters = _column([meter.start for meter in config.meters])
        self.loneliness_mood = config.loneliness_mood + 0.0
        self.start_cells = np.array(_spiral(config), dtype=np.intp)
        y, x = np.divmod(np.arange(config.width * config.height, dtype=np.int64), config.width)
        self.cell_xy = np.stack([x, y], axis=1)

    def distance_to(self, name: str) -> FloatArray:
        """Return Manhattan distance from each cell to the affordance of that name, (C,) float64."""
        place = next(a for a in self.config.affordances if a.name == name)
        x, y = self.cell_xy.astype(np.float64).T
        distance: FloatArray = np.abs(x - place.x) + np.abs(y - place.y)
        return distance


def _column(values: list[float]) -> FloatArray:
    return np.array(values, dtype=np.float64)[:, None] + 0.0


def _price(affordance: Affordance) -> float:
    return -affordance.effects.money if affordance.effects.money < 0 else -np.inf


def _columns(normal: list[list[float]], affordances: tuple[Affordance, ...]) -> FloatArray:
    """Return the effects of every kind as columns, (M, K): `normal`, then those of the tired."""
    money = METERS.index("money")
    tired = []
    for affordance in affordances:
        changes = affordance.effects.in_order()
        if affordance.tired_money is not None:
            changes[money] = affordance.tired_money
        tired.append(changes)
    return np.ascontiguousarray(np.array(normal + tired, dtype=np.float64).T)


def _transitions(
    config: WorldConfig, places: dict[int, Affordance], kinds: dict[str, int]
) -> tuple[IndexArray, IndexArray]:
    next_cell, kind = [], []
    for cell in range(config.width * config.height):
        y, x = divmod(cell, config.width)
        for number, action in enumerate(ACTIONS):
            step_x, step_y = _STEPS[action]
            new_x = min(max(x + step_x, 0), config.width - 1)
            new_y = min(max(y + step_y, 0), config.height - 1)
            next_cell.append(new_y * config.width + new_x)
            if number != INTERACT:
                kind.append(MOVE)
            else:
                kind.append(kinds[places[cell].name] if cell in places else FAILED)
    return np.array(next_cell, dtype=np.intp), np.array(kind, dtype=np.intp)


def _spiral(config: WorldConfig) -> list[int]:
    """Return the start cell of each agent: outward from `start`, right, down, left, up, within the grid."""
    x, y = config.start
    cells = [y * config.width + x]
    leg = 0
    while len(cells) < config.num_agents:
        step_x, step_y = _STEPS[("right", "down", "left", "up")[leg % 4]]
        for _ in range(leg // 2 + 1):
            x, y = x + step_x, y + step_y
            if 0 <= x < config.width and 0 <= y < config.height:
                cells.append(y * config.width + x)
        leg += 1
    return cells[: config.num_agents]
