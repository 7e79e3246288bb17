"""The tables of the history, and how an older form of them becomes today's."""

import sqlite3
from typing import Final

APPLICATION_ID: Final = 0x48_41_4D_4C
"""Marks a SQLite file as a history of Hamlet ("HAML")."""

MIGRATIONS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE runs (
        number INTEGER PRIMARY KEY,
        run_id TEXT NOT NULL UNIQUE,
        source TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT,
        began TEXT NOT NULL,
        ended TEXT,
        network_type TEXT,
        seed INTEGER,
        device TEXT,
        parameters TEXT,
        package_version TEXT,
        torch_version TEXT,
        model TEXT,
        episodes INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE episodes (
        run INTEGER NOT NULL,
        episode INTEGER NOT NULL,
        ended TEXT NOT NULL,
        reward REAL,
        length INTEGER,
        loss REAL,
        epsilon REAL,
        avg_reward_5 REAL,
        avg_length_5 REAL,
        avg_loss_5 REAL,
        buffer_size INTEGER,
        failure_reason TEXT,
        steps_per_second REAL,
        evaluation_mean_length REAL,
        evaluation_mean_return REAL,
        evaluation_episodes INTEGER,
        PRIMARY KEY (run, episode)
    ) WITHOUT ROWID;
    CREATE INDEX episodes_by_reason ON episodes (run, failure_reason, episode);
    CREATE TABLE failures (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,
        timestamp TEXT NOT NULL,
        episode INTEGER NOT NULL,
        agent_id TEXT NOT NULL,
        reason TEXT NOT NULL
    );
    CREATE INDEX failures_of_run ON failures (run, episode);
    CREATE INDEX failures_by_episode ON failures (episode, id);
    CREATE INDEX failures_by_reason ON failures (reason, episode, id);
    CREATE TABLE checkpoints (
        run INTEGER NOT NULL,
        episode INTEGER NOT NULL,
        model TEXT NOT NULL,
        saved TEXT NOT NULL,
        PRIMARY KEY (run, episode, model)
    ) WITHOUT ROWID;
    """,
    # The summary of all failures reads this index alone.
    """
    CREATE INDEX failures_by_kind ON failures (agent_id, reason, episode, timestamp);
    """,
)
"""What makes version n + 1 of version n; the version stands in the file as its `user_version`."""


def version_of(connection: sqlite3.Connection) -> int:
    """The version of a history; 0 for a file that holds nothing yet, or something else."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def is_history(connection: sqlite3.Connection) -> bool:
    """Whether the file is a history of this kind, in whatever version."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    return bool(application == APPLICATION_ID)


def table_names(connection: sqlite3.Connection) -> set[str]:
    """The tables of the file."""
    rows = connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")
    return {name for (name,) in rows}


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring an empty file or an older version up to date, within the transaction that is open."""
    for number, script in enumerate(MIGRATIONS[version_of(connection) :], start=version_of(connection) + 1):
        # Not executescript, which would commit first.
        for statement in filter(str.strip, script.split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
