"""N worlds of one configuration, stepped as arrays."""

from collections.abc import Sequence
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hamlet_trio.world.batch import Batch, StepResult
from hamlet_trio.world.config import ACTIONS, FAILURE_REASONS, METERS, WorldConfig
from hamlet_trio.world.observation import Observer
from hamlet_trio.world.rules import FloatArray, IndexArray, Rules, any_true
from hamlet_trio.world.state import RandomState, WorldState

WorldIndices: TypeAlias = Sequence[int] | NDArray[np.integer]
_LAST_ACTION = np.array([len(ACTIONS) - 1], dtype=np.uintp)
_STATE_ARRAYS = ("cell", "meters", "alive", "failure", "steps", "over")
Array = TypeVar("Array", bound=NDArray[np.generic])


class EpisodeOverError(RuntimeError):
    """A world was stepped whose episode is over."""


class Worlds:
    """N independent worlds with A agents each; a single world is N = 1.

    The attributes below are live, read-only views of the state: they change with the next step or reset, so
    copy what must be kept. A subset of worlds, where a method takes one, is a sequence or array of distinct
    indices, and the arrays that go in and come out have its length n and its order; None means all. Stepping
    a subset gives to the last bit what stepping each of its worlds alone gives. Copies and pickles are whole
    and independent. Not safe to share between threads.

    Attributes:
        config: what every world was made from.
        num_worlds: N.
        num_agents: A.
        observation_size: values in one agent's observation.
        positions: (N, A, 2) int64, x and y.
        meters: (N, A, 6) float64, raw values in the order of METERS.
        alive: (N, A) bool; an agent that was truncated is still alive.
        steps: (N,) int64, steps taken in the episode.
        failure: (N, A) int8, why an agent ended, a code in FAILURE_REASONS; 0 for one that has not.
        over: (N,) bool, whether the episode is over: all agents ended, or `max_steps` reached.
    """

    def __init__(
        self, num_worlds: int, config: WorldConfig | None = None, *, seed: int | None = None
    ) -> None:
        """Make the worlds, each at the start of an episode.

        World i draws from a generator of its own, which depends on `seed` and i alone; without a seed it is
        unpredictable. Only random starts draw from it.

        Raises:
            ValueError: when `num_worlds` is less than 1 or `seed` is negative.
        """
        if num_worlds < 1:
            raise ValueError(f"num_worlds is {num_worlds}; allowed: 1 or more")
        self.config = WorldConfig() if config is None else config
        self.num_worlds = num_worlds
        self.num_agents = self.config.num_agents
        self.observation_size = self.config.observation_size
        self._rules = Rules(self.config)
        self._all = Batch(self._rules, num_worlds)
        self._parts: dict[int, Batch] = {}
        self._observer = Observer(self._rules)
        entropy = np.random.SeedSequence(seed).entropy
        self._generators = [
            np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy, spawn_key=(index,))))
            for index in range(num_worlds)
        ]
        shape = (num_worlds, self.num_agents)
        self.positions = _read_only(self._all.positions.reshape(*shape, 2))
        self.meters = _read_only(self._all.meters.T.reshape(*shape, len(METERS)))
        self._normalised = _read_only(self._all.normalised.T.reshape(*shape, len(METERS)))
        self.alive = _read_only(self._all.alive.reshape(shape))
        self.failure = _read_only(self._all.failure.reshape(shape))
        self.steps = _read_only(self._all.steps[:])
        self.over = _read_only(self._all.over[:])
        self.reset()

    def reset(
        self,
        worlds: WorldIndices | None = None,
        *,
        seeds: Sequence[int] | None = None,
        random_start: bool = False,
    ) -> None:
        """Begin a new episode in the given worlds.

        `seeds`, one for each of them, restart their generators first. With `random_start` every agent's cell
        is uniform over the grid and every normalised meter uniform in its `random_low`..`random_high`, both
        drawn from the world's own generator.

        Raises:
            IndexError, ValueError: for an index out of range or twice; for seeds of another number.
        """
        indices = np.arange(self.num_worlds) if worlds is None else self._indices(worlds)
        if seeds is not None:
            if len(seeds) != indices.size:
                raise ValueError(
                    f"seeds has {len(seeds)} entries; allowed: one for each of {indices.size} worlds"
                )
            for index, seed in zip(indices.tolist(), seeds, strict=True):
                self._generators[index] = np.random.Generator(np.random.PCG64(seed))
        if random_start:
            cell, meters = self._draw_starts(indices)
        else:
            cell, meters = np.tile(self._rules.start_cells, indices.size), self._rules.start_meters
        self._all.begin(indices, self._rows(indices), cell, meters)

    def step(
        self, actions: ArrayLike, worlds: WorldIndices | None = None, *, components: bool = False
    ) -> StepResult:
        """Take one step in the given worlds.

        Args:
            actions: (n, A) integers 0 to 4, or (n,) where A is 1; those of agents that ended are ignored.
            worlds: which; none of them may be over.
            components: whether to tell what the rewards are made of.

        Raises:
            EpisodeOverError: when one of the worlds has to be reset first. Nothing has changed then.
            IndexError, ValueError: for an index out of range or twice; for actions of another shape, kind or
                range.
        """
        if worlds is None:
            checked = self._actions(actions, self.num_worlds)
            if any_true(self._all.over):
                raise _over(np.flatnonzero(self._all.over))
            return self._all.step(checked, components=components)
        indices = self._indices(worlds)
        checked = self._actions(actions, indices.size)
        over = self._all.over[indices]
        if any_true(over):
            raise _over(indices[over])
        return self._step_part(checked, indices, components=components)

    def observe(
        self, worlds: WorldIndices | None = None, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """What the agents of the given worlds see, (n, A, observation_size) float32.

        Written into `out` when it is given: a C-contiguous array of that shape and type.

        Raises:
            IndexError, ValueError: for an index out of range or twice; for an `out` that does not fit.
        """
        indices = None if worlds is None else self._indices(worlds)
        shape = (self.num_worlds if indices is None else indices.size, self.num_agents, self.observation_size)
        if out is None:
            out = np.empty(shape, dtype=np.float32)
        elif out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
            given = f"{out.dtype} {out.shape}"
            raise ValueError(f"out is {given}; allowed: a C-contiguous float32 array of shape {shape}")
        rows = None if indices is None else self._rows(indices)
        self._observer.write(self._all, rows, out.reshape(-1, self.observation_size))
        return out

    def normalised(self, worlds: WorldIndices | None = None) -> FloatArray:
        """A copy of the meters as (value - minimum) / (maximum - minimum), (n, A, 6) float64."""
        if worlds is None:
            return self._normalised.copy()
        return self._normalised[self._indices(worlds)]

    def get_state(self, world: int) -> WorldState:
        """Everything that changes in one world."""
        (index,) = self._indices([world]).tolist()
        return WorldState(
            positions=tuple((x, y) for x, y in self.positions[index].tolist()),
            meters=tuple((e, h, f, c, m, s) for e, h, f, c, m, s in self.meters[index].tolist()),
            failures=tuple(self.failure[index].tolist()),
            steps=int(self.steps[index]),
            random=RandomState.of(self._generators[index]),
        )

    def set_state(self, world: int, state: WorldState) -> None:
        """Put one world into a state that `get_state` of a world of the same configuration gave.

        Raises:
            IndexError: for a world that is not there.
            ValueError: for a state that such a world cannot be in. Nothing has changed then.
        """
        indices = self._indices([world])
        agents = self.num_agents
        if not len(state.positions) == len(state.meters) == len(state.failures) == agents:
            raise ValueError(f"the state is not one of {agents} agents, as this world has")
        width, height = self.config.width, self.config.height
        if not all(0 <= x < width and 0 <= y < height for x, y in state.positions):
            raise ValueError(f"the state has a position outside of {width} x {height} cells")
        meters = np.array(state.meters, dtype=np.float64).T
        if not ((meters >= self._rules.minimum) & (meters <= self._rules.maximum)).all():
            raise ValueError("the state has a meter outside of its minimum..maximum")
        if not all(0 <= code < len(FAILURE_REASONS) for code in state.failures):
            raise ValueError(f"the state has a failure code outside of 0..{len(FAILURE_REASONS) - 1}")
        if not 0 <= state.steps <= self.config.max_steps:
            raise ValueError(f"the state has {state.steps} steps; allowed: 0 to {self.config.max_steps}")
        generator = state.random.generator()
        rows = self._rows(indices)
        cell = np.array([y * width + x for x, y in state.positions], dtype=np.intp)
        self._all.begin(indices, rows, cell, meters)
        self._all.failure[rows] = state.failures
        self._all.alive[rows] = [code == 0 for code in state.failures]
        self._all.steps[indices] = state.steps
        self._all.over[indices] = state.steps >= self.config.max_steps or 0 not in state.failures
        self._generators[indices[0]] = generator

    def __reduce__(self) -> tuple[object, ...]:
        # A copy or pickle of the attributes would part the views from the arrays that they show.
        arrays = {name: getattr(self._all, name) for name in _STATE_ARRAYS}
        return Worlds, (self.num_worlds, self.config), (arrays, self._generators)

    def __setstate__(self, state: tuple[dict[str, NDArray[np.generic]], list[np.random.Generator]]) -> None:
        arrays, self._generators = state
        for name, values in arrays.items():
            getattr(self._all, name)[...] = values
        self._all.refresh()

    def _draw_starts(self, indices: IndexArray) -> tuple[IndexArray, FloatArray]:
        cells = self.config.width * self.config.height
        drawn_cells, drawn_meters = [], []
        for index in indices.tolist():
            generator = self._generators[index]
            drawn_cells.append(generator.integers(cells, size=self.num_agents, dtype=np.intp))
            drawn_meters.append(generator.random((self.num_agents, len(METERS))))
        low = np.array([meter.random_low for meter in self.config.meters])[:, None]
        high = np.array([meter.random_high for meter in self.config.meters])[:, None]
        normalised = low + (high - low) * np.concatenate(drawn_meters).T
        return np.concatenate(drawn_cells), self._rules.minimum + normalised * self._rules.span

    def _step_part(self, actions: IndexArray, indices: IndexArray, *, components: bool) -> StepResult:
        """Step a subset in work space of its own, kept for each power of two.

        A subset of another size is filled up with its last world, whose copies all come to the same.
        """
        count = indices.size
        size = 1 << (count - 1).bit_length()
        if size > count:
            fill = size - count
            indices = np.concatenate([indices, np.repeat(indices[-1:], fill)])
            actions = np.concatenate([actions, np.tile(actions[-self.num_agents :], fill)])
        part = self._parts.get(size)
        if part is None:
            part = self._parts[size] = Batch(self._rules, size)
        rows = self._rows(indices)
        part.load(self._all, indices, rows)
        result = part.step(actions, components=components)
        part.store(self._all, indices, rows)
        return result if size == count else result.first(count)

    def _rows(self, indices: IndexArray) -> IndexArray:
        agents = self.num_agents
        if agents == 1:
            return indices
        return (indices[:, None] * agents + np.arange(agents)).ravel()

    def _indices(self, worlds: WorldIndices) -> IndexArray:
        given = np.asarray(worlds)
        if given.ndim != 1 or given.size == 0 or given.dtype.kind not in "iu":
            raise ValueError("worlds is not a sequence of one or more integers")
        indices = given.astype(np.intp, copy=False)
        # As unsigned numbers the negative ones are too large as well.
        if np.count_nonzero(indices.view(np.uintp) >= self.num_worlds):
            raise IndexError(f"worlds is {given.tolist()}; allowed: 0 to {self.num_worlds - 1}")
        if indices.size > 1:
            seen = np.zeros(self.num_worlds, dtype=np.bool_)
            seen[indices] = True
            if np.count_nonzero(seen) != indices.size:
                raise ValueError("worlds names a world twice")
        return indices

    def _actions(self, actions: ArrayLike, num_worlds: int) -> IndexArray:
        given = np.asarray(actions)
        agents = self.num_agents
        if given.shape != (num_worlds, agents) and not (agents == 1 and given.shape == (num_worlds,)):
            allowed = f"({num_worlds},) or ({num_worlds}, 1)" if agents == 1 else f"({num_worlds}, {agents})"
            raise ValueError(f"actions has the shape {given.shape}; allowed: {allowed}")
        if given.dtype.kind not in "iu":
            raise ValueError(f"actions is an array of {given.dtype}; allowed: integers")
        checked = given.astype(np.intp, copy=False).reshape(-1)
        # As unsigned numbers the negative ones are too large as well.
        if any_true(checked.view(np.uintp) > _LAST_ACTION):
            wrong = next(action for action in checked.tolist() if not 0 <= action < len(ACTIONS))
            raise ValueError(f"actions has {wrong}; allowed: 0 to {len(ACTIONS) - 1} ({', '.join(ACTIONS)})")
        return checked


def _over(indices: IndexArray) -> EpisodeOverError:
    which = ", ".join(map(str, indices[:10].tolist())) + (", ..." if indices.size > 10 else "")
    return EpisodeOverError(f"the episode is over in world {which}: reset it before the next step")


def _read_only(view: Array) -> Array:
    view.flags.writeable = False
    return view
