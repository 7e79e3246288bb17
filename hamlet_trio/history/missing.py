"""What a history lacks of records that others told."""

import sqlite3
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from hamlet_trio.history.opening import reading
from hamlet_trio.history.records import CheckpointStored, EpisodeEnded, Record, RunEnded, RunStarted


def has_episode(path: Path, run_id: str, episode: int) -> bool:
    """Return whether the history has an episode of a run. Does file I/O; raises `HistoryError`."""
    with reading(path) as connection:
        found = connection.execute(
            "SELECT 1 FROM episodes JOIN runs ON number = run WHERE run_id = ? AND episode = ?",
            (run_id, episode),
        )
        return found.fetchone() is not None


def missing_records(path: Path, past: Sequence[Record], present: Sequence[Record]) -> list[Record]:
    """Return those records, in order, that the history does not have yet.

    A run that was interrupted begins again by a `present` record, and by none of the `past`. Does file I/O;
    raises `HistoryError`.
    """
    with reading(path) as connection:
        return [
            record
            for records, begins_again in ((past, False), (present, True))
            for run_id, group in groupby(records, key=attrgetter("run_id"))
            for record in _missing_of(connection, run_id, list(group), begins_again)
        ]


def _missing_of(
    connection: sqlite3.Connection, run_id: str, records: list[Record], begins_again: bool
) -> list[Record]:
    row = connection.execute("SELECT number, state FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    if row is None:
        return records
    number: int = row[0]
    state: str = row[1]
    told = [record.complete.episode for record in records if isinstance(record, EpisodeEnded)]
    kept = connection.execute(
        "SELECT episode FROM episodes WHERE run = ? AND episode BETWEEN ? AND ?",
        (number, min(told, default=0), max(told, default=0)),
    )
    episodes = {episode for (episode,) in kept}
    models = set(connection.execute("SELECT model, episode FROM checkpoints WHERE run = ?", (number,)))

    def is_missing(record: Record) -> bool:
        match record:
            case RunStarted():
                return begins_again and state == "interrupted"
            case EpisodeEnded():
                return record.complete.episode not in episodes
            case CheckpointStored():
                return (record.model, record.episode) not in models
            case RunEnded():
                return state == "running" or (state == "interrupted" and record.state != state)

    return [record for record in records if is_missing(record)]
