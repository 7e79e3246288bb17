"""Evaluation: against stepping one world by hand, and against what is known of random play."""

import msgspec
import numpy as np
import pytest

from hamlet_trio.agent.evaluation import evaluate
from hamlet_trio.agent.policy import Policy
from hamlet_trio.world import FAILURE_REASONS, WorldConfig, Worlds


def test_a_greedy_evaluation_is_one_world_stepped_by_hand() -> None:
    policy = Policy.untrained(5)
    worlds = Worlds(1, seed=0)
    total = 0.0
    while not worlds.over[0]:
        total += worlds.step(policy.act(worlds.observe()[:, 0]).actions).rewards[0, 0]
    evaluation = evaluate(policy, episodes=3, seed=1)
    assert [row.length for row in evaluation.episodes] == [worlds.steps[0]] * 3
    assert [row.episode_return for row in evaluation.episodes] == pytest.approx([total] * 3)
    assert evaluation.mean_length == worlds.steps[0]
    assert evaluation.mean_return == pytest.approx(total)
    assert evaluation.episodes[0].failure_reason == FAILURE_REASONS[worlds.failure[0, 0]] is not None


def test_random_play_is_as_measured() -> None:
    """75.0 steps and a return of -73.0 on average, in 2,000 episodes of the reference rules."""
    evaluation = evaluate(Policy.untrained(5), episodes=1500, seed=2, epsilon=1.0)
    lengths = np.array([row.length for row in evaluation.episodes])
    returns = np.array([row.episode_return for row in evaluation.episodes])
    assert len(lengths) == 1500, "more than one batch of worlds"
    assert evaluation.mean_length == pytest.approx(75.0, abs=5 * lengths.std() / np.sqrt(1500))
    assert evaluation.mean_return == pytest.approx(-73.0, abs=5 * returns.std() / np.sqrt(1500))
    assert evaluation.mean_length == pytest.approx(lengths.mean())
    assert evaluation.mean_return == pytest.approx(returns.mean())


def test_the_seed_decides() -> None:
    policy = Policy.untrained(5)
    first, again, other = (evaluate(policy, episodes=10, seed=seed, epsilon=0.5) for seed in (1, 1, 2))
    assert first == again
    assert first.episodes != other.episodes
    scattered = evaluate(policy, episodes=10, seed=1, random_start=True)
    assert scattered == evaluate(policy, episodes=10, seed=1, random_start=True)
    assert len({row.episode_return for row in scattered.episodes}) > 5


def test_the_limit_truncates() -> None:
    evaluation = evaluate(Policy.untrained(5), episodes=4, seed=1, max_steps=10)
    assert [(row.length, row.failure_reason) for row in evaluation.episodes] == [(10, None)] * 4


def test_agents_of_one_world_are_rows_of_their_own() -> None:
    config = WorldConfig(num_agents=3)
    evaluation = evaluate(Policy.untrained(5), config, episodes=2, seed=1, epsilon=0.3)
    assert len(evaluation.episodes) == 6
    assert len({row.episode_return for row in evaluation.episodes}) > 3
    assert all(0 < row.length < 500 and row.failure_reason for row in evaluation.episodes)


def test_it_is_written_as_json() -> None:
    written = msgspec.json.decode(msgspec.json.encode(evaluate(Policy.untrained(5), episodes=1, seed=1)))
    assert set(written) == {"mean_length", "mean_return", "epsilon", "seed", "episodes"}
    assert set(written["episodes"][0]) == {"length", "return", "failure_reason"}


def test_what_is_refused() -> None:
    policy = Policy.untrained(5)
    with pytest.raises(ValueError, match="episodes is 0; it must be 1 or more"):
        evaluate(policy, episodes=0, seed=1)
    with pytest.raises(ValueError, match=r"epsilon is 1\.5; it must be from 0 to 1"):
        evaluate(policy, episodes=1, seed=1, epsilon=1.5)
    with pytest.raises(ValueError, match="for a world of 8 x 8 cells; this one has 9 x 8"):
        evaluate(policy, WorldConfig(width=9), episodes=1, seed=1)
