"""Runs and episodes for a history."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from hamlet_trio.history import EpisodeEnded, RunStarted
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.parameters import TrainingParameters

FORMS: Final = Path(__file__).parent / "forms"


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
        "q_value": 3.5,
    }
    return EpisodeComplete(**fields | changes)


def restore_form(path: Path, form: int) -> None:
    """Write the history that an earlier version left in this form."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((FORMS / f"form{form}.sql").read_text(encoding="utf-8"))
        connection.execute("PRAGMA journal_mode = WAL")


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
