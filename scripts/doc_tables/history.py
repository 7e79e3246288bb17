"""Generate the table of the history's tables, from a new database."""

import sqlite3
from contextlib import closing
from typing import Final

from hamlet_trio.history.schema import table_names, upgrade
from scripts.doc_tables.markdown import code, table

_MEANING: Final = {
    "runs.number": "Key of the run in this file.",
    "runs.run_id": "Id of the run, as in messages and folders.",
    "runs.source": "`server`, `command_line`, `sweep`, or `older` for a run of an older metrics.db.",
    "runs.state": "`running`, `complete`, `stopped`, `interrupted` or `failed`.",
    "runs.reason": "Why it failed or was interrupted.",
    "runs.began": "When it took its first step; ISO 8601, UTC, as all times.",
    "runs.ended": "When it ended.",
    "runs.network_type": "Type of the Q-network.",
    "runs.seed": "Seed of everything random.",
    "runs.device": "`cpu` or `cuda`.",
    "runs.parameters": "All parameters, as JSON.",
    "runs.package_version": "Version of Hamlet.",
    "runs.torch_version": "Version of torch.",
    "runs.model": "File name of its model.",
    "runs.episodes": "Number of episodes in this file.",
    "runs.sweep_id": "The sweep that it is a trial of, or null.",
    "runs.sweep_settings": "The settings by which it differs from that sweep's other trials, as JSON.",
    "failures.id": "Key of the failure.",
    "failures.run": "The run.",
    "failures.timestamp": "When the episode ended.",
    "failures.episode": "The episode.",
    "failures.agent_id": "The agent that failed.",
    "failures.reason": "Which meter ended its life.",
    "agent_episodes.run": "The run.",
    "agent_episodes.episode": "The episode.",
    "agent_episodes.agent_id": "One of its several agents.",
    "agent_episodes.reward": "Return of that agent.",
    "agent_episodes.length": "Steps until it failed, or the episode ended.",
    "agent_episodes.failure_reason": "Which meter ended its life, or null.",
    "checkpoints.run": "The run.",
    "checkpoints.episode": "The last episode before the save.",
    "checkpoints.model": "File name of the model saved.",
    "checkpoints.saved": "When it was saved.",
    "failure_counts.run": "The run.",
    "failure_counts.agent_id": "The agent.",
    "failure_counts.reason": "Which meter.",
    "failure_counts.count": "How many episodes it ended.",
    "failure_counts.last_episode": "The last of them.",
    "failure_counts.last_timestamp": "When that one ended.",
}


def schema() -> str:
    """List the columns of every table but `episodes`, whose figures have a table of their own."""
    rows = []
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        upgrade(connection)
        names = table_names(connection) - {"episodes"}
        for name in sorted(names, key=lambda name: (name != "runs", name)):
            keys = {
                column: f"{other}.{to}"
                for _, _, other, column, to, *_ in connection.execute(f"PRAGMA foreign_key_list({name})")
                if other == "runs"
            }
            for _, column, kind, *_ in connection.execute(f"PRAGMA table_info({name})").fetchall():
                meaning = _MEANING[f"{name}.{column}"]
                if column in keys:
                    meaning += f" Refers to `{keys[column]}`."
                rows.append((code(name), code(column), kind, meaning))
    return table(("Table", "Column", "Type", "Meaning"), rows)


TABLES: Final = {"history-schema": schema}
