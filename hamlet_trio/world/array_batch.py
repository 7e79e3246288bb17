"""Worlds stepped by numpy, where the kernel has not been compiled.

Meters are the first axis in memory (structure of arrays), so that a step of many worlds runs along it.
"""

import numpy as np
from numpy.typing import NDArray

from hamlet_trio.world.batch import RewardComponents, StepResult, WorldBatch, WorldIndices
from hamlet_trio.world.config import ACTIONS, METERS
from hamlet_trio.world.observation import Observer
from hamlet_trio.world.reward import Terms, make_reward
from hamlet_trio.world.rules import FAILED, BoolArray, FloatArray, IndexArray, Rules, any_true

_ENERGY, _HYGIENE = METERS.index("energy"), METERS.index("hygiene")
_MONEY, _MOOD, _SOCIAL = METERS.index("money"), METERS.index("mood"), METERS.index("social")


class ArrayWorldBatch(WorldBatch):
    """A WorldBatch stepped by numpy operations on all rows at once, in preallocated buffers."""

    def __init__(self, rules: Rules, num_worlds: int) -> None:
        super().__init__(rules, num_worlds)
        self._shape = (num_worlds, self._num_agents)
        self._parts: dict[int, ArrayWorldBatch] = {}
        self._observer = Observer(rules)
        rows = self._rows
        self._reward = make_reward(rules, rows)
        self._key: IndexArray = np.empty(rows, dtype=np.intp)
        self._kind: IndexArray = np.empty(rows, dtype=np.intp)
        self._change = np.empty((len(METERS), rows))
        self._flags = np.empty(rows, dtype=np.bool_)
        self._meter_flags = np.empty((len(METERS), rows), dtype=np.bool_)
        self._world_flags = np.empty(num_worlds, dtype=np.bool_)
        # Operands of full size, because operations on contiguous arrays of one shape are the quickest, and
        # numbers as arrays, because a Python number costs a conversion at each use: it shows at one world.
        self._minimum, self._maximum, self._span, self._drain, self._fatal_minimum = (
            np.repeat(column, rows, axis=1)
            for column in (rules.minimum, rules.maximum, rules.span, rules.drain, rules.fatal_minimum)
        )
        self._one = np.ones(1, dtype=np.int64)
        self._max_steps = np.array([rules.config.max_steps], dtype=np.int64)
        self._num_actions = np.array([len(ACTIONS)], dtype=np.intp)
        self._failed = np.array([FAILED], dtype=np.intp)
        self._lonely_below = np.array([rules.config.loneliness_below])
        self._lonely_mood = np.array([rules.loneliness_mood])
        self._zero = np.zeros(1)
        # Rows of the arrays above; to take them out anew for each step shows at one world, too.
        self._social = self.normalised[_SOCIAL]
        self._mood = tuple(
            array[_MOOD] for array in (self.meters, self.normalised, self._minimum, self._span)
        )

    def step(
        self, actions: NDArray[np.generic], worlds: WorldIndices | None, *, components: bool
    ) -> StepResult:
        checked, indices = self.check_step(actions, worlds)
        if indices is None:
            return self._step(checked, components=components)
        return self._step_part(checked, indices, components=components)

    def begin(self, worlds: WorldIndices | None) -> None:
        indices = np.arange(self._num_worlds) if worlds is None else self.check_worlds(worlds)
        self.place(indices, np.tile(self._rules.start_cells, indices.size), self._rules.start_meters)

    def observe(self, worlds: WorldIndices | None, out: NDArray[np.float32] | None) -> NDArray[np.float32]:
        indices = None if worlds is None else self.check_worlds(worlds)
        out = self.check_out(out, self._num_worlds if indices is None else indices.size)
        rows = None if indices is None else self.rows_of(indices)
        self._observer.write(self, rows, out.reshape(-1, out.shape[2]))
        return out

    def _step_part(self, actions: IndexArray, indices: IndexArray, *, components: bool) -> StepResult:
        """Step a subset in work space of its own, kept for each power of two.

        A subset of another size is filled up with its last world, whose copies all come to the same.
        """
        count = indices.size
        size = 1 << (count - 1).bit_length()
        if size > count:
            fill = size - count
            indices = np.concatenate([indices, np.repeat(indices[-1:], fill)])
            actions = np.concatenate([actions, np.tile(actions[-self._num_agents :], fill)])
        part = self._parts.get(size)
        if part is None:
            part = self._parts[size] = ArrayWorldBatch(self._rules, size)
        rows = self.rows_of(indices)
        part._load(self, indices, rows)
        result = part._step(actions, components=components)
        part._store(self, indices, rows)
        return result if size == count else _first(result, count)

    def _load(self, source: WorldBatch, worlds: IndexArray, rows: IndexArray) -> None:
        """Take over the state of `worlds` of `source`, whose rows are `rows`."""
        source.cell.take(rows, None, self.cell, "clip")
        source.meters.take(rows, 1, self.meters, "clip")
        source.normalised.take(rows, 1, self.normalised, "clip")
        source.alive.take(rows, None, self.alive, "clip")
        source.failure.take(rows, None, self.failure, "clip")
        source.steps.take(worlds, None, self.steps, "clip")
        source.over.take(worlds, None, self.over, "clip")

    def _store(self, target: WorldBatch, worlds: IndexArray, rows: IndexArray) -> None:
        """Hand the state back to where `_load` took it from."""
        target.cell[rows] = self.cell
        target.positions[rows] = self.positions
        target.meters[:, rows] = self.meters
        target.normalised[:, rows] = self.normalised
        target.alive[rows] = self.alive
        target.failure[rows] = self.failure
        target.steps[worlds] = self.steps
        target.over[worlds] = self.over

    def _step(self, actions: IndexArray, *, components: bool) -> StepResult:
        """Step every world; `actions` (R,) intp. Branches skip work that would change nothing."""
        rules = self._rules
        cell, meters = self.cell, self.meters
        # Those who ended before this step; what the step does to their rows is undone.
        aside: IndexArray | None = None
        if self._num_agents > 1 and np.count_nonzero(self.alive) < self._rows:
            aside = np.flatnonzero(~self.alive)
            held = cell[aside], meters[:, aside], self.normalised[:, aside]

        np.multiply(cell, self._num_actions, out=self._key)
        np.add(self._key, actions, out=self._key)
        kind = rules.kind.take(self._key, None, self._kind, "clip")
        interaction: FloatArray | None = None
        np.greater(kind, self._failed, out=self._flags)
        if any_true(self._flags):
            self._settle_uses(kind)
            interaction = self._reward.interaction(kind, self.normalised)
        rules.next_cell.take(self._key, None, cell, "clip")
        rules.cell_xy.take(cell, 0, self.positions, "clip")
        np.add(meters, rules.effects.take(kind, 1, self._change, "clip"), out=meters)
        np.maximum(meters, self._minimum, out=meters)
        np.minimum(meters, self._maximum, out=meters)

        np.subtract(meters, self._drain, out=meters)
        np.maximum(meters, self._minimum, out=meters)
        np.subtract(meters, self._minimum, out=self.normalised)
        np.divide(self.normalised, self._span, out=self.normalised)
        self._feel_lonely()
        if aside is not None:
            cell[aside], meters[:, aside], self.normalised[:, aside] = held
            self.positions[aside] = rules.cell_xy[cell[aside]]

        terms = self._reward.outcome(self.normalised, cell)
        interacted = rules.affordance.take(kind)
        rewards = terms.meters.copy() if components else terms.meters
        for term in (interaction, terms.proximity, terms.hunger):
            if term is not None:
                rewards += term
        terminated = self._end(rewards)
        if aside is not None:
            rewards[aside] = 0.0
            interacted[aside] = -1
        truncated = self._count_step()
        parts = self._components(terms, interaction, terminated, aside) if components else None
        shape = self._shape
        return StepResult(rewards.reshape(shape), terminated, truncated, interacted.reshape(shape), parts)

    def _settle_uses(self, kind: IndexArray) -> None:
        """Turn uses that are refused or come too late into FAILED, those of the tired into their own kind."""
        rules = self._rules
        np.less(self.meters[_MONEY], rules.price.take(kind), out=self._flags)
        kind[self._flags] = FAILED
        if rules.config.contention and self._num_agents > 1:
            self._settle_contention(kind)
        if rules.has_tired:
            below = rules.config.tired_below
            tired = np.less(self.normalised[_ENERGY], below)
            tired |= np.less(self.normalised[_HYGIENE], below)
            kind[tired] = rules.tired_kind[kind[tired]]

    def _settle_contention(self, kind: IndexArray) -> None:
        by_world = kind.reshape(self._shape)
        living = self.alive.reshape(self._shape)
        for agent in range(1, self._num_agents):
            mine = by_world[:, agent, None]
            taken = ((by_world[:, :agent] == mine) & living[:, :agent]).any(axis=1)
            by_world[taken & (mine[:, 0] > FAILED), agent] = FAILED

    def _feel_lonely(self) -> None:
        """Lower the mood of those with little company, from normalised social as it is now."""
        social = self._social
        np.less(social, self._lonely_below, out=self._flags)
        if not any_true(self._flags):
            return
        loss = np.subtract(self._lonely_below, social)
        np.maximum(loss, self._zero, out=loss)
        np.multiply(loss, self._lonely_mood, out=loss)
        np.divide(loss, self._lonely_below, out=loss)
        mood, normal_mood, minimum, span = self._mood
        np.subtract(mood, loss, out=mood)
        np.maximum(mood, minimum, out=mood)
        np.subtract(mood, minimum, out=normal_mood)
        np.divide(normal_mood, span, out=normal_mood)

    def _end(self, rewards: FloatArray) -> BoolArray:
        """Return who ends at this step, (num_worlds, A); note why and subtract the penalty from `rewards`."""
        empty = np.less_equal(self.meters, self._fatal_minimum, out=self._meter_flags)
        if not any_true(empty):
            return np.zeros(self._shape, dtype=np.bool_)
        terminated = empty.any(axis=0) & self.alive
        # The first reason in the order of the checks stands, so it is written last.
        for code in range(len(self._rules.fatal_rows), 0, -1):
            self.failure[terminated & empty[self._rules.fatal_rows[code - 1]]] = code
        rewards[terminated] -= self._rules.config.end_penalty
        self.alive[terminated] = False
        np.logical_not(self.alive.reshape(self._shape).any(axis=1), out=self.over)
        return terminated.reshape(self._shape)

    def _count_step(self) -> BoolArray:
        """Count the step in every world; who is truncated by it, (num_worlds, A)."""
        np.add(self.steps, self._one, out=self.steps)
        np.greater_equal(self.steps, self._max_steps, out=self._world_flags)
        if not any_true(self._world_flags):
            return np.zeros(self._shape, dtype=np.bool_)
        np.logical_or(self.over, self._world_flags, out=self.over)
        return self._world_flags[:, None] & self.alive.reshape(self._shape)

    def _components(
        self, terms: Terms, interaction: FloatArray | None, terminated: BoolArray, aside: IndexArray | None
    ) -> RewardComponents:
        ending = np.where(terminated.reshape(-1), -self._rules.config.end_penalty, 0.0)
        parts = []
        for term in (terms.meters, interaction, terms.proximity, terms.hunger, ending):
            part = np.zeros(self._rows) if term is None else term
            if aside is not None:
                part[aside] = 0.0
            parts.append(part.reshape(self._shape))
        return RewardComponents(*parts)


def _first(result: StepResult, count: int) -> StepResult:
    """Return the first `count` worlds of a result."""
    parts = result.components
    return StepResult(
        result.rewards[:count],
        result.terminated[:count],
        result.truncated[:count],
        result.interacted[:count],
        None if parts is None else RewardComponents(*(part[:count] for part in parts)),
    )
