"""Writing to a history, one transaction at a time."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import UNSET

from hamlet_trio.common.text import readable
from hamlet_trio.history.columns import COLUMNS, columns_in, row_of
from hamlet_trio.history.opening import database_errors, is_older_form, open_to_write
from hamlet_trio.history.records import CheckpointStored, EpisodeEnded, Record, RunEnded, RunStarted
from hamlet_trio.history.schema import knows_sweeps, table_names
from hamlet_trio.protocol.episode import EpisodeComplete

_PRUNED_AT_ONCE: Final = 2000  # episodes; more would hold up other writes

_BEGIN: Final = """
    INSERT INTO runs (run_id, source, state, began, network_type, seed, device, parameters,
                      package_version, torch_version)
    VALUES (?1, ?2, 'running', ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (run_id) DO UPDATE SET
        source = ?2, state = 'running', reason = NULL, ended = NULL, network_type = ?4, seed = ?5,
        device = ?6, parameters = ?7, package_version = ?8, torch_version = ?9
"""


class HistoryDatabase:
    """Write to one history file; for one task or thread at a time. Every method does file I/O.

    The first write opens the file; after an error the next one opens it again. `write` is idempotent: records
    may be written more than once.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._connection: sqlite3.Connection | None = None
        self._columns: list[str] = []
        self._keeps_agents = self._keeps_sweeps = False
        self._numbers: dict[str, int] = {}

    def write(self, records: Sequence[Record]) -> None:
        """Write all records in one transaction; without any, only open the file.

        Raises `HistoryError`, for example for a full disk; none of the records was written then.
        """
        try:
            with database_errors(self.path, "written"):
                connection = self._open(upgrade=any(isinstance(record, RunStarted) for record in records))
                if not records:
                    return
                connection.execute("BEGIN IMMEDIATE")
                for record in records:
                    self._add(connection, record)
                connection.execute("COMMIT")
        except BaseException:
            self.close()  # rolls the transaction back
            raise

    def prune_some(self, *, runs: int, episodes: int) -> bool:
        """Delete a part of the oldest run if there are more runs, or more episodes in all, than these bounds.

        Runs in progress are not deleted. Returns whether something was deleted, so that the caller goes on.
        Raises `HistoryError`.
        """
        try:
            with database_errors(self.path, "written"):
                connection = self._open()
                number = _oldest_to_prune(connection, runs=runs, episodes=episodes)
                if number is None:
                    return False
                connection.execute("BEGIN IMMEDIATE")
                self._prune_run(connection, number)
                connection.execute("COMMIT")
                return True
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file if it is open."""
        self._numbers.clear()
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with database_errors(self.path, "written"):
                connection.close()

    def _open(self, *, upgrade: bool = False) -> sqlite3.Connection:
        if upgrade and self._connection is not None and is_older_form(self._connection):
            self.close()
        if self._connection is None:
            self._connection = open_to_write(self.path)
            self._columns = columns_in(self._connection)
            self._keeps_agents = "agent_episodes" in table_names(self._connection)
            self._keeps_sweeps = knows_sweeps(self._connection)
        return self._connection

    def _add(self, connection: sqlite3.Connection, record: Record) -> None:
        match record:
            case RunStarted():
                _begin(connection, record)
                if self._keeps_sweeps:
                    _add_sweep(connection, record)
            case EpisodeEnded():
                number = self._number(connection, record.run_id, record.at)
                _add_episode(connection, number, record, self._columns)
                if self._keeps_agents:
                    _add_agents(connection, number, record.complete)
            case CheckpointStored():
                number = self._number(connection, record.run_id, record.at)
                model = readable(record.model)
                values = (number, record.episode, model, record.at)
                connection.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?)", values)
                connection.execute("UPDATE runs SET model = ? WHERE number = ?", (model, number))
            case RunEnded():
                texts = [text and readable(text) for text in (record.reason, record.model)]
                connection.execute(
                    # `interrupted` may be inferred from a missing process; an end that the run itself has
                    # recorded takes precedence.
                    "UPDATE runs SET state = ?1, reason = ?2, ended = ?3, model = coalesce(?4, model)"
                    " WHERE run_id = ?5 AND (?1 != 'interrupted' OR state IN ('running', 'interrupted'))",
                    (record.state, texts[0], record.at, texts[1], record.run_id),
                )

    def _number(self, connection: sqlite3.Connection, run_id: str, at: str) -> int:
        """Return the run's number; a run whose start was lost is inserted with what is known of it."""
        if run_id not in self._numbers:
            connection.execute(
                "INSERT INTO runs (run_id, source, state, began) VALUES (?, 'server', 'running', ?)"
                " ON CONFLICT DO NOTHING",
                (run_id, at),
            )
            (number,) = connection.execute("SELECT number FROM runs WHERE run_id = ?", (run_id,)).fetchone()
            self._numbers[run_id] = number
        return self._numbers[run_id]

    def _prune_run(self, connection: sqlite3.Connection, number: int) -> None:
        oldest = (
            "WHERE run = ?1 AND episode IN"
            " (SELECT episode FROM episodes WHERE run = ?1 ORDER BY episode LIMIT ?2)"
        )
        if self._keeps_agents:
            connection.execute(f"DELETE FROM agent_episodes {oldest}", (number, _PRUNED_AT_ONCE))
        gone = connection.execute(f"DELETE FROM episodes {oldest}", (number, _PRUNED_AT_ONCE)).rowcount
        gone += connection.execute(
            "DELETE FROM failures WHERE id IN (SELECT id FROM failures WHERE run = ? LIMIT ?)",
            (number, _PRUNED_AT_ONCE),
        ).rowcount
        if gone == 0:
            connection.execute("DELETE FROM checkpoints WHERE run = ?", (number,))
            connection.execute("DELETE FROM runs WHERE number = ?", (number,))
            self._numbers.clear()


def _begin(connection: sqlite3.Connection, record: RunStarted) -> None:
    parameters = record.parameters
    connection.execute(
        _BEGIN,
        (
            record.run_id,
            record.source,
            record.at,
            parameters.network_type,
            parameters.seed,
            record.device,
            msgspec.json.encode(parameters).decode(),
            record.package_version,
            record.torch_version,
        ),
    )


def _add_sweep(connection: sqlite3.Connection, record: RunStarted) -> None:
    settings = None if record.sweep_settings is None else msgspec.json.encode(record.sweep_settings).decode()
    connection.execute(
        "UPDATE runs SET sweep_id = ?, sweep_settings = ? WHERE run_id = ?",
        (record.sweep_id, settings, record.run_id),
    )


def _add_episode(
    connection: sqlite3.Connection, number: int, record: EpisodeEnded, columns: list[str]
) -> None:
    complete = record.complete
    row = dict(zip(COLUMNS, row_of(complete, record.at), strict=True))
    connection.execute(
        f"INSERT OR REPLACE INTO episodes (run, {', '.join(columns)}) VALUES (?{', ?' * len(columns)})",
        (number, *(row[name] for name in columns)),
    )
    connection.execute(
        "UPDATE runs SET episodes = max(episodes, ?) WHERE number = ?", (complete.episode, number)
    )
    _add_failure(connection, number, record)


def _add_agents(connection: sqlite3.Connection, number: int, complete: EpisodeComplete) -> None:
    """Store how an episode went for each of several agents; one that is played again replaces it."""
    connection.execute("DELETE FROM agent_episodes WHERE run = ? AND episode = ?", (number, complete.episode))
    if complete.agents is UNSET:
        return
    connection.executemany(
        "INSERT INTO agent_episodes VALUES (?, ?, ?, ?, ?, ?)",
        [
            (number, complete.episode, agent_id, result.total_reward, result.steps, result.failure_reason)
            for agent_id, result in complete.agents.items()
        ],
    )


def _add_failure(connection: sqlite3.Connection, number: int, record: EpisodeEnded) -> None:
    """Store why the episode failed; an episode that is played again replaces its row and keeps its id."""
    episode, reason = record.complete.episode, record.complete.failure_reason
    place = (number, episode, record.agent_id)
    where = "WHERE run = ? AND episode = ? AND agent_id = ?"
    if reason is None:
        connection.execute(f"DELETE FROM failures {where}", place)
        return
    changed = connection.execute(
        f"UPDATE failures SET timestamp = ?, reason = ? {where}", (record.at, reason, *place)
    )
    if changed.rowcount == 0:
        connection.execute(
            "INSERT INTO failures (run, episode, agent_id, timestamp, reason) VALUES (?, ?, ?, ?, ?)",
            (*place, record.at, reason),
        )


def _oldest_to_prune(connection: sqlite3.Connection, *, runs: int, episodes: int) -> int | None:
    count, total = connection.execute("SELECT count(*), coalesce(sum(episodes), 0) FROM runs").fetchone()
    if count <= runs and total <= episodes:
        return None
    oldest = connection.execute(
        "SELECT number FROM runs WHERE state != 'running' ORDER BY began, number LIMIT 1"
    ).fetchone()
    return None if oldest is None else int(oldest[0])
