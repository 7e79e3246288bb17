"""When a death became inevitable: until which step the meter that emptied could still have been refilled."""

import heapq
import itertools
from collections.abc import Iterator
from typing import Final

import msgspec

from hamlet_trio.recording.info import LastChance
from hamlet_trio.recording.trajectory import Trajectory, state_after
from hamlet_trio.world import FAILURE_REASONS, METERS, WorldConfig, Worlds, WorldState
from hamlet_trio.world.config import FATAL_METERS, INTERACT, Affordance

_MAX_VISITS: Final = 4000
"""Visits tried for one life, at most: under a second of work. The usual world takes some hundreds."""
_UP, _DOWN, _LEFT, _RIGHT = range(4)


def failed_meter(failure_reason: str) -> str:
    """Return the meter behind a failure reason."""
    return FATAL_METERS[FAILURE_REASONS.index(failure_reason) - 1]


def find_last_chance(trajectory: Trajectory, start: WorldState) -> LastChance | None:
    """Return the last chance of a life of one agent that began at `start` and ended with a failure.

    The search is exhaustive, by this argument. The next state grows with each meter: who has more of
    everything can do the same and has more of everything afterwards. Walking and waiting raise nothing, so a
    plan loses nothing by leaving out detours and pauses: the plans of shortest walks between visits suffice,
    and one that comes to a place no sooner, with no more of any meter, than another can be dropped. If a
    chance is left after a step, there was one before it, so the last step is found by bisection.

    Returns None where nothing is claimed: in a life without a failure, in one that never had a chance, in a
    world to which the argument does not apply, such as one of several agents, and where `_MAX_VISITS` do not
    suffice.
    """
    config = trajectory.config
    if trajectory.failure_reason is None or config.num_agents > 1 or not _is_monotone(config):
        return None
    search = _Search(trajectory.config, failed_meter(trajectory.failure_reason))
    try:
        found = search.plan(start)
        low, high = 0, trajectory.steps
        while found is not None and high - low > 1:
            middle = (low + high) // 2
            plan = search.plan(state_after(trajectory, start, middle))
            if plan is None:
                high = middle
            else:
                low, found = middle, plan
    except _TooManyVisitsError:
        return None
    return None if found is None else LastChance(low, found)


def lonely_since(trajectory: Trajectory) -> int | None:
    """Return since which step loneliness had lowered the mood without a break; None if it had not."""
    social = trajectory.normalised[:, METERS.index("social")]
    company = (social >= trajectory.config.loneliness_below).nonzero()[0]
    first = int(company[-1]) + 1 if company.size else 0
    return first if first <= trajectory.steps else None


def _is_monotone(config: WorldConfig) -> bool:
    """Return whether more of a meter never harms, and walking and waiting never help."""
    idle = (*config.move.in_order(), *config.failed_interact.in_order())
    wages = [
        place.tired_money <= place.effects.money
        for place in config.affordances
        if place.tired_money is not None
    ]
    return max(idle) <= 0 and all(wages)


def _raises(place: Affordance, meter: str) -> bool:
    change = getattr(place.effects, meter)
    return change > 0 or (meter == "money" and (place.tired_money or 0) > 0)


class _TooManyVisitsError(Exception):
    """The budget is used up."""


class _Search:
    """Look for plans in the world itself, stepped by its own rules."""

    def __init__(self, config: WorldConfig, meter: str) -> None:
        # Without the step limit: a life that ends there has not been refilled either.
        self._worlds = Worlds(1, msgspec.structs.replace(config, max_steps=10**9))
        self._places = config.affordances
        self._refills = {index for index, place in enumerate(config.affordances) if _raises(place, meter)}
        self._visits_left = _MAX_VISITS

    def plan(self, state: WorldState) -> tuple[str, ...] | None:
        """Return the places of the quickest plan from a state, or None if there is none."""
        order = itertools.count()
        waiting: list[tuple[int, int, WorldState, tuple[int, ...]]] = [(state.steps, next(order), state, ())]
        reached: dict[int, list[WorldState]] = {}
        while waiting:
            _, _, here, visited = heapq.heappop(waiting)
            for place, there in self._visits(here):
                plan = (*visited, place)
                if place in self._refills:
                    return tuple(self._places[index].name for index in plan)
                known = reached.setdefault(place, [])
                if not any(_is_as_good(other, there) for other in known):
                    known.append(there)
                    heapq.heappush(waiting, (there.steps, next(order), there, plan))
        return None

    def _visits(self, state: WorldState) -> Iterator[tuple[int, WorldState]]:
        """Yield each place that can be used next, those that refill first, and the state after its use."""
        for index in sorted(range(len(self._places)), key=lambda index: index not in self._refills):
            self._visits_left -= 1
            if self._visits_left < 0:
                raise _TooManyVisitsError
            if (there := self._visit(state, index)) is not None:
                yield index, there

    def _visit(self, state: WorldState, index: int) -> WorldState | None:
        """Return the state after a walk to a place and its use; None if it refuses, or the agent ends."""
        worlds, place = self._worlds, self._places[index]
        worlds.set_state(0, state)
        x, y = state.positions[0]
        walk = [_RIGHT if place.x > x else _LEFT] * abs(place.x - x)
        walk += [_DOWN if place.y > y else _UP] * abs(place.y - y)
        for action in walk:
            worlds.step([action])
            if worlds.over[0]:
                return None
        used = worlds.step([INTERACT]).interacted[0, 0]
        return None if worlds.over[0] or used != index else worlds.get_state(0)


def _is_as_good(one: WorldState, other: WorldState) -> bool:
    """Return whether `one`, at the same place, is no later and has no less of any meter."""
    return one.steps <= other.steps and all(
        mine >= theirs for mine, theirs in zip(one.meters[0], other.meters[0], strict=True)
    )
