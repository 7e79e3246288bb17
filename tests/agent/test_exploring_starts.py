"""Exploring starts: what the learner remembers of them, and that they disturb nothing else."""

from typing import Any

import msgspec
import numpy as np
import pytest

from hamlet_trio.agent.exploring_starts import ExploringStarts
from hamlet_trio.agent.learner import DQNLearner
from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.options_learner import make_learner
from hamlet_trio.world import WorldConfig, Worlds
from tests.agent.support import FEWER, WIDE, train

COUNT = 12


def learner_of(world: WorldConfig, **settings: Any) -> DQNLearner:
    defaults: dict[str, Any] = {
        "network_type": "options",
        "sizes": {"hidden": [8]},
        "buffer_capacity": 5000,
        "device": "cpu",
    }
    return make_learner(LearnerConfig(**(defaults | settings)), world=world, seed=3, num_streams=2)


def remembered(learner: DQNLearner) -> dict[str, Any]:
    state = learner.replay_buffer.state_dict()
    return {name: value.tolist() for name, value in state.items() if hasattr(value, "tolist")}


@pytest.mark.parametrize("agents", [1, 3])
@pytest.mark.parametrize("world", [WorldConfig(), FEWER, WIDE])
def test_each_start_ends_with_the_use_of_a_place(world: WorldConfig, agents: int) -> None:
    world = msgspec.structs.replace(world, num_agents=agents)
    learner = learner_of(world)
    ExploringStarts(learner, world, starts=COUNT * agents, seed=1).explore(1)
    options = np.array(remembered(learner)["actions"])
    steps = np.array(remembered(learner)["steps"])
    # One use each, reached by a shortest walk from its start, so each of its steps began the option.
    assert (steps == 1).sum() >= COUNT * agents
    assert len(steps) >= learner.steps
    assert steps.max() <= world.width + world.height - 1
    assert set(options.tolist()) <= set(range(len(world.affordances)))
    assert COUNT * agents < learner.steps < COUNT * agents * (world.width + world.height)


def test_an_end_on_the_way_ends_it() -> None:
    exhausted = tuple(
        msgspec.structs.replace(meter, random_low=0.002, random_high=0.004, drain=0.3)
        if meter.name == "energy"
        else meter
        for meter in WorldConfig().meters
    )
    world = msgspec.structs.replace(WorldConfig(), meters=exhausted)
    learner = learner_of(world)
    ExploringStarts(learner, world, starts=COUNT, seed=1).explore(1)
    assert learner.steps < COUNT * 3
    assert any(remembered(learner)["terminated"])


def test_they_depend_on_the_seed_and_the_index_alone() -> None:
    whole, second, third = (learner_of(FEWER) for _ in range(3))
    starts = ExploringStarts(whole, FEWER, starts=COUNT, seed=1)
    for index in (1, 2):
        starts.explore(index)
    for index in (1, 2):
        ExploringStarts(second, FEWER, starts=COUNT, seed=1).explore(index)
    assert remembered(second) == remembered(whole)
    for seed, index in ((1, 1), (2, 2)):
        ExploringStarts(third, FEWER, starts=COUNT, seed=seed).explore(index)
    assert remembered(third) != remembered(whole)


def test_they_are_apart_from_the_steps_of_the_episodes() -> None:
    plain, beside = learner_of(FEWER), learner_of(FEWER)
    before = plain.state_dict()["accumulator"], plain.state_dict()["exploration"]
    ExploringStarts(beside, FEWER, starts=COUNT, seed=1).explore(1)
    after = beside.state_dict()["accumulator"], beside.state_dict()["exploration"]
    assert str(after) == str(before)


def test_with_single_steps_each_step_is_remembered_and_none_joins_two_starts() -> None:
    learner = learner_of(FEWER, network_type="egocentric", n_step=3)
    starts = ExploringStarts(learner, FEWER, starts=COUNT, seed=1)
    for index in (1, 2):
        starts.explore(index)
    state = remembered(learner)
    assert len(state["actions"]) == learner.steps
    assert set(state["steps"]) == {1, 2, 3}


def test_more_than_the_replay_buffer_holds_leaves_the_last() -> None:
    small, large = learner_of(FEWER, buffer_capacity=40, learning_starts=32), learner_of(FEWER)
    for learner in (small, large):
        ExploringStarts(learner, FEWER, starts=40, seed=1).explore(1)
    assert len(small.replay_buffer) == 40
    kept = sorted(zip(remembered(small)["actions"], remembered(small)["rewards"], strict=True))
    latest = sorted(zip(remembered(large)["actions"][-40:], remembered(large)["rewards"][-40:], strict=True))
    assert kept == latest


def test_a_learner_learns_from_both() -> None:
    learner = learner_of(FEWER, learning_starts=50, exploration="options")
    ExploringStarts(learner, FEWER, starts=COUNT, seed=1).explore(1)
    train(learner, Worlds(2, FEWER, seed=3), 20)
    assert learner.updates > 10
