"""The state of a number of worlds as arrays, and what every way of stepping them has to do.

A row is one agent of one world; row = world * num_agents + agent.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hamlet_trio.world.config import ACTIONS, METERS
from hamlet_trio.world.rules import BoolArray, FloatArray, IndexArray, Rules, any_true

WorldIndices: TypeAlias = Sequence[int] | NDArray[np.integer]

_FLOAT32 = np.dtype(np.float32)
_LAST_ACTION = np.array([len(ACTIONS) - 1], dtype=np.uintp)


class EpisodeOverError(RuntimeError):
    """A world was stepped whose episode is over."""


class RewardComponents(NamedTuple):
    """What a step's rewards are the sum of (up to rounding); each (n, A) float64."""

    meters: FloatArray
    interaction: FloatArray
    proximity: FloatArray
    hunger: FloatArray
    ending: FloatArray


class StepResult(NamedTuple):
    """One step of n worlds; the arrays belong to the caller.

    Attributes:
        rewards: (n, A) float64; 0 for an agent that had ended before.
        terminated: (n, A) bool, the agents that ended at this step.
        truncated: (n, A) bool, the agents alive when `max_steps` was reached.
        interacted: (n, A) int8, the index in `config.affordances` of what was used with success, or -1.
        components: what the rewards are made of, when it was asked for.
    """

    rewards: FloatArray
    terminated: BoolArray
    truncated: BoolArray
    interacted: NDArray[np.int8]
    components: RewardComponents | None


