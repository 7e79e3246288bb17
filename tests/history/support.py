"""Runs and episodes for a history."""

from typing import Any

from hamlet_trio.history import EpisodeEnded, RunStarted
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.parameters import TrainingParameters


def episode_complete(episode: int, **changes: Any) -> EpisodeComplete:
    """What is told at the end of an episode."""
    fields: dict[str, Any] = {
        "episode": episode,
        "reward": -episode / 3,
        "length": 10 + episode,
        "loss": 0.25,
        "epsilon": 0.5,
        "avg_reward_5": 1.5,
        "avg_length_5": 12.5,
        "avg_loss_5": 0.125,
        "buffer_size": 100,
        "failure_reason": "energy_depleted" if episode % 2 else None,
        "steps_per_second": 900.0,
    }
    return EpisodeComplete(**fields | changes)


def started(run_id: str, **changes: Any) -> RunStarted:
    """The beginning of a run."""
    fields: dict[str, Any] = {
        "run_id": run_id,
        "parameters": TrainingParameters(seed=7),
        "device": "cpu",
        "source": "server",
    }
    return RunStarted(**fields | changes)


def ended(run_id: str, episode: int, **changes: Any) -> EpisodeEnded:
    """The end of an episode."""
    return EpisodeEnded(run_id=run_id, agent_id="agent_0", complete=episode_complete(episode, **changes))
