"""Arrays against the scalar reference, and single rules in plain numbers."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hamlet_trio.world import (
    ACTIONS,
    FAILURE_REASONS,
    METERS,
    Affordance,
    Effects,
    Meter,
    WorldConfig,
    Worlds,
)
from tests.world.lockstep import compare_outcomes, compare_state, references_of
from tests.world.strategies import configs

pytestmark = pytest.mark.usefixtures("each_way")

UP, DOWN, LEFT, RIGHT, INTERACT = range(len(ACTIONS))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(config=configs(), seed=st.integers(0, 2**32 - 1), num_worlds=st.integers(1, 5), data=st.data())
def test_arrays_agree_with_the_reference_on_any_world(
    config: WorldConfig, seed: int, num_worlds: int, data: st.DataObject
) -> None:
    worlds = Worlds(num_worlds, config, seed=seed)
    if data.draw(st.booleans(), label="random start"):
        worlds.reset(random_start=True)
    references = references_of(worlds)
    generator = np.random.default_rng(seed)
    # Interacting is what has rules; half of the actions do.
    weights = [0.125, 0.125, 0.125, 0.125, 0.5]
    for _ in range(40):
        going = np.flatnonzero(~worlds.over)
        if going.size == 0:
            break
        some = generator.permutation(going)[: generator.integers(1, going.size + 1)]
        actions = generator.choice(5, size=(some.size, config.num_agents), p=weights)
        whole = some.size == num_worlds and generator.random() < 0.5
        if whole:
            some = np.arange(num_worlds)
        result = worlds.step(actions, None if whole else some, components=True)
        for row, index in enumerate(some.tolist()):
            expected = references[index].step(actions[row].tolist())
            compare_outcomes(config, result, row, expected)
        for index, reference in enumerate(references):
            compare_state(worlds, index, reference)


def test_arrays_agree_with_the_reference_over_long_random_play() -> None:
    """The default world, long enough to come through every band, with episodes restarted as they end."""
    worlds = Worlds(32, seed=3)
    references = references_of(worlds)
    generator = np.random.default_rng(11)
    reasons = set()
    for _ in range(400):
        actions = generator.integers(5, size=32)
        result = worlds.step(actions, components=True)
        for index, reference in enumerate(references):
            compare_outcomes(worlds.config, result, index, reference.step([int(actions[index])]))
            compare_state(worlds, index, reference)
        ended = np.flatnonzero(worlds.over)
        if ended.size:
            reasons.update(worlds.failure[ended, 0].tolist())
            worlds.reset(ended, random_start=True)
            fresh = references_of(worlds)
            for index in ended.tolist():
                references[index] = fresh[index]
    assert len(reasons) >= 3


def one_world(**changes: object) -> Worlds:
    return Worlds(1, replace(WorldConfig(), **changes))


def meters_of(worlds: Worlds, agent: int = 0) -> dict[str, float]:
    return dict(zip(METERS, worlds.meters[0, agent].tolist(), strict=True))


def start_with(**starts: float) -> tuple[Meter, ...]:
    return tuple(replace(meter, start=starts.get(meter.name, meter.start)) for meter in WorldConfig().meters)


def test_a_move_into_the_border_stays_and_costs() -> None:
    worlds = one_world(start=(0, 0))
    worlds.step([UP])
    assert worlds.positions[0, 0].tolist() == [0, 0]
    assert meters_of(worlds)["energy"] == 99.0


@pytest.mark.parametrize(
    ("action", "cell"), [(UP, [4, 3]), (DOWN, [4, 5]), (LEFT, [3, 4]), (RIGHT, [5, 4]), (INTERACT, [4, 4])]
)
def test_where_each_action_leads(action: int, cell: list[int]) -> None:
    worlds = one_world()
    worlds.step([action])
    assert worlds.positions[0, 0].tolist() == cell


def test_the_bar_is_refused_to_those_who_cannot_pay() -> None:
    refused = one_world(start=(7, 0), meters=start_with(money=14.9))
    assert refused.step([INTERACT]).interacted[0, 0] == -1
    assert meters_of(refused)["money"] == 14.9
    assert meters_of(refused)["energy"] == 98.5
    served = one_world(start=(7, 0), meters=start_with(money=15))
    names = [affordance.name for affordance in served.config.affordances]
    assert names[served.step([INTERACT]).interacted[0, 0]] == "Bar"
    assert meters_of(served)["money"] == 0.0


@pytest.mark.parametrize(
    ("energy", "hygiene", "pay"), [(100.0, 100.0, 30), (39.9, 100.0, 15), (100.0, 39.9, 15), (40.0, 40.0, 30)]
)
def test_the_job_pays_the_tired_half(energy: float, hygiene: float, pay: int) -> None:
    worlds = one_world(start=(6, 6), meters=start_with(energy=energy, hygiene=hygiene))
    worlds.step([INTERACT])
    assert meters_of(worlds)["money"] == 50 + pay


def test_every_change_is_clamped_as_it_is_applied() -> None:
    """A full meter gains nothing and then drains: not 100 + 50 - 0.5, clamped."""
    worlds = one_world(start=(1, 1))
    worlds.step([INTERACT])
    assert meters_of(worlds)["energy"] == 99.5


def test_loneliness_lowers_the_mood() -> None:
    worlds = one_world(meters=start_with(social=15.6))
    worlds.step([INTERACT])
    assert meters_of(worlds)["mood"] == pytest.approx(100 - 0.1 - 2.5, abs=1e-12)


@pytest.mark.parametrize(
    ("meter", "reason"),
    [
        ("energy", "energy_depleted"),
        ("hygiene", "hygiene_depleted"),
        ("satiation", "satiation_depleted"),
        ("mood", "mood_depleted"),
    ],
)
def test_an_empty_meter_ends_the_episode(meter: str, reason: str) -> None:
    worlds = one_world(meters=start_with(**{meter: 0.05}))
    result = worlds.step([UP], components=True)
    assert result.terminated.all()
    assert not result.truncated.any()
    assert FAILURE_REASONS[int(worlds.failure[0, 0])] == reason
    assert worlds.over.all()
    assert result.components is not None
    assert result.components.ending[0, 0] == -100.0


def test_the_first_of_several_reasons_is_kept() -> None:
    worlds = one_world(meters=start_with(mood=0.05, satiation=0.05))
    worlds.step([UP])
    assert FAILURE_REASONS[int(worlds.failure[0, 0])] == "satiation_depleted"


def test_an_empty_social_meter_does_not_end_the_episode() -> None:
    worlds = one_world(meters=start_with(social=0.1))
    assert not worlds.step([UP]).terminated.any()


def test_bankruptcy_in_a_world_where_money_drains() -> None:
    meters = tuple(
        replace(meter, drain=80.0) if meter.name == "money" else meter for meter in WorldConfig().meters
    )
    worlds = one_world(meters=meters)
    worlds.step([UP])
    worlds.step([UP])
    assert FAILURE_REASONS[int(worlds.failure[0, 0])] == "bankrupt"


def test_truncation_is_not_termination() -> None:
    worlds = one_world(max_steps=3)
    for _ in range(2):
        result = worlds.step([UP])
        assert not result.truncated.any()
    result = worlds.step([UP])
    assert result.truncated.all()
    assert not result.terminated.any()
    assert worlds.over.all()
    assert worlds.alive.all()
    assert worlds.failure[0, 0] == 0


def test_an_end_at_the_last_step_is_a_termination_alone() -> None:
    worlds = one_world(max_steps=1, meters=start_with(energy=0.5))
    result = worlds.step([UP])
    assert result.terminated.all()
    assert not result.truncated.any()


def test_ties_for_the_critical_meter_go_to_social_before_mood() -> None:
    """Social and mood at 40: the Bar counts, not the Gym. From the Bar's cell it is at distance 0."""
    still = Effects()
    meters = tuple(replace(meter, drain=0.0) for meter in start_with(social=40, mood=40))
    worlds = one_world(start=(7, 0), meters=meters, move=still)
    result = worlds.step([UP], components=True)
    assert result.components is not None
    assert result.components.proximity[0, 0] == pytest.approx(0.6 * 0.5)