class WorldBatch(ABC):
    """`num_worlds` worlds with A agents each, R rows in all, as arrays; subclasses step them.

    All ways of stepping come to the same, to the last bit.

    Attributes:
        cell: (R,) intp.
        positions: (R, 2) int64, x and y of the cell.
        meters: (6, R) float64, raw.
        normalised: (6, R) float64.
        alive: (R,) bool.
        failure: (R,) int8, a code in FAILURE_REASONS.
        steps: (num_worlds,) int64.
        over: (num_worlds,) bool, whether the episode is over.
    """

    def __init__(self, rules: Rules, num_worlds: int) -> None:
        self._rules = rules
        self._num_worlds, self._num_agents = num_worlds, rules.config.num_agents
        self._rows = rows = num_worlds * self._num_agents
        self._seen_shape = (self._num_agents, rules.config.observation_size)
        self.cell: IndexArray = np.zeros(rows, dtype=np.intp)
        self.positions: NDArray[np.int64] = np.zeros((rows, 2), dtype=np.int64)
        shape = (len(METERS), rows)
        self.meters = np.empty(shape)
        self.normalised = np.empty(shape)
        self.alive = np.ones(rows, dtype=np.bool_)
        self.failure = np.zeros(rows, dtype=np.int8)
        self.steps = np.zeros(num_worlds, dtype=np.int64)
        self.over = np.zeros(num_worlds, dtype=np.bool_)

    @abstractmethod
    def step(
        self, actions: NDArray[np.generic], worlds: WorldIndices | None, *, components: bool
    ) -> StepResult:
        """Check the arguments and step the given worlds in the order of the rules; None means all."""

    @abstractmethod
    def begin(self, worlds: WorldIndices | None) -> None:
        """Start an episode in `worlds`, where the configuration says. Checks them."""

    @abstractmethod
    def observe(self, worlds: WorldIndices | None, out: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """Check the arguments and write what the agents of `worlds` see into `out` or a new array."""

    def place(self, worlds: IndexArray, cell: IndexArray, meters: FloatArray) -> None:
        """Start an episode in `worlds`, whose rows stand at `cell` (r,) with `meters` (6, r) or (6, 1)."""
        rows = self.rows_of(worlds)
        self.cell[rows] = cell
        self.meters[:, rows] = meters + 0.0  # no -0.0, see Rules
        self.alive[rows] = True
        self.failure[rows] = 0
        self.steps[worlds] = 0
        self.over[worlds] = False
        self.refresh(rows)

    def refresh(self, rows: IndexArray | None = None) -> None:
        """Derive positions and normalised from cell and meters, for all rows or some."""
        chosen: IndexArray | slice = slice(None) if rows is None else rows
        self.positions[chosen] = self._rules.cell_xy[self.cell[chosen]]
        self.normalised[:, chosen] = (self.meters[:, chosen] - self._rules.minimum) / self._rules.span

    def rows_of(self, worlds: IndexArray) -> IndexArray:
        """Return the rows of these worlds, in their order."""
        agents = self._num_agents
        if agents == 1:
            return worlds
        return (worlds[:, None] * agents + np.arange(agents)).ravel()

    def check_worlds(self, worlds: WorldIndices) -> IndexArray:
        """Return `worlds` as an array of indices.

        Raises:
            IndexError, ValueError: for an index out of range or twice, or no indices at all.
        """
        given = np.asarray(worlds)
        if given.ndim != 1 or given.size == 0 or given.dtype.kind not in "iu":
            raise ValueError("worlds is not a sequence of one or more integers")
        indices = given.astype(np.intp, copy=False)
        # As unsigned numbers the negative ones are too large as well.
        if np.count_nonzero(indices.view(np.uintp) >= self._num_worlds):
            raise IndexError(f"worlds is {given.tolist()}; allowed: 0 to {self._num_worlds - 1}")
        if indices.size > 1:
            seen = np.zeros(self._num_worlds, dtype=np.bool_)
            seen[indices] = True
            if np.count_nonzero(seen) != indices.size:
                raise ValueError("worlds names a world twice")
        return indices

    def check_step(
        self, actions: NDArray[np.generic], worlds: WorldIndices | None
    ) -> tuple[IndexArray, IndexArray | None]:
        """Return the actions as (n * A,) intp, and the worlds as indices.

        Raises:
            EpisodeOverError: when one of the worlds has to be reset first.
            IndexError, ValueError: for an index out of range or twice; for actions of another shape, kind or
                range.
        """
        indices = None if worlds is None else self.check_worlds(worlds)
        checked = self._check_actions(actions, self._num_worlds if indices is None else indices.size)
        over = self.over if indices is None else self.over[indices]
        if any_true(over):
            which = np.flatnonzero(over) if indices is None else indices[over]
            listed = ", ".join(map(str, which[:10].tolist())) + (", ..." if which.size > 10 else "")
            raise EpisodeOverError(f"the episode is over in world {listed}: reset it before the next step")
        return checked, indices

    def _check_actions(self, given: NDArray[np.generic], num_worlds: int) -> IndexArray:
        agents = self._num_agents
        if given.shape != (num_worlds, agents) and not (agents == 1 and given.shape == (num_worlds,)):
            allowed = f"({num_worlds},) or ({num_worlds}, 1)" if agents == 1 else f"({num_worlds}, {agents})"
            raise ValueError(f"actions has the shape {given.shape}; allowed: {allowed}")
        if given.dtype.kind not in "iu":
            raise ValueError(f"actions is an array of {given.dtype}; allowed: integers")
        checked = given.astype(np.intp, copy=False).reshape(-1)
        if any_true(checked.view(np.uintp) > _LAST_ACTION):
            wrong = next(action for action in checked.tolist() if not 0 <= action < len(ACTIONS))
            raise ValueError(f"actions has {wrong}; allowed: 0 to {len(ACTIONS) - 1} ({', '.join(ACTIONS)})")
        return checked

    def check_out(self, out: NDArray[np.float32] | None, num_worlds: int) -> NDArray[np.float32]:
        """Return `out`, or a new array, for what the agents of `num_worlds` worlds see.

        Raises:
            ValueError: for an `out` that does not fit.
        """
        shape = (num_worlds, *self._seen_shape)
        if out is None:
            return np.empty(shape, dtype=np.float32)
        if out.shape != shape or out.dtype != _FLOAT32 or not out.flags.carray:
            given = f"{out.dtype} {out.shape}"
            raise ValueError(
                f"out is {given}; allowed: a writable C-contiguous float32 array of shape {shape}"
            )
        return out
