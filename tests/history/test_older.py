"""An older Hamlet's `metrics.db`: read as it is, never altered, taken over on request."""

import csv
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hamlet_trio.history import HistoryError, HistoryLog, HistoryReader
from hamlet_trio.history.export import csv_header, csv_rows
from hamlet_trio.history.keeping import take_over, vacuum
from hamlet_trio.history.questions import EpisodesQuery, FailureFilter, RunsQuery
from tests.history.older_database import make_older
from tests.history.support import began, ended


@pytest.fixture(params=[False, True], ids=["plain", "wal"])
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "metrics.db"
    make_older(path, wal=request.param)
    return path


def test_it_answers_every_question_and_is_not_altered(older: Path) -> None:
    before = older.read_bytes()
    reader = HistoryReader(older)
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
        HistoryLog(older).write([began("a")])
    assert older.read_bytes() == before


def test_with_one_of_its_tables_or_times_as_numbers(tmp_path: Path) -> None:
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


def test_taken_over_it_is_a_run_of_the_history_and_stays_as_it_was(older: Path, tmp_path: Path) -> None:
    before = older.read_bytes()
    history = tmp_path / "history.db"
    with closing(HistoryLog(history)) as log:
        log.write([began("20260101-000000-aaaaaa"), ended("20260101-000000-aaaaaa", 1)])
    taken = take_over(older, history)
    assert (taken.episodes, taken.failures) == (3, 2)
    reader = HistoryReader(history)
    assert [run.source for run in reader.runs(RunsQuery())] == ["server", "older"]
    assert reader.episodes(taken.run_id, EpisodesQuery()) == HistoryReader(older).episodes(
        taken.run_id, EpisodesQuery()
    )
    assert len(reader.failures(FailureFilter(run=taken.run_id))) == 2
    with pytest.raises(HistoryError, match="taken over already"):
        take_over(older, history)
    assert len(reader.failures(FailureFilter())) == 3
    assert older.read_bytes() == before


def test_what_is_no_older_database_is_not_taken_over(tmp_path: Path) -> None:
    history, other, empty = (tmp_path / name for name in ("history.db", "other.db", "empty.db"))
    with closing(HistoryLog(other)) as log:
        log.write([began("a")])
    with closing(sqlite3.connect(empty)) as connection:
        connection.execute("CREATE TABLE metrics (id, timestamp, episode, agent_id, metric_name, value)")
    for path, sentence in (
        (tmp_path / "nothing.db", "There is no file"),
        (other, "not written by an older"),
        (empty, "holds nothing"),
    ):
        with pytest.raises(HistoryError, match=sentence):
            take_over(path, history)
    assert not history.exists()


def test_text_that_a_spreadsheet_would_run_is_made_harmless(older: Path) -> None:
    (run,) = HistoryReader(older).runs(RunsQuery())
    episodes = HistoryReader(older).episodes(run.run_id, EpisodesQuery())
    rows = list(csv.DictReader((csv_header() + csv_rows(episodes)).splitlines()))
    assert rows[2]["failure_reason"] == "'=cmd|' /C calc'!A0"
    assert rows[0]["reward"] == "-5.5"  # a number below zero is no formula


def test_a_vacuum_forgets_old_runs_and_gives_space_back(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with closing(HistoryLog(path)) as log:
        for run in range(3):
            log.write([began(f"run{run}"), *(ended(f"run{run}", episode) for episode in range(1, 1001))])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE runs SET state = 'complete'")
        connection.commit()
    before, after = vacuum(path, runs=1, episodes=10_000)
    assert after < before / 2
    assert [run.run_id for run in HistoryReader(path).runs(RunsQuery())] == ["run2"]
    with pytest.raises(HistoryError, match="no history"):
        vacuum(tmp_path / "nothing.db", runs=1, episodes=1)
