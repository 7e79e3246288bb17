"""Worlds stepped by the compiled kernel: the same to the last bit as numpy's, in a fraction of the time."""

import ctypes
from functools import partial
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from hamlet_trio.world.batch import RewardComponents, StepResult, WorldBatch, WorldIndices
from hamlet_trio.world.config import METERS
from hamlet_trio.world.kernel import DONE, Kernel, Layout, reference
from hamlet_trio.world.observation import Observer
from hamlet_trio.world.reward_tables import CRITICAL_ORDER, shaped_tables, survival_tables
from hamlet_trio.world.rules import Rules

# NamedTuple's own constructor takes as long as a whole step of one world does in C.
_make_result = partial(tuple.__new__, StepResult)
_make_components = partial(tuple.__new__, RewardComponents)


class KernelWorldBatch(WorldBatch):
    """Step a `WorldBatch` with the kernel, on these very arrays, all worlds or a subset."""

    def __init__(self, kernel: Kernel, rules: Rules, num_worlds: int) -> None:
        super().__init__(rules, num_worlds)
        shape = (num_worlds, self._num_agents)
        self._chosen = np.zeros(num_worlds, dtype=np.int64)
        self._actions = np.zeros(shape, dtype=np.int64)
        self._rewards = np.zeros(shape)
        self._terminated, self._truncated = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
        self._interacted = np.zeros(shape, dtype=np.int8)
        self._components = np.zeros((len(RewardComponents._fields), *shape))
        self._all_actions: dict[tuple[int, ...], NDArray[np.int64]] = {shape: self._actions}
        if self._num_agents == 1:
            self._all_actions[(num_worlds,)] = self._actions[:, 0]

        # Kept, because the struct has but the addresses of the arrays among them.
        self._values = _rule_values(rules) | _reward_values(rules) | _sight_values(rules) | self._own_values()
        self._struct = ctypes.byref(Layout.of(self._values))
        self._kernel = kernel

    def step(
        self, actions: NDArray[np.generic], worlds: WorldIndices | None, *, components: bool
    ) -> StepResult:
        if worlds is None:
            count, some = self._num_worlds, False
            target = self._all_actions.get(actions.shape)
        else:
            count, some = self._choose(worlds), True
            target = self._some_actions(actions.shape, count)
        if target is None or actions.dtype.kind not in "iu":
            self._refuse(actions, worlds)
        target[...] = actions
        if self._kernel.step(self._struct, count, some, components) != DONE:
            self._refuse(actions, worlds)
        if some:
            return self._some_results(count, components=components)
        parts = _make_components(self._components.copy()) if components else None
        return _make_result(
            (
                self._rewards.copy(),
                self._terminated.copy(),
                self._truncated.copy(),
                self._interacted.copy(),
                parts,
            )
        )

    def begin(self, worlds: WorldIndices | None) -> None:
        count = self._num_worlds if worlds is None else self._choose(worlds)
        if self._kernel.begin(self._struct, count, worlds is not None) != DONE:
            self._refuse_worlds(worlds)

    def observe(self, worlds: WorldIndices | None, out: NDArray[np.float32] | None) -> NDArray[np.float32]:
        count = self._num_worlds if worlds is None else self._choose(worlds)
        out = self.check_out(out, count)
        if self._kernel.observe(self._struct, count, worlds is not None, reference(out)) != DONE:
            self._refuse_worlds(worlds)
        return out

    def _choose(self, worlds: WorldIndices) -> int:
        """Hand the indices to the kernel, which checks their range; how many they are."""
        given = np.asarray(worlds)
        count = given.size
        if given.ndim != 1 or not 0 < count <= self._num_worlds or given.dtype.kind not in "iu":
            self._refuse_worlds(worlds)
        self._chosen[:count] = given
        return count

    def _some_actions(self, shape: tuple[int, ...], count: int) -> NDArray[np.int64] | None:
        """Return the address of the actions of `count` chosen worlds; None when they have another shape."""
        if shape == (count, self._num_agents):
            return self._actions[:count]
        return self._actions[:count, 0] if self._num_agents == 1 and shape == (count,) else None

    def _some_results(self, count: int, *, components: bool) -> StepResult:
        parts = _make_components(self._components[:, :count].copy()) if components else None
        return _make_result(
            (
                self._rewards[:count].copy(),
                self._terminated[:count].copy(),
                self._truncated[:count].copy(),
                self._interacted[:count].copy(),
                parts,
            )
        )

    def _refuse(self, actions: NDArray[np.generic], worlds: WorldIndices | None) -> NoReturn:
        """Say what is wrong with a step that the kernel, or a quick look, has refused."""
        self.check_step(actions, worlds)
        raise AssertionError("a step was refused that is allowed")

    def _refuse_worlds(self, worlds: WorldIndices | None) -> NoReturn:
        assert worlds is not None
        self.check_worlds(worlds)
        raise AssertionError("worlds were refused that are allowed")

    def _own_values(self) -> dict[str, Any]:
        """Return the fields for the state, the inputs and the outputs."""
        state = ("cell", "positions", "meters", "normalised", "alive", "failure", "steps", "over")
        values = {name: getattr(self, name) for name in state}
        values |= {"chosen": self._chosen, "actions": self._actions}
        values["marked"] = np.zeros(self._num_worlds, dtype=np.uint8)
        values |= {"rewards": self._rewards, "terminated": self._terminated, "truncated": self._truncated}
        values |= {"interacted": self._interacted, "components": self._components}
        return {"num_worlds": self._num_worlds, "num_agents": self._num_agents, **values}


