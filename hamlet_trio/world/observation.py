"""What an agent sees, as a vector."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hamlet_trio.world.batch import WorldBatch
from hamlet_trio.world.config import METERS
from hamlet_trio.world.rules import IndexArray, Rules

AGENT_CODE: Final = 9
OTHER_AGENT_CODE: Final = 10
_GRID = 2 + len(METERS)


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
        self.grid = np.zeros(config.width * config.height, dtype=np.float32)
        for affordance in config.affordances:
            self.grid[affordance.y * config.width + affordance.x] = affordance.code

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
