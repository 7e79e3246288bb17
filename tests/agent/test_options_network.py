"""Options: which actions lead to which place, in the default world, in others and among other agents."""

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hamlet_trio.agent.names import NetworkType
from hamlet_trio.agent.networks import OptionsNetwork, egocentric, options_network
from hamlet_trio.agent.networks.options_network import toward_columns
from hamlet_trio.agent.policy import Policy
from hamlet_trio.world import ACTIONS, INTERACT, Effects, WorldConfig, Worlds
from tests.agent.support import DEFAULT, FEWER, MOVED, WIDE, network_for


def toward(network: OptionsNetwork, observations: NDArray[np.float32]) -> NDArray[np.bool_]:
    return network.toward(network.preprocess(torch.from_numpy(observations))).numpy()


@pytest.mark.parametrize("world", [DEFAULT, FEWER, MOVED, WIDE])
def test_an_option_is_a_shortest_walk_to_its_place_and_its_use(world: WorldConfig) -> None:
    network = network_for(world)
    free = msgspec.structs.replace(
        world,
        meters=tuple(msgspec.structs.replace(meter, drain=0.0) for meter in world.meters),
        move=Effects(),
    )
    rng = np.random.default_rng(1)
    for option, code in enumerate(network.codes):
        place = next(place for place in world.affordances if place.code == code)
        worlds = Worlds(1, free, seed=option)
        worlds.reset(random_start=True)
        x, y = worlds.positions[0, 0].tolist()
        walked = 0
        while True:
            choices = np.flatnonzero(toward(network, worlds.observe()[:, 0])[0, option])
            action = int(rng.choice(choices))
            if action == INTERACT:
                break
            worlds.step([action])
            walked += 1
        assert worlds.positions[0, 0].tolist() == [place.x, place.y]
        assert walked == abs(place.x - x) + abs(place.y - y)
        assert choices.tolist() == [INTERACT]


def test_columns_are_those_of_toward() -> None:
    network = network_for(FEWER)
    worlds = Worlds(64, FEWER, seed=2)
    worlds.reset(random_start=True)
    rows = network.preprocess(torch.from_numpy(worlds.observe()[:, 0]))
    assert rows.shape[1] == network.preprocessed_size
    assert np.array_equal(rows.numpy()[:, toward_columns(4)] > 0.5, network.toward(rows).numpy())


def test_an_action_is_worth_the_best_option_that_it_begins() -> None:
    network = network_for(DEFAULT)
    observation = Worlds(1).observe()[:, 0]
    rows = network.preprocess(torch.from_numpy(observation))
    values = torch.tensor([[0.1, 0.9, 0.3, 0.2, 0.4, 0.0, 0.5, 0.6]])
    begins = network.toward(rows)[0].numpy()
    expected = [
        values[0][begins[:, action]].max().item() if begins[:, action].any() else -1.0
        for action in range(len(ACTIONS))
    ]
    np.testing.assert_allclose(network.action_values(values, rows)[0].numpy(), expected, rtol=1e-6)
    assert expected[INTERACT] == -1.0, "there is nothing to use at the start"


@pytest.mark.parametrize("world", [DEFAULT, FEWER, MOVED, WIDE])
def test_greedy_actions_are_those_of_the_q_values(
    world: WorldConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Computed by numpy or by torch, to the bit, also where options are worth the same or lead nowhere."""
    worlds = Worlds(64, world, seed=3)
    worlds.reset(random_start=True)
    observations = worlds.observe()[:, 0]
    network = network_for(world)
    policies = [Policy(network)]
    if (world.width, world.height) == (FEWER.width, FEWER.height):
        policies.append(policies[0].in_world(FEWER))
    for policy in policies:
        assert np.array_equal(policy.choose(observations), policy.act(observations).actions)
    seen = torch.from_numpy(observations)
    rows = network.preprocess(seen)
    alike = torch.zeros(len(rows), network.num_places)
    chosen = network.greedy(alike, rows)
    assert np.array_equal(chosen, network.action_values(alike, rows).argmax(dim=1).numpy())
    monkeypatch.setattr(egocentric, "in_numpy", lambda rows: False)
    monkeypatch.setattr(options_network, "in_numpy", lambda rows: False)
    assert torch.equal(network.preprocess(seen), rows)
    assert np.array_equal(network.greedy(alike, rows), chosen)


def test_a_place_that_another_agent_hides_is_still_where_it_is() -> None:
    world = WorldConfig(num_agents=2, start=(1, 1))
    network = network_for(world)
    worlds = Worlds(1, world)
    # agent_0 stands on the bed at (1, 1); agent_1 beside it, at (2, 1), sees the bed no more.
    observations = worlds.observe()[0]
    bed = network.codes.index(1)
    assert np.flatnonzero(toward(network, observations[:1])[0, bed]).tolist() == [INTERACT]
    assert np.flatnonzero(toward(network, observations[1:])[0, bed]).tolist() == [ACTIONS.index("left")]


@pytest.mark.parametrize("world", [FEWER, MOVED])
def test_a_policy_serves_a_world_of_other_places(world: WorldConfig) -> None:
    policy = Policy(network_for(DEFAULT)).in_world(world)
    worlds = Worlds(200, world, seed=4)
    worlds.reset(random_start=True)
    output = policy.act(worlds.observe()[:, 0])
    assert set(output.option_codes) - {-1} == {place.code for place in world.affordances}
    assert output.option_values is not None
    missing = np.array(output.option_codes) == -1
    assert np.isnan(output.option_values[:, missing]).all()
    assert np.isfinite(output.option_values[:, ~missing]).all()
    # Whatever is done is part of the best option, and `interact` is chosen on places alone.
    best = np.nanmax(output.option_values, axis=1)
    np.testing.assert_allclose(output.q_values.max(axis=1), best, rtol=1e-6)
    cells = {(place.x, place.y) for place in world.affordances}
    for (x, y), action in zip(worlds.positions[:, 0].tolist(), output.actions.tolist(), strict=True):
        assert action != INTERACT or (x, y) in cells


def test_kept_features_are_those_of_the_present_places() -> None:
    network, moved = network_for(DEFAULT), network_for(MOVED)
    worlds = Worlds(300, MOVED, seed=1)
    worlds.reset(random_start=True)
    observations = torch.from_numpy(worlds.observe()[:, 0])
    before = network.preprocess(observations)
    assert torch.equal(network.preprocess(observations), before)
    assert torch.equal(network.preprocess(observations[5:6]), before[5:6])
    network.load_state_dict(moved.state_dict())
    assert torch.equal(network.preprocess(observations), moved.preprocess(observations))
    network.set_places(FEWER)
    missing = [code not in {place.code for place in FEWER.affordances} for code in range(1, 9)]
    assert not toward(network, worlds.observe()[:, 0])[:, missing].any()


@pytest.mark.parametrize("network_type", ["egocentric", "qnetwork"])
def test_other_networks_have_no_options(network_type: NetworkType) -> None:
    policy = Policy.untrained(1, network_type=network_type)
    output = policy.act(Worlds(1).observe()[:, 0])
    assert (output.option_values, output.option_codes) == (None, ())
    assert policy.in_world(FEWER) is policy
