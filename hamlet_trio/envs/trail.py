"""Remember what pictures show of the steps before: the way of each world's first agent, and its return."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hamlet_trio.world import StepResult, Worlds
from hamlet_trio.world.batch import WorldIndices

_CELLS: Final = 32
"""Cells that are remembered of each world, the present one last."""


class Trail:
    """The last steps of each world's first agent.

    Attributes:
        rewards, returns: (N,) float64, of the last step and since the episode began.
        used: (N,) int64, the index of the affordance that the last step used, or -1.
    """

    def __init__(self, worlds: Worlds) -> None:
        self._worlds = worlds
        number = worlds.num_worlds
        self._cells = np.zeros((number, _CELLS, 2), dtype=np.int64)
        self._known = np.zeros(number, dtype=np.int64)
        self._actions = np.zeros(number, dtype=np.int64)
        self.used = np.zeros(number, dtype=np.int64)
        self.rewards = np.zeros(number)
        self.returns = np.zeros(number)
        self.begin()

    def begin(self, worlds: WorldIndices | None = None) -> None:
        """Note that an episode begins in these worlds, by default in all."""
        rows = self._rows(worlds)
        self._known[rows] = 0
        self._actions[rows] = self.used[rows] = -1
        self.rewards[rows] = self.returns[rows] = 0.0
        self._note_cells(rows)

    def note(self, actions: ArrayLike, result: StepResult, worlds: WorldIndices | None = None) -> None:
        """Note a step of these worlds, with the action (n,) of each one's first agent."""
        rows = self._rows(worlds)
        self._actions[rows] = actions
        self.used[rows] = result.interacted[:, 0]
        self.rewards[rows] = result.rewards[:, 0]
        self.returns[rows] += result.rewards[:, 0]
        self._note_cells(rows)

    def cells(self, world: int) -> list[tuple[int, int]]:
        """Return the last cells (x, y) of a world's episode, the present one last."""
        return [(x, y) for x, y in self._cells[world, _CELLS - self._known[world] :].tolist()]

    def action(self, world: int) -> int | None:
        """Return the action of a world's last step, or None at the start of an episode."""
        return int(self._actions[world]) if self._actions[world] >= 0 else None

    def _rows(self, worlds: WorldIndices | None) -> NDArray[np.intp]:
        return np.arange(self._worlds.num_worlds) if worlds is None else np.asarray(worlds, dtype=np.intp)

    def _note_cells(self, rows: NDArray[np.intp]) -> None:
        self._cells[rows, :-1] = self._cells[rows, 1:]
        self._cells[rows, -1] = self._worlds.positions[rows, 0]
        self._known[rows] = np.minimum(self._known[rows] + 1, _CELLS)