def test_the_survival_reward() -> None:
    meters = tuple(replace(meter, drain=0.0) for meter in start_with(energy=50, hygiene=20, satiation=19.9))
    worlds = one_world(reward="survival", meters=meters, move=Effects())
    assert worlds.step([UP]).rewards[0, 0] == 1 - 0.5 - 2


@pytest.mark.parametrize(
    ("agents", "start", "cells"),
    [
        (5, (4, 4), [(4, 4), (5, 4), (5, 5), (4, 5), (3, 5)]),
        (9, (4, 4), [(4, 4), (5, 4), (5, 5), (4, 5), (3, 5), (3, 4), (3, 3), (4, 3), (5, 3)]),
        (4, (7, 0), [(7, 0), (7, 1), (6, 1), (6, 0)]),
    ],
)
def test_agents_start_along_a_spiral(
    agents: int, start: tuple[int, int], cells: list[tuple[int, int]]
) -> None:
    worlds = one_world(num_agents=agents, start=start)
    assert [tuple(cell) for cell in worlds.positions[0].tolist()] == cells


def test_a_world_may_hold_an_agent_for_each_cell() -> None:
    worlds = one_world(num_agents=64)
    assert len({tuple(cell) for cell in worlds.positions[0].tolist()}) == 64


def gathered_at_the_bed(*, contention: bool) -> Worlds:
    """Three agents on the Bed's cell; agent_0 cannot pay for it."""
    worlds = one_world(num_agents=3, contention=contention)
    state = worlds.get_state(0)
    rich, poor = (50.0, 80.0, 80.0, 50.0, 80.0, 50.0), (50.0, 80.0, 80.0, 1.0, 80.0, 50.0)
    worlds.set_state(0, replace(state, positions=((1, 1),) * 3, meters=(poor, rich, rich)))
    return worlds


