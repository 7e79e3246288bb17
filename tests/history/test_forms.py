"""Histories of older forms are read, shared with an older version that runs, and upgraded without loss."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from msgspec import UNSET

from hamlet_trio.common.agents import AgentResult
from hamlet_trio.history import HistoryDatabase, HistoryError, HistoryReader, RunEnded, schema
from hamlet_trio.history.columns import COLUMN_TYPES, row_of
from hamlet_trio.history.queries import EpisodesQuery, FailureFilter, RunsQuery
from hamlet_trio.protocol.episode import EvaluationSummary
from tests.history.support import ended, restore_form, started

RUN = "20260101-000000-aaaaaa"
OLDER = range(1, len(schema.MIGRATIONS))
NOBODY = 65534


def form_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return schema.version_of(connection)


def numbers(path: Path) -> list[int]:
    return [episode.episode for episode in HistoryReader(path).episodes(RUN, EpisodesQuery())]


@pytest.mark.parametrize("form", OLDER)
def test_every_query_reads_an_older_form_and_does_not_change_it(form: int, path: Path) -> None:
    restore_form(path, form)
    before = path.read_bytes()
    reader = HistoryReader(path)
    count = len(numbers(path))
    assert count in (5, 7)
    q_value = None if form < 4 else 3.5
    assert [episode.q_value for episode in reader.episodes(RUN, EpisodesQuery())] == [q_value] * count
    assert RUN in [run.run_id for run in reader.runs(RunsQuery())]
    assert reader.run(RUN).episodes == count
    failed = reader.failures(FailureFilter(run=RUN))
    assert len(failed) == (count + 1) // 2
    (group,) = reader.failure_summary(FailureFilter(run=RUN))
    assert (group.count, group.last_episode) == (len(failed), count)
    assert path.read_bytes() == before


@pytest.mark.parametrize("form", OLDER)
def test_an_older_form_is_upgraded_and_copied_before(
    form: int, database: HistoryDatabase, path: Path
) -> None:
    restore_form(path, form)
    before = HistoryReader(path).episodes(RUN, EpisodesQuery())
    database.write([ended(RUN, 9)])
    *kept, new = HistoryReader(path).episodes(RUN, EpisodesQuery())
    assert kept == before
    assert new.q_value == 3.5
    assert form_of(path) == len(schema.MIGRATIONS)
    copy = path.with_name(f"history.form{form}.db")
    assert (form_of(copy), HistoryReader(copy).episodes(RUN, EpisodesQuery())) == (form, before)


def test_form_3_lacks_only_q_values(path: Path) -> None:
    restore_form(path, 3)
    for number, episode in enumerate(HistoryReader(path).episodes(RUN, EpisodesQuery()), start=1):
        told = ended(RUN, number, evaluation=EvaluationSummary(480.0, 120.5, 3) if number == 5 else UNSET)
        values = row_of(msgspec.structs.replace(told.complete, q_value=None), episode.ended)
        assert row_of(episode, episode.ended) == values


KEYS = {
    ("episodes", "runs", "run"),
    ("failures", "runs", "run"),
    ("failures", "episodes", "run"),
    ("failures", "episodes", "episode"),
    ("agent_episodes", "runs", "run"),
    ("agent_episodes", "episodes", "run"),
    ("agent_episodes", "episodes", "episode"),
    ("checkpoints", "runs", "run"),
    ("failure_counts", "runs", "run"),
}


@pytest.mark.parametrize("form", [0, *OLDER])
def test_tables_refer_to_each_other_and_to_nothing_missing(
    form: int, database: HistoryDatabase, path: Path
) -> None:
    if form:
        restore_form(path, form)
    database.write([started(RUN), ended(RUN, 9)])
    with closing(sqlite3.connect(path)) as connection:
        found = {
            (table, key[2], key[3])
            for table in schema.table_names(connection)
            for key in connection.execute(f"PRAGMA foreign_key_list({table})")
        }
        assert found == KEYS
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("form", OLDER)
def test_an_upgraded_history_is_built_as_a_new_one(form: int, path: Path, tmp_path: Path) -> None:
    built = []
    restore_form(path, form)
    for file in (path, tmp_path / "new.db"):
        with closing(HistoryDatabase(file)) as database:
            database.write([started("new")])
        with closing(sqlite3.connect(file)) as connection:
            built.append(
                connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()
            )
    assert built[0] == built[1]


def test_a_new_history_has_the_columns_of_the_struct(database: HistoryDatabase, path: Path) -> None:
    database.write([])
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT name, type FROM pragma_table_info('episodes')").fetchall()
    assert dict(found) == {"run": "INTEGER"} | COLUMN_TYPES


def test_an_older_version_that_runs_goes_on_writing_and_nothing_is_lost(path: Path) -> None:
    restore_form(path, 3)
    insert = "INSERT INTO episodes VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"  # as that version's code has it
    row = (1, 6, "2026-01-01T00:01:00.000+00:00", *[None] * 13)
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        older.execute("SELECT * FROM runs")
        with closing(HistoryDatabase(path)) as newer:
            newer.write([ended(RUN, 7)])
            older.execute(insert, row)
            newer.write([started("b"), ended("b", 1)])
            assert form_of(path) == 3
            older.close()
            newer.write([ended(RUN, 8)])
            assert form_of(path) == 3, "not in the middle of a run"
            newer.write([started("c"), ended("c", 1)])
            assert form_of(path) == len(schema.MIGRATIONS)
    assert numbers(path) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [run.run_id for run in HistoryReader(path).runs(RunsQuery())][:2] == ["c", "b"]


def test_an_upgrade_that_was_killed_before_its_last_step_is_finished(
    database: HistoryDatabase, path: Path
) -> None:
    database.write([started(RUN)])
    database.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    database.write([ended(RUN, 1)])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


AGENTS = {
    "agent_0": AgentResult(steps=12, total_reward=-3.5, failure_reason="bankrupt"),
    "agent_1": AgentResult(steps=500, total_reward=90.25, failure_reason=None),
}


def test_how_each_agent_fared_is_kept_replaced_and_pruned(database: HistoryDatabase, path: Path) -> None:
    database.write([started(RUN), ended(RUN, 1, agents=AGENTS), ended(RUN, 2)])
    one, two = HistoryReader(path).episodes(RUN, EpisodesQuery())
    assert (one.agents, two.agents) == (AGENTS, UNSET)
    (one,) = HistoryReader(path).episodes(RUN, EpisodesQuery(every=2, max_episode=2))
    assert one.agents is UNSET
    # Played again from a checkpoint.
    later = {"agent_0": msgspec.structs.replace(AGENTS["agent_0"], steps=13)}
    database.write([ended(RUN, 1, agents=later), RunEnded(run_id=RUN, state="complete")])
    assert HistoryReader(path).episodes(RUN, EpisodesQuery())[0].agents == later
    while database.prune_some(runs=0, episodes=0):
        pass
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM agent_episodes").fetchone() == (0,)


def test_an_older_form_takes_several_agents_without_their_rows(path: Path) -> None:
    restore_form(path, 5)
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        older.execute("SELECT * FROM runs")
        with closing(HistoryDatabase(path)) as newer:
            newer.write([ended(RUN, 6, agents=AGENTS)])
        assert form_of(path) == 5
        assert HistoryReader(path).episodes(RUN, EpisodesQuery())[-1].agents is UNSET


def test_a_newer_form_is_refused_and_unchanged(database: HistoryDatabase, path: Path) -> None:
    restore_form(path, 3)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(HistoryError, match=r"history\.db was written by a newer Hamlet \(form 99"):
        database.write([started("a")])
    with pytest.raises(HistoryError, match=r"history\.db was written by a newer Hamlet: it has form 99"):
        HistoryReader(path).runs(RunsQuery())
    assert path.read_bytes() == before


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take the right to write to a folder from this process, which root has always."""
    is_root = os.geteuid() == 0
    for place in (folder, *folder.parents):
        if is_root and place.stat().st_uid == 0 and not place.stat().st_mode & 1:
            place.chmod(place.stat().st_mode | 0o055)
    folder.chmod(0o555)
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has other rights")
@pytest.mark.parametrize("state", ["closed", "killed", "copied without its index"])
def test_a_history_in_a_read_only_folder_is_read(state: str, database: HistoryDatabase, path: Path) -> None:
    database.write([started(RUN), *(ended(RUN, episode) for episode in range(1, 6))])
    if state == "closed":
        database.close()
        read = path
    else:
        read = path.parent / "copy" / "history.db"
        read.parent.mkdir()
        for suffix in ("", "-wal", "-shm"):
            if not (suffix == "-shm" and state == "copied without its index"):
                shutil.copy(f"{path}{suffix}", f"{read}{suffix}")
    with read_only(read.parent):
        assert numbers(read) == [1, 2, 3, 4, 5]
        assert HistoryReader(read).run(RUN).episodes == 5
