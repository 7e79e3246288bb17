"""This project's own learner, as `hamlet train` runs it."""

from typing import Any

from bench.leaderboard.contest import Act
from hamlet_trio.agent.policy import Policy
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.run import TrainingRun


def train(seed: int, settings: dict[str, Any]) -> tuple[Act, int]:
    """Train once, on the processor; return the greedy policy and the environment steps that it took."""
    run = TrainingRun(TrainingParameters(seed=seed, **settings), device="cpu")
    while not run.finished:
        run.step()
    policy = Policy(run.checkpoint().network)
    return lambda observations: policy.act(observations).actions, run.steps