def test_contention_serves_the_first_who_can_be_served() -> None:
    worlds = gathered_at_the_bed(contention=True)
    result = worlds.step([[INTERACT] * 3])
    assert result.interacted[0].tolist() == [-1, 0, -1]
    assert worlds.meters[0, :, 0].tolist() == [48.5, 99.5, 48.5]


def test_without_contention_everyone_is_served() -> None:
    worlds = gathered_at_the_bed(contention=False)
    assert worlds.step([[INTERACT] * 3]).interacted[0].tolist() == [-1, 0, 0]


def test_an_agent_that_ended_takes_no_part() -> None:
    worlds = one_world(num_agents=2, contention=True, max_steps=5)
    state = worlds.get_state(0)
    healthy, dying = (60.0, 80.0, 80.0, 50.0, 80.0, 50.0), (0.5, 80.0, 80.0, 50.0, 80.0, 50.0)
    worlds.set_state(0, replace(state, positions=((1, 0), (1, 1)), meters=(dying, healthy)))
    first = worlds.step([[DOWN, INTERACT]], components=True)
    assert first.terminated[0].tolist() == [True, False]
    assert not worlds.over[0]
    left = worlds.meters[0, 0].tolist()
    second = worlds.step([[INTERACT, INTERACT]], components=True)
    assert second.rewards[0, 0] == 0.0
    assert second.components is not None
    assert [part[0, 0] for part in second.components] == [0.0] * 5
    assert second.terminated[0].tolist() == [False, False]
    assert second.interacted[0].tolist() == [-1, 0]
    assert worlds.meters[0, 0].tolist() == left
    assert worlds.positions[0, 0].tolist() == [1, 1]
    # The other one no longer sees it.
    assert 10 not in worlds.observe()[0, 1].tolist()
    for _ in range(3):
        last = worlds.step([[UP, UP]])
    assert last.truncated[0].tolist() == [False, True]
    assert worlds.over[0]


def test_a_world_of_other_places() -> None:
    """A small world of one affordance, in plain numbers."""
    well = Affordance("Well", 1, 0, 3, Effects(satiation=10))
    meters = tuple(replace(meter, place=None, drain=0.0, start=50.0) for meter in WorldConfig().meters)
    config = WorldConfig(
        width=3, height=2, start=(1, 0), meters=meters, affordances=(well,), meals=("Well",), move=Effects()
    )
    worlds = Worlds(1, config)
    assert worlds.observe().shape == (1, 1, 14)
    assert worlds.observe()[0, 0, 8:].tolist() == [0, 9, 0, 0, 0, 0]
    result = worlds.step([INTERACT], components=True)
    assert meters_of(worlds)["satiation"] == 60.0
    assert result.components is not None
    assert result.components.interaction[0, 0] == pytest.approx(0.5 * 10 / 50 * 2)
    worlds.step([DOWN])
    assert worlds.observe()[0, 0, :2].tolist() == [0.5, 1.0]
    assert worlds.observe()[0, 0, 8:].tolist() == [0, 3, 0, 0, 9, 0]
