"""The learner of options: transitions in hindsight, targets, effects, other worlds, and that it learns."""

from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from hamlet_trio.agent.checkpoint import CheckpointMetadata, encode_checkpoint, parse_checkpoint
from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.option_transitions import OptionAccumulator
from hamlet_trio.agent.options_learner import OptionGradients, OptionsLearner
from hamlet_trio.agent.policy import Policy
from hamlet_trio.agent.replay_buffer import Transitions
from hamlet_trio.world import INTERACT, METERS, WorldConfig, Worlds
from tests.agent.support import FEWER, WIDE, network_for, train

UP, DOWN, LEFT, RIGHT = range(4)
GAMMA = 0.5


def learner_of(world: WorldConfig = FEWER, **settings: Any) -> OptionsLearner:
    defaults: dict[str, Any] = {
        "network_type": "options",
        "sizes": {"hidden": [8]},
        "batch_size": 8,
        "learning_starts": 20,
        "buffer_capacity": 500,
        "device": "cpu",
        "exploration": "options",
    }
    return OptionsLearner(LearnerConfig(**(defaults | settings)), world=world, seed=3, num_streams=2)


def walk(
    start: tuple[int, int], actions: list[int], *, terminated: bool = False, truncated: bool = False
) -> tuple[Transitions, list[str]]:
    """Take steps in the default world, with rewards 1, 2, 3, ...; return transitions and places' names."""
    world = WorldConfig(start=start)
    network = network_for(world)
    names = {place.code: place.name for place in world.affordances}
    accumulator = OptionAccumulator(GAMMA, 1, network.preprocessed_size, places=8, longest=16)
    worlds = Worlds(1, world)
    found = []
    for index, action in enumerate(actions):
        before, after = (
            network.preprocess(torch.from_numpy(observed)).numpy()
            for observed in (worlds.observe()[:, 0], (worlds.step([action]), worlds.observe()[:, 0])[1])
        )
        last = index == len(actions) - 1
        found.append(
            accumulator.push(
                streams=np.array([0]),
                observations=before,
                actions=np.array([action]),
                rewards=np.array([index + 1.0]),
                next_observations=after,
                terminated=np.array([terminated and last]),
                truncated=np.array([truncated and last]),
            )
        )
    assert all(len(each.actions) == 0 for each in found[:-1])
    return found[-1], [names[network.codes[option]] for option in found[-1].actions.tolist()]


def test_every_step_of_a_shortest_walk_began_the_option() -> None:
    # From (4, 2) to the shower at (2, 2); the first step leads away from it.
    transitions, places = walk((4, 2), [RIGHT, LEFT, LEFT, LEFT, INTERACT])
    assert places == ["Shower"] * 4
    assert transitions.steps.tolist() == [1, 2, 3, 4]
    assert transitions.rewards.tolist() == [5.0, 4 + 2.5, 3 + 2 + 1.25, 2 + 1.5 + 1 + 0.625]
    assert not transitions.terminated.any()
    assert (transitions.next_observations == transitions.next_observations[0]).all()


def test_death_ends_every_option_that_was_under_way() -> None:
    transitions, places = walk((4, 4), [LEFT], terminated=True)
    west = {place.name for place in WorldConfig().affordances if place.x < 4}
    assert set(places) == west
    assert transitions.terminated.all()
    assert transitions.rewards.tolist() == [1.0] * len(west)


def test_a_truncated_walk_gives_no_transition() -> None:
    assert walk((4, 4), [LEFT, LEFT], truncated=True)[1] == []


def test_using_nothing_gives_no_transition() -> None:
    assert walk((4, 4), [LEFT, INTERACT])[1] == []


def test_a_target_discounts_by_the_options_duration() -> None:
    learner = learner_of(batch_size=1, learning_starts=0, gamma=0.5, huber_delta=100.0, double=False)
    with torch.no_grad():
        for network, bias in ((learner.network, 0.0), (learner.target, 4.0)):
            for parameter in network.parameters():
                parameter.zero_()
            network.option_head.bias[0] = bias  # the value of every option in every state
    worlds = Worlds(2, msgspec.structs.replace(FEWER, start=(1, 3)))
    for action in (UP, UP, INTERACT):  # from the meal at (1, 3) to the bed at (1, 1)
        before = worlds.observe()[:, 0]
        worlds.step([action, action])
        learner.remember(
            observations=before,
            actions=np.array([action, action]),
            rewards=np.array([1.0, 1.0]),
            next_observations=worlds.observe()[:, 0],
            terminated=np.zeros(2, dtype=np.bool_),
            truncated=np.zeros(2, dtype=np.bool_),
        )
    expected = {steps: sum(0.5**k for k in range(steps)) + 0.5**steps * 4.0 for steps in (1, 2, 3)}
    found = set()
    for _ in range(40):
        batch = learner.replay_buffer.sample(1)
        with torch.inference_mode():
            states, following = (
                learner._updater._states(rows) for rows in (batch.observations, batch.next_observations)
            )
            targets = learner._updater._targets(
                batch, torch.from_numpy(batch.actions)[:, None], states, following, None
            )
        found.add((int(batch.steps[0]), round(float(targets[0]), 5)))
    assert found == {(steps, round(value, 5)) for steps, value in expected.items()}


