"""Learners with the same seed are the same to the last bit, also after saving and restoring in between."""

from typing import Any, get_args

import numpy as np
import pytest
import torch

from hamlet_trio.agent.learner import DQNLearner, LearnerError
from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.agent.options_learner import make_learner as make_learner_of
from hamlet_trio.agent.run_state import decode_run_state, encode_run_state
from hamlet_trio.world import WorldConfig, Worlds
from tests.agent.support import train

SMALL: dict[NetworkType, dict[str, Any]] = {
    "egocentric": {"hidden": [8]},
    "options": {"hidden": [8]},
    "qnetwork": {"hidden": [8]},
    "dueling": {"features": [8, 8]},
    "spatial": {"channels": [2], "combined": [8]},
    "spatial_dueling": {"channels": [2], "features": [8]},
    "relational": {"embedding": 8, "channels": [2], "features": [8]},
}


def make_config(network_type: NetworkType = "qnetwork", **settings: Any) -> LearnerConfig:
    if network_type == "options":
        # More options are completed, so that learning begins as early as with the other networks.
        settings = {"exploration": "options", **settings}
    return LearnerConfig(
        network_type=network_type,
        sizes=SMALL[network_type],
        batch_size=8,
        buffer_capacity=100,
        learning_starts=20,
        device="cpu",
        **settings,
    )


def make_learner(config: LearnerConfig, seed: int = 1) -> DQNLearner:
    return make_learner_of(config, world=WorldConfig(), seed=seed, num_streams=2)


def same_weights(one: DQNLearner, other: DQNLearner) -> bool:
    return all(
        torch.equal(mine, theirs)
        for ours, others in ((one.network, other.network), (one.target, other.target))
        for mine, theirs in zip(ours.state_dict().values(), others.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("network_type", get_args(NetworkType))
def test_the_same_seed_learns_the_same(network_type: NetworkType) -> None:
    learners = []
    for seed in (1, 1, 2):
        learner = make_learner(make_config(network_type), seed)
        train(learner, Worlds(2, seed=3), 25)
        learners.append(learner)
        torch.rand(1)  # another program's use of the global generators must not matter
        np.random.rand()
    assert same_weights(learners[0], learners[1])
    assert not same_weights(learners[0], learners[2])


def test_the_global_generators_stay_as_they_are() -> None:
    torch_before = torch.get_rng_state()
    numpy_before = repr(np.random.get_state())
    train(make_learner(make_config("relational", n_step=3)), Worlds(2, seed=3), 40)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert repr(np.random.get_state()) == numpy_before


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"n_step": 4},
        {"updates_per_step": 0.3, "target_update": "periodic", "target_period": 7},
        {"updates_at_once": 3},
    ],
)
@pytest.mark.parametrize("moment", [5, 37, 80])
def test_saved_and_restored_it_learns_the_same(settings: dict[str, Any], moment: int) -> None:
    """At moments before the first update, in the middle of an episode, and after the memory went round."""
    config = make_config(**settings)
    straight = make_learner(config)
    train(straight, Worlds(2, seed=3), 100)

    first, worlds = make_learner(config), Worlds(2, seed=3)
    train(first, worlds, moment)
    saved = encode_run_state({"learner": first.state_dict()})
    restored = make_learner(config, seed=77)
    train(restored, Worlds(2, seed=5), 30)
    restored.load_state_dict(decode_run_state(saved)["learner"])
    train(restored, worlds, 100 - moment)
    assert same_weights(straight, restored)
    assert (restored.steps, restored.updates) == (straight.steps, straight.updates)
    assert encode_run_state(restored.state_dict()) == encode_run_state(straight.state_dict())


@pytest.mark.parametrize("network_type", get_args(NetworkType))
def test_every_network_goes_on_the_same(network_type: NetworkType) -> None:
    """The optimiser's state belongs to parameters that a state dict may name in another way."""
    config = make_config(network_type)
    first, worlds = make_learner(config), Worlds(2, seed=3)
    train(first, worlds, 15)
    restored = make_learner(config, seed=77)
    restored.load_state_dict(decode_run_state(encode_run_state(first.state_dict())))
    for learner in (first, restored):
        for _ in range(5):
            assert learner.learn() is not None
    assert same_weights(first, restored)


def test_a_state_that_calls_options_errands_is_read() -> None:
    config = make_config(exploration="options")
    learner = make_learner(config)
    state = learner.state_dict()
    state["kind"]["exploration"] = "errands"
    make_learner(config, seed=77).load_state_dict(state)


def test_a_saved_state_does_not_change_while_learning_goes_on() -> None:
    learner, worlds = make_learner(make_config(n_step=2)), Worlds(2, seed=3)
    train(learner, worlds, 50)
    state = learner.state_dict()
    before = encode_run_state(state)
    train(learner, worlds, 50)
    assert encode_run_state(state) == before


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (make_config(gamma=0.5), "whose gamma is 0.99; here it is 0.5"),
        (make_config("dueling"), "whose network_type is 'qnetwork'; here it is 'dueling'"),
    ],
)
def test_the_state_of_another_learner_is_refused(other: LearnerConfig, message: str) -> None:
    state = make_learner(make_config()).state_dict()
    with pytest.raises(LearnerError, match=message):
        make_learner(other).load_state_dict(state)
    with pytest.raises(LearnerError, match="whose num_streams is 2; here it is 3"):
        DQNLearner(make_config(), seed=1, num_streams=3).load_state_dict(state)
