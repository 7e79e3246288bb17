"""The learner's arithmetic, each piece by hand, and that it learns."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hamlet_trio.agent.checkpoint import CheckpointMetadata, encode_checkpoint, parse_checkpoint
from hamlet_trio.agent.learner import DQNLearner, LearnerError
from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.update import DivergedError

STATE = np.linspace(0.1, 0.9, 9, dtype=np.float32)
NEXT_STATE = np.linspace(0.9, -0.7, 9, dtype=np.float32)


def tiny_learner(*, num_streams: int = 1, **settings: Any) -> DQNLearner:
    """One linear layer over the 9 values of a world of one cell, learning from one transition at a time."""
    defaults: dict[str, Any] = {
        "network_type": "qnetwork",
        "sizes": {"hidden": []},
        "batch_size": 1,
        "learning_starts": 0,
        "buffer_capacity": 100,
        "device": "cpu",
        "huber_delta": 100.0,
    }
    config = LearnerConfig(**(defaults | settings))
    return DQNLearner(config, seed=4, width=1, height=1, num_streams=num_streams)


def set_biases(learner: DQNLearner, network: list[float], target: list[float]) -> None:
    """Make the Q-values of both networks the same whatever is observed."""
    with torch.no_grad():
        for module, biases in ((learner.network, network), (learner.target, target)):
            weight, bias = module.state_dict().values()
            weight.zero_()
            bias.copy_(torch.tensor(biases))


def tell(
    learner: DQNLearner,
    reward: float,
    *,
    action: int = 0,
    terminated: bool = False,
    truncated: bool = False,
) -> None:
    learner.remember(
        observations=STATE[None],
        actions=np.array([action]),
        rewards=np.array([reward]),
        next_observations=NEXT_STATE[None],
        terminated=np.array([terminated]),
        truncated=np.array([truncated]),
    )


def td_error(learner: DQNLearner) -> float:
    """The absolute TD error of the one transition learnt from; `huber_delta` must be larger than it."""
    metrics = learner.learn()
    assert metrics is not None
    return float(np.sqrt(2 * metrics.loss))


ONLINE = [1.0, 5.0, 2.0, 0.0, 0.0]
TARGET = [0.5, 3.0, 7.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("settings", "end", "expected"),
    [
        # The network prefers action 1, which the target network values at 3.
        ({"double": True}, {}, 2.0 + 0.9 * 3.0),
        # The target network's own maximum is 7.
        ({"double": False}, {}, 2.0 + 0.9 * 7.0),
        ({"double": True}, {"terminated": True}, 2.0),
        ({"double": False}, {"terminated": True}, 2.0),
        ({"double": True}, {"truncated": True}, 2.0 + 0.9 * 3.0),
        ({"double": False}, {"truncated": True}, 2.0 + 0.9 * 7.0),
        ({"double": True, "gamma": 0.0}, {}, 2.0),
        ({"double": True, "n_step": 3}, {"truncated": True}, 2.0 + 0.9 * 3.0),
        ({"double": True, "n_step": 3}, {"terminated": True}, 2.0),
    ],
)
def test_the_td_target_by_hand(settings: dict[str, Any], end: dict[str, bool], expected: float) -> None:
    learner = tiny_learner(**({"gamma": 0.9} | settings))
    set_biases(learner, ONLINE, TARGET)
    tell(learner, 2.0, action=2, **end)
    metrics = learner.learn()
    assert metrics is not None
    assert metrics.q_value == pytest.approx(2.0)
    assert np.sqrt(2 * metrics.loss) == pytest.approx(abs(expected - 2.0))


def test_the_td_target_of_three_steps_by_hand() -> None:
    learner = tiny_learner(gamma=0.9, n_step=3)
    set_biases(learner, ONLINE, TARGET)
    for reward in (1.0, 2.0):
        tell(learner, reward)
        assert learner.learn() is None, "nothing is finished yet"
    tell(learner, 4.0)
    expected = 1.0 + 0.9 * 2.0 + 0.9**2 * 4.0 + 0.9**3 * 3.0
    assert td_error(learner) == pytest.approx(abs(expected - 1.0))


@pytest.mark.parametrize("floor", [-10.0, -0.5])
def test_the_munchausen_target_by_hand(floor: float) -> None:
    temperature = 0.5
    learner = tiny_learner(
        gamma=0.9,
        munchausen=0.8,
        munchausen_temperature=temperature,
        munchausen_floor=floor,
    )
    set_biases(learner, ONLINE, TARGET)
    tell(learner, 2.0, action=1)
    error = td_error(learner)
    values = np.array(TARGET)
    normaliser = np.log(np.exp(values / temperature).sum())
    log_policy = values / temperature - normaliser
    # The soft value is temperature * log-sum-exp.
    expected = 2.0 + 0.8 * max(temperature * log_policy[1], floor) + 0.9 * temperature * normaliser
    assert error == pytest.approx(abs(expected - ONLINE[1]), rel=1e-5)


def test_rewards_are_scaled_before_they_are_learnt_from() -> None:
    learner = tiny_learner(reward_scale=0.1)
    set_biases(learner, ONLINE, TARGET)
    tell(learner, 20.0, terminated=True)
    assert td_error(learner) == pytest.approx(2.0 - ONLINE[0])


def test_the_learning_rate_anneals_linearly_to_its_end() -> None:
    def change(progress: float) -> float:
        learner = tiny_learner(learning_rate=0.01, learning_rate_end=0.2)
        before = learner.network.state_dict()["layers.0.bias"].clone()
        tell(learner, 5.0, terminated=True)
        learner.anneal(progress)
        learner.learn()
        return float((learner.network.state_dict()["layers.0.bias"] - before).abs().max())

    assert change(0.0) == pytest.approx(0.01, rel=1e-3)
    assert change(0.5) == pytest.approx(0.006, rel=1e-3)
    assert change(1.0) == pytest.approx(0.002, rel=1e-3)


def test_so_many_updates_are_made_as_are_asked_for() -> None:
    learner = tiny_learner()
    tell(learner, 1.0)
    metrics = learner.learn(5)
    assert metrics is not None
    assert metrics.updates == learner.updates == 5
    assert learner.learn(0) is None


@pytest.mark.parametrize(("error", "expected"), [(0.5, 0.125), (1.0, 0.5), (-3.0, 2.5)])
def test_huber_loss_is_linear_beyond_delta(error: float, expected: float) -> None:
    learner = tiny_learner(huber_delta=1.0)
    set_biases(learner, [1.0, 0, 0, 0, 0], TARGET)
    tell(learner, 1.0 + error, terminated=True)
    metrics = learner.learn()
    assert metrics is not None
    assert metrics.loss == pytest.approx(expected)


def gradient_norm(learner: DQNLearner) -> float:
    gradients = [parameter.grad for parameter in learner.network.parameters()]
    return float(torch.cat([g.flatten() for g in gradients if g is not None]).norm())


def test_the_gradient_is_clipped_to_its_norm() -> None:
    free, clipped = (tiny_learner(gradient_clip=clip, huber_delta=1.0) for clip in (None, 0.25))
    for learner in (free, clipped):
        set_biases(learner, ONLINE, TARGET)
        tell(learner, 100.0, terminated=True)
        learner.learn()
    # The slope of the loss is 1, so the gradient is the input with a 1 for the bias.
    expected = float(np.sqrt((STATE**2).sum() + 1))
    assert gradient_norm(free) == pytest.approx(expected, rel=1e-5)
    assert gradient_norm(clipped) == pytest.approx(0.25, rel=1e-4)


def test_one_step_of_adam_by_hand() -> None:
    """Adam's first step is the learning rate against the sign of the gradient."""
    learner = tiny_learner(learning_rate=0.01)
    set_biases(learner, ONLINE, TARGET)
    tell(learner, 100.0, action=3, terminated=True)
    learner.learn()
    weight, bias = learner.network.state_dict().values()
    torch.testing.assert_close(bias, torch.tensor([1.0, 5.0, 2.0, 0.01, 0.0]))
    torch.testing.assert_close(weight[3], torch.full((9,), 0.01))
    assert not weight[[0, 1, 2, 4]].any()


