"""N worlds of one configuration, stepped as arrays."""

import copy
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hamlet_trio.world import kernel
from hamlet_trio.world.array_batch import ArrayWorldBatch
from hamlet_trio.world.batch import StepResult, WorldBatch, WorldIndices
from hamlet_trio.world.checks import check_count
from hamlet_trio.world.config import METERS, WorldConfig, config_or_usual
from hamlet_trio.world.kernel_batch import KernelWorldBatch
from hamlet_trio.world.rules import FloatArray, IndexArray, Rules
from hamlet_trio.world.state import RandomState, WorldState

_STATE_ARRAYS = ("cell", "meters", "alive", "failure", "steps", "over")
Array = TypeVar("Array", bound=NDArray[np.generic])


class Worlds:
    """N independent worlds with A agents each; a single world is N = 1.

    The attributes below are live, read-only views of the state: they change with the next step or reset, so
    copy what must be kept. A subset of worlds, where a method takes one, is a sequence or array of distinct
    indices, and the arrays that go in and come out have its length n and its order; None means all. Stepping
    a subset gives to the last bit what stepping each of its worlds alone gives. Copies and pickles are whole
    and independent. Not safe to share between threads.

    Attributes:
        config: what every world was made from.
        compiled: whether the compiled kernel steps them, not numpy; they come to the same to the last bit.
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
        self,
        num_worlds: int,
        config: WorldConfig | None = None,
        *,
        seed: int | None = None,
        compiled: bool | None = None,
    ) -> None:
        """Make the worlds, each at the start of an episode.

        World i draws from a generator of its own, which depends on `seed` and i alone; without a seed it is
        unpredictable. Only random starts draw from it. `compiled` chooses between the compiled kernel and
        numpy; None takes the kernel where it is built. Copies and pickles choose anew, as with None.

        Raises:
            TypeError: when `config` is no configuration.
            ValueError: when `num_worlds` is no whole number of 1 or more, or `seed` is negative.
            KernelMissingError: for `compiled=True` where the kernel is not built.
        """
        check_count("num_worlds", num_worlds)
        self.config = config_or_usual(config)
        self.num_worlds = num_worlds
        self.num_agents = self.config.num_agents
        self.observation_size = self.config.observation_size
        self._rules = Rules(self.config)
        self._all = _make_batch(self._rules, num_worlds, compiled)
        self.compiled = isinstance(self._all, KernelWorldBatch)
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

    def __repr__(self) -> str:
        config = self.config
        agents = f"{config.num_agents} agent{'s' if config.num_agents > 1 else ''}"
        how = "kernel" if self.compiled else "numpy"
        return (
            f"<Worlds: {self.num_worlds} of {config.width}x{config.height}, {agents} each, stepped by {how}>"
        )

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
        if seeds is None and not random_start:
            self._all.begin(worlds)
            return
        indices = np.arange(self.num_worlds) if worlds is None else self._all.check_worlds(worlds)
        if seeds is not None:
            if len(seeds) != indices.size:
                raise ValueError(
                    f"seeds has {len(seeds)} entries; allowed: one for each of {indices.size} worlds"
                )
            for index, seed in zip(indices.tolist(), seeds, strict=True):
                self._generators[index] = np.random.Generator(np.random.PCG64(seed))
        if random_start:
            self._all.place(indices, *self._draw_starts(indices))
        else:
            self._all.begin(indices)

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
        return self._all.step(np.asarray(actions), worlds, components=bool(components))

    def observe(
        self, worlds: WorldIndices | None = None, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return what the agents of the given worlds see, (n, A, observation_size) float32.

        Written into `out` when it is given: a C-contiguous array of that shape and type.

        Raises:
            IndexError, ValueError: for an index out of range or twice; for an `out` that does not fit.
        """
        return self._all.observe(worlds, out)

    def normalised(self, worlds: WorldIndices | None = None) -> FloatArray:
        """Return a copy of the meters as (value - minimum) / (maximum - minimum), (n, A, 6) float64."""
        if worlds is None:
            return self._normalised.copy()
        return self._normalised[self._all.check_worlds(worlds)]

    def get_state(self, world: int) -> WorldState:
        """Return everything that changes in one world."""
        (index,) = self._all.check_worlds([world]).tolist()
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
        indices = self._all.check_worlds([world])
        state.check(self.config)
        width = self.config.width
        meters = np.array(state.meters, dtype=np.float64).T
        generator = state.random.generator()
        rows = self._all.rows_of(indices)
        cell = np.array([y * width + x for x, y in state.positions], dtype=np.intp)
        self._all.place(indices, cell, meters)
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
        arrays, generators = state
        self._generators = copy.deepcopy(generators)  # `copy.copy` hands over the ones of the original
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


def _make_batch(rules: Rules, num_worlds: int, compiled: bool | None) -> WorldBatch:
    found = None if compiled is False else kernel.load()
    if found is not None:
        return KernelWorldBatch(found, rules, num_worlds)
    if compiled:
        raise kernel.KernelMissingError("the world's kernel is not compiled here: " + kernel.REMEDY)
    return ArrayWorldBatch(rules, num_worlds)


def _read_only(view: Array) -> Array:
    view.flags.writeable = False
    return view
