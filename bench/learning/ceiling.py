"""How long one can survive with the rules known: a simple rule, and a search over options.

Neither learns. They tell how much of what is missing a learner could still gain.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.learning.playing import CAP, Played, summary
from hamlet_trio.world import INTERACT, METERS, Affordance, WorldConfig, Worlds

_BEAM: Final = 24  # plans of one start that are followed at once
_ENOUGH_MONEY: Final = 60.0  # more is worth nothing to a plan
_MONEY: Final = METERS.index("money")
_BEST_PLACE: Final = {
    "energy": "Bed",
    "hygiene": "Shower",
    "satiation": "HomeMeal",
    "money": "Job",
    "mood": "Gym",
    "social": "Bar",
}
_VITAL: Final = [METERS.index(name) for name in ("energy", "hygiene", "satiation", "mood", "social")]


def follow_rule(worlds: Worlds, active: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the next actions of the rule: fill the lowest meter; work first if that cannot be paid."""
    places = {place.name: place for place in worlds.config.affordances}
    lowest = worlds.normalised(active)[:, 0].argmin(axis=1)
    actions = np.empty(active.size, dtype=np.int64)
    for row, world in enumerate(active.tolist()):
        place = places[_BEST_PLACE[METERS[lowest[row]]]]
        if worlds.meters[world, 0, _MONEY] < -place.effects.money:
            place = places["Job"]
        x, y = worlds.positions[world, 0].tolist()
        actions[row] = _next_action(x, y, place)
    return actions


def _next_action(x: int, y: int, place: Affordance) -> int:
    if x != place.x:
        return 3 if x < place.x else 2
    if y != place.y:
        return 1 if y < place.y else 0
    return INTERACT


def search(worlds: Worlds, tell: Callable[[int], None] = lambda steps: None) -> Played:
    """Play the episodes that these worlds are in by a beam search over options with the world's own rules.

    The world is deterministic, so a plan is exact. Of each start the plans with the fullest meters (the
    highest sum of logarithms) are followed; the longest life that any of them leads counts. A wider beam may
    find a longer one. `tell` hears after each round how many steps the shortest plan has, of `CAP`.
    """
    config = worlds.config
    starts = worlds.num_worlds
    plans = _Plans(worlds)
    longest = np.zeros(starts, dtype=np.int64)
    returns = np.zeros(starts)
    while plans.owner.size:
        plans = plans.extended(config)
        ended = plans.over | (plans.steps >= CAP)
        order = np.argsort(plans.steps[ended], kind="stable")
        owners = plans.owner[ended][order]
        better = plans.steps[ended][order] > longest[owners]
        longest[owners[better]] = plans.steps[ended][order][better]
        returns[owners[better]] = plans.returns[ended][order][better]
        plans = plans.chosen(~ended & (longest[plans.owner] < CAP)).best(starts)
        tell(int(plans.steps.min(initial=CAP)))
    return summary(longest, returns)


def _cells(worlds: Worlds) -> NDArray[np.intp]:
    x, y = worlds.positions[:, 0].T
    cells: NDArray[np.intp] = (y * worlds.config.width + x).astype(np.intp)
    return cells


class _Plans:
    """Plans under way, each the state that it has led to; rows of equal owners have the same start."""

    def __init__(self, worlds: Worlds) -> None:
        self.owner = np.arange(worlds.num_worlds)
        self.cell: NDArray[np.intp] = _cells(worlds)
        self.meters = worlds.meters[:, 0].T.copy()
        self.fullness = np.zeros(worlds.num_worlds)
        self.steps = np.zeros(worlds.num_worlds, dtype=np.int64)
        self.returns = np.zeros(worlds.num_worlds)
        self.over = np.zeros(worlds.num_worlds, dtype=np.bool_)

    def chosen(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "_Plans":
        """Return some of the plans."""
        made = object.__new__(_Plans)
        made.owner, made.cell, made.meters = self.owner[rows], self.cell[rows], self.meters[:, rows]
        made.fullness, made.steps, made.returns = self.fullness[rows], self.steps[rows], self.returns[rows]
        made.over = self.over[rows]
        return made

    def best(self, starts: int) -> "_Plans":
        """Return the `_BEAM` plans of each start with the fullest meters."""
        order = np.lexsort((-self.fullness, self.owner))
        first = np.searchsorted(self.owner[order], np.arange(starts))
        rank = np.arange(order.size) - first[self.owner[order]]
        return self.chosen(order[rank < _BEAM])

    def extended(self, config: WorldConfig) -> "_Plans":
        """Return every plan extended by each option."""
        places = config.affordances
        made = self.chosen(np.repeat(np.arange(self.owner.size), len(places)))
        option = np.tile(np.arange(len(places)), self.owner.size)
        target = np.array([(place.x, place.y) for place in places])[option]
        worlds = Worlds(made.owner.size, config)
        worlds._all.place(np.arange(made.owner.size), made.cell, made.meters)
        active = np.arange(made.owner.size)
        while active.size:
            offset = target[active] - worlds.positions[active, 0]
            x, y = offset.T
            actions = np.select([x > 0, x < 0, y > 0, y < 0], [3, 2, 1, 0], INTERACT)
            result = worlds.step(actions[:, None], active)
            made.returns[active] += result.rewards[:, 0]
            made.steps[active] += 1
            is_done = (actions == INTERACT) | worlds.over[active] | (made.steps[active] >= CAP)
            active = active[~is_done]
        made.cell = _cells(worlds)
        made.meters = worlds.meters[:, 0].T.copy()
        levels = worlds.normalised()[:, 0, _VITAL]
        money = np.clip(made.meters[_MONEY] / _ENOUGH_MONEY, 0.01, 1.0)
        made.fullness = np.log(np.maximum(levels, 0.01)).sum(axis=1) + np.log(money)
        made.over = ~worlds.alive[:, 0]
        return made