def test_the_target_follows_softly() -> None:
    learner = tiny_learner(target_update="soft", tau=0.1)
    set_biases(learner, ONLINE, TARGET)
    before = torch.tensor(TARGET)
    for _ in range(3):
        tell(learner, 100.0, action=3)
        learner.learn()
        network, target = learner.network.state_dict(), learner.target.state_dict()
        expected = 0.9 * before + 0.1 * network["layers.0.bias"]
        torch.testing.assert_close(target["layers.0.bias"], expected)
        before = target["layers.0.bias"].clone()


def test_the_target_follows_periodically() -> None:
    learner = tiny_learner(target_update="periodic", target_period=3)
    set_biases(learner, ONLINE, TARGET)
    tell(learner, 100.0, action=3)
    for update in range(1, 8):
        learner.learn()
        network, target = learner.network.state_dict(), learner.target.state_dict()
        assert torch.equal(network["layers.0.bias"], target["layers.0.bias"]) == (update in {3, 6})
    assert learner.updates == 7


@pytest.mark.parametrize(
    ("updates_per_step", "at_once", "updates"),
    [
        (1.0, 1, [1, 1, 1, 1]),
        (0.5, 1, [0, 1, 0, 1]),
        (2.5, 1, [2, 3, 2, 3]),
        (1.0, 3, [0, 0, 3, 0, 0, 3, 0]),
        (2.5, 4, [0, 5, 0, 5]),
    ],
)
def test_updates_a_step(updates_per_step: float, at_once: int, updates: list[int]) -> None:
    learner = tiny_learner(updates_per_step=updates_per_step, updates_at_once=at_once)
    tell(learner, 1.0)
    made = []
    for _ in updates:
        metrics = learner.learn()
        made.append(metrics.updates if metrics else 0)
    assert made == updates
    assert learner.updates == sum(updates)