def test_the_gradient_of_effects_is_that_of_autograd() -> None:
    network = network_for(FEWER)
    worlds = Worlds(16, FEWER, seed=1)
    worlds.reset(random_start=True)
    rows = network.preprocess(torch.from_numpy(worlds.observe()[:, 0]))
    generator = torch.Generator().manual_seed(5)
    options = torch.randint(4, (16, 1), generator=generator)
    targets = torch.randn(16, generator=generator)
    effects = torch.randn(16, len(METERS), generator=generator)
    encoded = network.encode(rows)
    outputs = network.option_head(network.trunk(encoded))
    chosen = network.values(encoded).gather(1, options).squeeze(1)
    predicted = outputs[:, 5:].reshape(16, 4, -1)[torch.arange(16), options.squeeze(1)]
    loss = torch.nn.functional.huber_loss(chosen, targets)
    whole = loss + 0.5 * (predicted - effects).square().sum(dim=1).mean()
    expected = torch.autograd.grad(whole, list(network.parameters()))
    gradients = OptionGradients(network, network.backprop(), 1.0)
    with gradients.computing():
        step = gradients.compute(encoded, gradients.columns_of(options), targets, effects)
    assert step.loss == pytest.approx(loss.item(), rel=1e-5)
    for mine, right in zip(gradients.tensors(), expected, strict=True):
        torch.testing.assert_close(mine.clone(), right)


@pytest.mark.parametrize("world", [FEWER, WIDE])
def test_it_learns_in_worlds_of_other_places_and_sizes(world: WorldConfig) -> None:
    learner = learner_of(world)
    train(learner, Worlds(2, world, seed=3), 200)
    assert learner.updates > 50
    assert learner.network.num_places == len(world.affordances)
    checkpoint = learner.checkpoint(
        CheckpointMetadata(network_type="options", world={"width": world.width, "height": world.height}),
        epsilon=0.0,
    )
    read = parse_checkpoint(encode_checkpoint(checkpoint), "x.pt")
    assert read.spec == learner.network.spec
    observations = Worlds(1, world).observe()[:, 0]
    for mine, theirs in zip(
        learner.policy().act(observations), Policy(read.network).act(observations), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_a_checkpoint_of_another_worlds_places_starts_it() -> None:
    teacher = learner_of(WorldConfig())
    train(teacher, Worlds(2, seed=3), 100)
    checkpoint = teacher.checkpoint(CheckpointMetadata(network_type="options"), epsilon=0.0)
    pupil = learner_of(FEWER, sizes={"hidden": [8], "places": 8})
    pupil.start_from(checkpoint)
    assert pupil.network.codes.count(-1) == 4
    train(pupil, Worlds(2, FEWER, seed=3), 100)
    assert pupil.updates > 20
    assert all(torch.isfinite(parameter).all() for parameter in pupil.network.parameters())


def test_it_learns_the_values_of_options() -> None:
    """Using the bar is worth 1 and ends the episode, using anything else nothing: values are known."""
    learner = learner_of(
        sizes={"hidden": [32]}, batch_size=32, learning_starts=100, gamma=0.8, learning_rate=3e-3, tau=0.05
    )
    worlds = Worlds(2, FEWER, seed=2)
    worlds.reset(random_start=True)
    bar = next(place for place in FEWER.affordances if place.name == "Bar")
    while learner.updates < 1500:
        observations = worlds.observe()[:, 0]
        actions = learner.act(observations, 1.0)
        is_at_bar = (worlds.positions[:, 0] == [bar.x, bar.y]).all(axis=1)
        worlds.step(actions)
        used = is_at_bar & (actions == INTERACT)
        learner.remember(
            observations=observations,
            actions=actions,
            rewards=used.astype(float),
            next_observations=worlds.observe()[:, 0],
            terminated=used,
            truncated=worlds.over & ~used,
        )
        learner.learn(2)
        ended = np.flatnonzero(used | worlds.over)
        if ended.size:
            worlds.reset(ended, random_start=True)
            learner.begin_episodes(ended)
    tested = Worlds(200, FEWER, seed=9)
    tested.reset(random_start=True)
    output = learner.policy().act(tested.observe()[:, 0])
    assert output.option_values is not None
    steps = np.abs(tested.positions[:, 0] - [bar.x, bar.y]).sum(axis=1)
    values = output.option_values[:, learner.network.codes.index(bar.code)]
    assert np.abs(values - 0.8**steps).mean() < 0.1
    assert (output.option_values.argmax(axis=1) == learner.network.codes.index(bar.code)).mean() > 0.6
