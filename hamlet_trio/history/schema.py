"""The tables of the history, and the migrations from older forms."""

import sqlite3
from collections.abc import Iterator
from typing import Final

APPLICATION_ID: Final = 0x48_41_4D_4C
"""Marks a SQLite file as a history of Hamlet ("HAML")."""

_ADD: Final = """
    INSERT INTO failure_counts VALUES (new.run, new.agent_id, new.reason, 1, new.episode, new.timestamp)
    ON CONFLICT (agent_id, reason, run) DO UPDATE SET
        count = count + 1,
        last_episode = max(last_episode, excluded.last_episode),
        last_timestamp = max(last_timestamp, excluded.last_timestamp);
"""
_ITS_COUNT: Final = "run = old.run AND agent_id = old.agent_id AND reason = old.reason"
_TAKE: Final = f"""
    UPDATE failure_counts SET count = count - 1 WHERE {_ITS_COUNT};
    DELETE FROM failure_counts WHERE {_ITS_COUNT} AND count = 0;
    UPDATE failure_counts SET
        (last_episode, last_timestamp) =
            (SELECT max(episode), max(timestamp) FROM failures WHERE {_ITS_COUNT})
    WHERE {_ITS_COUNT} AND (last_episode = old.episode OR last_timestamp = old.timestamp);
"""
"""Updates of the counts for an added and a deleted failure; only the last one's figures are searched anew."""

_COUNTING: Final = f"""
    CREATE TRIGGER failure_added AFTER INSERT ON failures BEGIN {_ADD} END;
    CREATE TRIGGER failure_taken AFTER DELETE ON failures BEGIN {_TAKE} END;
    CREATE TRIGGER failure_changed AFTER UPDATE ON failures BEGIN {_ADD} {_TAKE} END;
"""

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
    # An index that covers the summary of all failures.
    """
    CREATE INDEX failures_by_kind ON failures (agent_id, reason, episode, timestamp);
    """,
    # Counts that triggers maintain, so that the summary does not depend on the number of failures.
    f"""
    CREATE TABLE failure_counts (
        run INTEGER NOT NULL,
        agent_id TEXT NOT NULL,
        reason TEXT NOT NULL,
        count INTEGER NOT NULL,
        last_episode INTEGER NOT NULL,
        last_timestamp TEXT NOT NULL,
        PRIMARY KEY (agent_id, reason, run)
    ) WITHOUT ROWID;
    INSERT INTO failure_counts
        SELECT run, agent_id, reason, count(*), max(episode), max(timestamp) FROM failures
        GROUP BY run, agent_id, reason;
    {_COUNTING}
    """,
    """
    ALTER TABLE episodes ADD COLUMN q_value REAL;
    ALTER TABLE episodes ADD COLUMN evaluation_random_mean_length REAL;
    ALTER TABLE episodes ADD COLUMN evaluation_random_mean_return REAL;
    ALTER TABLE episodes ADD COLUMN evaluation_random_episodes INTEGER;
    """,
    # Foreign keys, by which Datasette and other tools link tables. SQLite adds none to a table that exists.
    # They are not enforced: while an earlier version shares the file, it may write in another order.
    f"""
    ALTER TABLE episodes RENAME TO older_episodes;
    ALTER TABLE failures RENAME TO older_failures;
    ALTER TABLE checkpoints RENAME TO older_checkpoints;
    ALTER TABLE failure_counts RENAME TO older_failure_counts;
    CREATE TABLE episodes (
        run INTEGER NOT NULL REFERENCES runs (number),
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
        q_value REAL,
        evaluation_random_mean_length REAL,
        evaluation_random_mean_return REAL,
        evaluation_random_episodes INTEGER,
        PRIMARY KEY (run, episode)
    ) WITHOUT ROWID;
    CREATE TABLE failures (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES runs (number),
        timestamp TEXT NOT NULL,
        episode INTEGER NOT NULL,
        agent_id TEXT NOT NULL,
        reason TEXT NOT NULL,
        FOREIGN KEY (run, episode) REFERENCES episodes (run, episode)
    );
    CREATE TABLE checkpoints (
        run INTEGER NOT NULL REFERENCES runs (number),
        episode INTEGER NOT NULL,
        model TEXT NOT NULL,
        saved TEXT NOT NULL,
        PRIMARY KEY (run, episode, model)
    ) WITHOUT ROWID;
    CREATE TABLE failure_counts (
        run INTEGER NOT NULL REFERENCES runs (number),
        agent_id TEXT NOT NULL,
        reason TEXT NOT NULL,
        count INTEGER NOT NULL,
        last_episode INTEGER NOT NULL,
        last_timestamp TEXT NOT NULL,
        PRIMARY KEY (agent_id, reason, run)
    ) WITHOUT ROWID;
    INSERT INTO episodes SELECT * FROM older_episodes;
    INSERT INTO failures SELECT * FROM older_failures;
    INSERT INTO checkpoints SELECT * FROM older_checkpoints;
    INSERT INTO failure_counts SELECT * FROM older_failure_counts;
    DROP TABLE older_episodes;
    DROP TABLE older_failures;
    DROP TABLE older_checkpoints;
    DROP TABLE older_failure_counts;
    CREATE INDEX episodes_by_reason ON episodes (run, failure_reason, episode);
    CREATE INDEX failures_of_run ON failures (run, episode);
    CREATE INDEX failures_by_episode ON failures (episode, id);
    CREATE INDEX failures_by_reason ON failures (reason, episode, id);
    CREATE INDEX failures_by_kind ON failures (agent_id, reason, episode, timestamp);
    {_COUNTING}
    """,
    # How an episode went for each of several agents; episodes of a single agent have no rows here.
    """
    CREATE TABLE agent_episodes (
        run INTEGER NOT NULL REFERENCES runs (number),
        episode INTEGER NOT NULL,
        agent_id TEXT NOT NULL,
        reward REAL NOT NULL,
        length INTEGER NOT NULL,
        failure_reason TEXT,
        PRIMARY KEY (run, episode, agent_id),
        FOREIGN KEY (run, episode) REFERENCES episodes (run, episode)
    ) WITHOUT ROWID;
    """,
    # The sweep that a run is a trial of, and the settings by which it differs from other trials, as JSON.
    """
    ALTER TABLE runs ADD COLUMN sweep_id TEXT;
    ALTER TABLE runs ADD COLUMN sweep_settings TEXT;
    CREATE INDEX runs_of_sweep ON runs (sweep_id) WHERE sweep_id IS NOT NULL;
    """,
)
"""Scripts that turn form n into form n + 1; the form is the file's `user_version`."""


def version_of(connection: sqlite3.Connection) -> int:
    """Return the form of a history; 0 for an empty file or another program's database."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def is_history(connection: sqlite3.Connection) -> bool:
    """Return whether the file is a history, in any form."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    return bool(application == APPLICATION_ID)


def table_names(connection: sqlite3.Connection) -> set[str]:
    """Return the names of the file's tables."""
    rows = connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")
    return {name for (name,) in rows}


def knows_sweeps(connection: sqlite3.Connection) -> bool:
    """Return whether runs of this form may be trials of a sweep."""
    return bool(
        connection.execute("SELECT 1 FROM pragma_table_info('runs') WHERE name = 'sweep_id'").fetchall()
    )


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring an empty file or an older form up to date, within the open transaction."""
    for number, script in enumerate(MIGRATIONS[version_of(connection) :], start=version_of(connection) + 1):
        # executescript would commit first.
        for statement in _statements(script):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script; those inside a trigger belong to it."""
    statement = ""
    for part in script.split(";")[:-1]:
        statement += f"{part};"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