def test_learning_starts_when_enough_is_remembered() -> None:
    learner = tiny_learner(learning_starts=3, batch_size=2)
    for _ in range(2):
        tell(learner, 1.0)
        assert learner.learn() is None
    tell(learner, 1.0)
    assert learner.learn() is not None
    assert learner.steps == 3


def test_acting_greedily_and_at_random() -> None:
    learner = tiny_learner()
    set_biases(learner, ONLINE, TARGET)
    observations = np.tile(STATE, (5000, 1))
    assert (learner.act(observations, 0.0) == 1).all()
    counts = np.bincount(learner.act(observations, 1.0), minlength=5)
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(5000 * 0.2 * 0.8)
    counts = np.bincount(learner.act(observations, 0.5), minlength=5)
    assert abs(counts[1] - 3000) < 5 * np.sqrt(5000 * 0.6 * 0.4)


def test_a_loss_that_is_not_finite_ends_learning_and_spoils_nothing() -> None:
    learner = tiny_learner()
    before = {key: value.clone() for key, value in learner.network.state_dict().items()}
    tell(learner, float("inf"))
    with pytest.raises(DivergedError, match="not finite after 0 updates; try a smaller learning_rate"):
        learner.learn()
    assert all(torch.equal(value, before[key]) for key, value in learner.network.state_dict().items())


def test_a_checkpoint_of_a_learner_starts_another() -> None:
    learner = tiny_learner()
    for _ in range(5):
        tell(learner, 1.0)
        learner.learn()
    metadata = CheckpointMetadata(network_type="qnetwork", episode=3)
    checkpoint = parse_checkpoint(encode_checkpoint(learner.checkpoint(metadata, epsilon=0.3)), "x.pt")
    assert checkpoint.epsilon == 0.3
    assert checkpoint.optimizer is not None
    spec = checkpoint.spec
    config = LearnerConfig(learning_rate=0.5, device="cpu").for_network(spec.network_type, spec.plain_sizes())
    other = DQNLearner(config, seed=99, width=spec.width, height=spec.height)
    other.start_from(checkpoint)
    for key, value in learner.network.state_dict().items():
        assert torch.equal(other.network.state_dict()[key], value)
        assert torch.equal(other.target.state_dict()[key], value)
    with pytest.raises(LearnerError, match="of a qnetwork network for a 1 x 1 world"):
        DQNLearner(LearnerConfig(device="cpu"), seed=1).start_from(checkpoint)


CHAIN = 5
LEFT, RIGHT = 2, 3


def chain_observation(cell: int) -> NDArray[np.float32]:
    observation = np.zeros((1, 8 + CHAIN), dtype=np.float32)
    observation[0, 8 + cell] = 1.0
    return observation


@pytest.mark.parametrize("n_step", [1, 3])
def test_it_solves_a_chain(n_step: int) -> None:
    """Five cells in a row; only stepping off the right end is rewarded. Values are known: gamma per step."""
    config = LearnerConfig(
        network_type="qnetwork",
        sizes={"hidden": [32]},
        gamma=0.9,
        learning_rate=5e-3,
        learning_starts=100,
        tau=0.05,
        n_step=n_step,
        device="cpu",
    )
    learner = DQNLearner(config, seed=11, width=CHAIN, height=1)
    cell, steps = 0, 0
    for _ in range(1500):
        observation = chain_observation(cell)
        action = learner.act(observation, 0.5)
        move = {LEFT: -1, RIGHT: 1}.get(int(action[0]), 0)
        reached = cell + move == CHAIN
        cell, steps = min(max(cell + move, 0), CHAIN - 1), steps + 1
        truncated = not reached and steps == 30
        learner.remember(
            observations=observation,
            actions=action,
            rewards=np.array([1.0 if reached else 0.0]),
            next_observations=chain_observation(cell),
            terminated=np.array([reached]),
            truncated=np.array([truncated]),
        )
        learner.learn()
        if reached or truncated:
            cell, steps = 0, 0
    output = learner.policy().act(np.concatenate([chain_observation(cell) for cell in range(CHAIN)]))
    assert output.actions.tolist() == [RIGHT] * CHAIN
    if n_step == 1:
        expected = 0.9 ** np.arange(CHAIN - 1, -1, -1)
        np.testing.assert_allclose(output.q_values[:, RIGHT], expected, atol=0.1)
