"""What an agent sees, as a vector."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hamlet_trio.world.batch import WorldBatch
from hamlet_trio.world.config import METERS, WorldConfig
from hamlet_trio.world.rules import IndexArray, Rules

AGENT_CODE: Final = 9
OTHER_AGENT_CODE: Final = 10
_GRID = 2 + len(METERS)


def observe_cells(
    config: WorldConfig, meters: Sequence[float], cells: Sequence[int], others: Sequence[int] = ()
) -> NDArray[np.float32]:
    """Return what an agent would see on each of some cells, (n, observation_size) float32.

    `meters` are its normalised meters, in the order of METERS, on every cell; `others` are the cells of the
    other live agents. A cell has the number y * width + x.
    """
    number = np.asarray(cells, dtype=np.intp)
    seen = np.zeros((number.size, config.observation_size), dtype=np.float32)
    y, x = np.divmod(number, config.width)
    seen[:, :2] = np.stack([x, y], axis=1) / np.array([config.width - 1, config.height - 1], dtype=np.float64)
    seen[:, 2:_GRID] = np.asarray(meters, dtype=np.float64)
    grid = seen[:, _GRID:]
    grid[:] = _ground(config)
    grid[:, list(others)] = OTHER_AGENT_CODE
    grid[np.arange(number.size), number] = AGENT_CODE
    return seen


def _ground(config: WorldConfig) -> NDArray[np.float32]:
    """Return what is seen of a world without agents, (C,) float32."""
    grid = np.zeros(config.width * config.height, dtype=np.float32)
    for affordance in config.affordances:
        grid[affordance.y * config.width + affordance.x] = affordance.code
    return grid


class Observer:
    """Write observations: x / (width - 1), y / (height - 1), the normalised meters, the grid row by row.

    In the grid an empty cell is 0, an affordance its code, another live agent 10 and the agent itself 9,
    each over what stands there before it in this list.

    Attributes:
        cell_xy: (C, 2) float32, what is seen of a position on each cell.
        grid: (C,) float32, what is seen of a world without agents.
    """

    def __init__(self, rules: Rules) -> None:
        config = rules.config
        self._num_agents = config.num_agents
        self.size = config.observation_size
        scaled = rules.cell_xy / np.array([config.width - 1, config.height - 1], dtype=np.float64)
        self.cell_xy = scaled.astype(np.float32)
        self.grid = _ground(config)

    def write(self, batch: WorldBatch, rows: IndexArray | None, out: NDArray[np.float32]) -> None:
        """Fill `out` (r, size) for `rows` of `batch`, whole worlds in order; None for all of them."""
        cell = batch.cell if rows is None else batch.cell[rows]
        normalised = batch.normalised if rows is None else batch.normalised[:, rows]
        out[:, :2] = self.cell_xy.take(cell, axis=0)
        out[:, 2:_GRID] = normalised.T
        grid = out[:, _GRID:]
        grid[:] = self.grid
        if self._num_agents > 1:
            self._mark_others(cell, batch.alive if rows is None else batch.alive[rows], grid)
        grid[np.arange(cell.size), cell] = AGENT_CODE

    def _mark_others(self, cell: IndexArray, alive: NDArray[np.bool_], grid: NDArray[np.float32]) -> None:
        agents = self._num_agents
        world_rows = np.arange(cell.size).reshape(-1, agents)
        living = np.flatnonzero(alive)
        # Every row of a world is marked at the cell of each of its live agents; the row's own code comes
        # after.
        grid[world_rows[living // agents], cell[living][:, None]] = OTHER_AGENT_CODE
