"""The last chance of a life that failed, against all that could have been done instead."""

import itertools

import pytest
from msgspec.structs import replace

from hamlet_trio.recording import last_chance
from hamlet_trio.recording.last_chance import failed_meter, find_last_chance, lonely_since
from hamlet_trio.recording.trajectory import Trajectory, play, state_after
from hamlet_trio.world import Affordance, Effects, Meter, WorldConfig, Worlds, WorldState
from tests.recording.support import random_actions, start_of

LONGEST = 7
"""All sequences of so many actions are tried: more steps than a small world's meters last."""


def small_world() -> WorldConfig:
    """A world of 3 x 3 cells in which nobody lasts more than a few steps without help."""
    drains = {"energy": 14.0, "hygiene": 9.0, "satiation": 17.0, "money": 0.0, "mood": 7.0, "social": 11.0}
    return WorldConfig(
        width=3,
        height=3,
        start=(1, 1),
        meters=tuple(
            Meter(
                name, drain, start=0.0 if name == "money" else 60.0, minimum=-50.0 if name == "money" else 0.0
            )
            for name, drain in drains.items()
        ),
        affordances=(
            Affordance("Bed", 0, 0, 1, Effects(energy=40, money=-5)),
            Affordance("Shower", 2, 0, 2, Effects(hygiene=40, energy=-3)),
            Affordance("HomeMeal", 0, 2, 3, Effects(satiation=45, money=-10)),
            Affordance("Job", 2, 2, 5, Effects(money=20, energy=-8, mood=-6), tired_money=8),
            Affordance("Bar", 1, 0, 7, Effects(social=50, mood=20, money=-8)),
        ),
        meals=("HomeMeal",),
    )


def can_refill(config: WorldConfig, state: WorldState, meter: str) -> bool:
    """Whether some sequence of actions ends with the use of a place that refills the meter, alive."""
    refills = {index for index, place in enumerate(config.affordances) if getattr(place.effects, meter) > 0}
    worlds = Worlds(1, config)
    states = [state]
    for _ in range(LONGEST):
        following = {}
        for before, action in itertools.product(states, range(5)):
            worlds.set_state(0, before)
            used = worlds.step([action]).interacted[0, 0]
            if worlds.over[0]:
                continue
            if used in refills:
                return True
            after = worlds.get_state(0)
            following[after.positions, after.meters] = after
        states = list(following.values())
    assert not states, "somebody lasts longer than the search looks ahead"
    return False


def life(config: WorldConfig, seed: int, start_seed: int | None = None) -> tuple[Trajectory, WorldState]:
    """A life of random actions."""
    start = start_of(config, seed=start_seed)
    return play(config, start, random_actions(config, start, seed)), start


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_last_step_from_which_any_actions_could_help(seed: int) -> None:
    config = small_world()
    trajectory, start = life(config, seed)
    assert trajectory.failure_reason is not None
    meter = failed_meter(trajectory.failure_reason)
    possible = [
        can_refill(config, state_after(trajectory, start, step), meter) for step in range(trajectory.steps)
    ]
    found = find_last_chance(trajectory, start)
    if not any(possible):
        assert found is None
    else:
        assert found is not None
        assert found.step == max(step for step, can in enumerate(possible) if can)


@pytest.mark.parametrize("seed", range(8))
def test_its_plan_can_be_carried_out_and_none_could_a_step_later(seed: int) -> None:
    config = WorldConfig()
    trajectory, start = life(config, seed, start_seed=seed)
    assert trajectory.failure_reason is not None
    found = find_last_chance(trajectory, start)
    assert found is not None
    worlds = Worlds(1, config)
    worlds.set_state(0, state_after(trajectory, start, found.step))
    places = {place.name: place for place in config.affordances}
    for name in found.places:
        place = places[name]
        x, y = worlds.positions[0, 0].tolist()
        walk = [3 if place.x > x else 2] * abs(place.x - x) + [1 if place.y > y else 0] * abs(place.y - y)
        for action in (*walk, 4):
            result = worlds.step([action])
        assert config.affordances[int(result.interacted[0, 0])] == place
    assert not worlds.over[0]
    assert getattr(place.effects, failed_meter(trajectory.failure_reason)) > 0


def test_without_money_the_job_comes_first() -> None:
    config = WorldConfig(
        meters=tuple(
            replace(meter, start=0.0) if meter.name == "money" else meter for meter in WorldConfig().meters
        )
    )
    start = start_of(config)
    trajectory = play(config, start, random_actions(config, start, 1))
    found = find_last_chance(trajectory, start)
    assert found is not None
    assert found.places[0] == "Job"


def test_a_life_to_the_step_limit_has_none() -> None:
    config = WorldConfig(max_steps=5)
    start = start_of(config)
    assert find_last_chance(play(config, start, [0] * 5), start) is None


def test_nothing_is_claimed_where_walking_helps() -> None:
    config = replace(small_world(), move=Effects(energy=1.0))
    trajectory, start = life(config, 0)
    assert trajectory.failure_reason is not None
    assert find_last_chance(trajectory, start) is None


def test_nothing_is_claimed_where_the_search_would_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    trajectory, start = life(WorldConfig(), 0)
    assert find_last_chance(trajectory, start) is not None
    monkeypatch.setattr(last_chance, "_MAX_VISITS", 5)
    assert find_last_chance(trajectory, start) is None


def test_loneliness_is_counted_from_its_last_beginning() -> None:
    trajectory, _ = life(WorldConfig(), 2)
    since = lonely_since(trajectory)
    assert since is not None
    social = trajectory.normalised[:, 5]
    assert (social[since:] < 0.3).all()
    assert social[since - 1] >= 0.3
    assert lonely_since(play(WorldConfig(), start_of(WorldConfig()), [0] * 3)) is None