def _rule_values(rules: Rules) -> dict[str, Any]:
    config = rules.config
    columns = ("minimum", "maximum", "span", "drain", "fatal_minimum")
    return {
        "num_cells": config.width * config.height,
        "max_steps": config.max_steps,
        "contention": config.contention and config.num_agents > 1,
        "has_tired": rules.has_tired,
        "fatal_rows": np.array(rules.fatal_rows),
        **{name: getattr(rules, name) for name in columns},
        "tired_below": config.tired_below,
        "lonely_below": config.loneliness_below,
        "lonely_mood": rules.loneliness_mood,
        "end_penalty": config.end_penalty,
        "effects": np.ascontiguousarray(rules.effects.T),
        "start_meters": rules.start_meters.ravel(),
        **{name: getattr(rules, name) for name in ("next_cell", "kind", "price", "tired_kind", "affordance")},
        **{name: getattr(rules, name) for name in ("cell_xy", "start_cells")},
    }


def _reward_values(rules: Rules) -> dict[str, Any]:
    cells, order = rules.config.width * rules.config.height, np.array(CRITICAL_ORDER)
    if rules.config.reward == "shaped":
        shaped = shaped_tables(rules)
        return {
            "shaped": True,
            "critical_order": order,
            "above": shaped.bands.above,
            "bands": shaped.bands.sums,
            "per_step": 0.0,
            "need_scale": shaped.need_scale,
            "gain": np.ascontiguousarray(shaped.gain.T),
            "critical_below": shaped.critical_below,
            "nearness": shaped.nearness,
            "hunger_below": shaped.hunger_below,
            "hunger": shaped.hunger,
        }
    survival = survival_tables(rules)
    nothing = np.zeros(len(METERS))
    return {
        "shaped": False,
        "critical_order": order,
        "above": np.vstack([survival.bands.above, nothing]),
        "bands": survival.bands.sums,
        "per_step": survival.per_step,
        "need_scale": nothing,
        "gain": np.zeros((rules.effects.shape[1], len(METERS))),
        "critical_below": nothing,
        "nearness": np.zeros((len(METERS), cells)),
        "hunger_below": 0.0,
        "hunger": np.zeros(cells),
    }


def _sight_values(rules: Rules) -> dict[str, Any]:
    observer = Observer(rules)
    return {"seen_xy": observer.cell_xy, "seen_grid": observer.grid}
