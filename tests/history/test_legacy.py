"""A legacy `metrics.db` is read, never changed, and imported on request."""

import csv
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hamlet_trio.history import HistoryDatabase, HistoryError, HistoryReader
from hamlet_trio.history.export import csv_header, csv_rows
from hamlet_trio.history.maintenance import import_legacy, vacuum
from hamlet_trio.history.queries import EpisodesQuery, FailureFilter, RunsQuery
from tests.history.legacy_database import make_legacy
from tests.history.support import ended, started


@pytest.fixture(params=[False, True], ids=["plain", "wal"])
def legacy(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "metrics.db"
    make_legacy(path, wal=request.param)
    return path


def test_every_query_works_on_a_legacy_database_and_does_not_change_it(legacy: Path) -> None:
    before = legacy.read_bytes()
    reader = HistoryReader(legacy)
    (run,) = reader.runs(RunsQuery())
    assert (run.source, run.state, run.episodes, run.began) == (
        "older",
        "complete",
        3,
        "2025-03-01T10:00:00",
    )
    assert run.run_id.startswith("20250301-100000-")
    details = reader.run(run.run_id)
    assert (details.steps, details.best_return, details.best_episode) == (180, 7.25, 2)
    episodes = reader.episodes(run.run_id, EpisodesQuery())
    assert [(one.episode, one.reward, one.length, one.epsilon) for one in episodes] == [
        (1, -5.5, 40, 0.5),
        (2, 7.25, 80, 0.5),
        (3, 1.0, 60, 0.5),
    ]
    assert [one.failure_reason for one in episodes][:2] == ["energy_depleted", None]
    assert (episodes[0].loss, episodes[0].evaluation) == (None, None)
    failures = reader.failures(FailureFilter())
    assert [(one.episode, one.agent_id, one.run_id) for one in failures] == [
        (3, "agent_1", run.run_id),
        (1, "agent_0", run.run_id),
    ]
    assert [one.count for one in reader.failure_summary(FailureFilter(agent="agent_0"))] == [1]
    with pytest.raises(HistoryError, match="hamlet history migrate"):
        HistoryDatabase(legacy).write([started("a")])
    assert legacy.read_bytes() == before


def test_a_missing_table_or_numeric_times_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE failure_events (id INTEGER PRIMARY KEY, timestamp REAL, episode, agent_id, reason)"
        )
        connection.execute("INSERT INTO failure_events VALUES (1, 1740823200.5, 9, 'agent_0', 'mood')")
        connection.commit()
    reader = HistoryReader(path)
    (failure,) = reader.failures(FailureFilter())
    assert failure.timestamp == "2025-03-01T10:00:00.500Z"
    (run,) = reader.runs(RunsQuery())
    assert reader.episodes(run.run_id, EpisodesQuery()) == []


def test_an_imported_database_becomes_a_run_and_is_unchanged(legacy: Path, tmp_path: Path) -> None:
    before = legacy.read_bytes()
    history = tmp_path / "history.db"
    with closing(HistoryDatabase(history)) as database:
        database.write([started("20260101-000000-aaaaaa"), ended("20260101-000000-aaaaaa", 1)])
    taken = import_legacy(legacy, history)
    assert (taken.episodes, taken.failures) == (3, 2)
    reader = HistoryReader(history)
    assert [run.source for run in reader.runs(RunsQuery())] == ["server", "older"]
    assert reader.episodes(taken.run_id, EpisodesQuery()) == HistoryReader(legacy).episodes(
        taken.run_id, EpisodesQuery()
    )
    assert len(reader.failures(FailureFilter(run=taken.run_id))) == 2
    with pytest.raises(HistoryError, match="imported already"):
        import_legacy(legacy, history)
    assert len(reader.failures(FailureFilter())) == 3
    assert legacy.read_bytes() == before


def test_other_files_are_not_imported(tmp_path: Path) -> None:
    history, other, empty = (tmp_path / name for name in ("history.db", "other.db", "empty.db"))
    with closing(HistoryDatabase(other)) as database:
        database.write([started("a")])
    with closing(sqlite3.connect(empty)) as connection:
        connection.execute("CREATE TABLE metrics (id, timestamp, episode, agent_id, metric_name, value)")
    for path, sentence in (
        (tmp_path / "nothing.db", "There is no file"),
        (other, "not written by an older"),
        (empty, "holds nothing"),
    ):
        with pytest.raises(HistoryError, match=sentence):
            import_legacy(path, history)
    assert not history.exists()


def test_spreadsheet_formulas_are_escaped_in_csv(legacy: Path) -> None:
    (run,) = HistoryReader(legacy).runs(RunsQuery())
    episodes = HistoryReader(legacy).episodes(run.run_id, EpisodesQuery())
    rows = list(csv.DictReader((csv_header() + csv_rows(episodes)).splitlines()))
    assert rows[2]["failure_reason"] == "'=cmd|' /C calc'!A0"
    assert rows[0]["reward"] == "-5.5"  # a number below zero is no formula


def test_vacuum_prunes_old_runs_and_shrinks_the_file(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with closing(HistoryDatabase(path)) as database:
        for run in range(3):
            database.write([started(f"run{run}"), *(ended(f"run{run}", number) for number in range(1, 1001))])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE runs SET state = 'complete'")
        connection.commit()
    before, after = vacuum(path, runs=1, episodes=10_000)
    assert after < before / 2
    assert [run.run_id for run in HistoryReader(path).runs(RunsQuery())] == ["run2"]
    with pytest.raises(HistoryError, match="no history"):
        vacuum(tmp_path / "nothing.db", runs=1, episodes=1)
