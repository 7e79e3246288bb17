"""The counts of failures equal a recount after any change, and a summary reads only the counts."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamlet_trio.history import HistoryDatabase, HistoryReader, RunEnded, schema
from hamlet_trio.history.queries import FailureFilter
from tests.history.support import ended, restore_form, started

REASONS = ("energy_depleted", "mood_depleted", None)
GROUPED = (
    "SELECT run, agent_id, reason, count(*), max(episode), max(timestamp) FROM failures"
    " GROUP BY agent_id, reason, run ORDER BY agent_id, reason, run"
)
KEPT = "SELECT * FROM failure_counts ORDER BY agent_id, reason, run"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(HistoryDatabase(path)) as database:
        database.write([])
    with closing(sqlite3.connect(path)) as connection:
        yield connection


STATEMENTS = {
    "insert": "INSERT INTO failures VALUES (NULL, ?1, ?4, ?2, 'agent_0', ?3)",
    "update": "UPDATE failures SET reason = ?3, timestamp = ?4 WHERE run = ?1 AND episode = ?2",
    "delete": "DELETE FROM failures WHERE run = ?1 AND episode = ?2 AND reason = ?3 OR timestamp < ?4",
}
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(sorted(STATEMENTS)),
        st.integers(1, 2),  # run
        st.integers(1, 4),  # episode
        st.sampled_from(["a", "b"]),  # reason
        st.integers(1, 3),  # time
    ),
    max_size=40,
)


@given(changes=CHANGES)
def test_counts_equal_a_recount_after_any_changes(
    changes: list[tuple[str, int, int, str, int]],
) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        schema.upgrade(connection)
        for change, run, episode, reason, time in changes:
            connection.execute(STATEMENTS[change], (run, episode, reason, f"2026-01-0{time}"))
            assert connection.execute(KEPT).fetchall() == connection.execute(GROUPED).fetchall()


def test_counts_follow_runs_that_are_written_resumed_and_pruned(
    path: Path, connection: sqlite3.Connection
) -> None:
    with closing(HistoryDatabase(path)) as database:
        for run_id in ("a", "b"):
            database.write([started(run_id)])
            database.write(
                [ended(run_id, episode, failure_reason=REASONS[episode % 3]) for episode in range(1, 100)]
            )
        database.write([ended("a", 99, failure_reason="mood_depleted"), ended("b", 50, failure_reason=None)])
        assert connection.execute(KEPT).fetchall() == connection.execute(GROUPED).fetchall() != []
        summary = HistoryReader(path).failure_summary(FailureFilter())
        assert [(group.reason, group.count, group.last_episode) for group in summary] == [
            ("mood_depleted", 67, 99),
            ("energy_depleted", 65, 99),
        ]
        database.write([RunEnded(run_id="a", state="complete")])
        while database.prune_some(runs=1, episodes=10_000):
            assert connection.execute(KEPT).fetchall() == connection.execute(GROUPED).fetchall()
    assert {run for run, *_ in connection.execute(KEPT)} == {2}


def test_a_summary_of_all_failures_reads_only_the_counts(path: Path, connection: sqlite3.Connection) -> None:
    with closing(HistoryDatabase(path)) as database:
        database.write([started("a"), started("b"), ended("a", 1), ended("b", 3)])
    reader = HistoryReader(path)
    whole = reader.failure_summary(FailureFilter())
    of_one = reader.failure_summary(FailureFilter(run="b"))
    connection.execute("DROP TRIGGER failure_taken")
    connection.execute("DELETE FROM failures")
    connection.commit()
    assert reader.failure_summary(FailureFilter()) == whole
    assert reader.failure_summary(FailureFilter(reason="energy_depleted", agent="agent_0")) == whole
    assert reader.failure_summary(FailureFilter(run="b")) == of_one
    assert [group.count for group in (*whole, *of_one)] == [2, 1]
    assert reader.failure_summary(FailureFilter(min_episode=1)) == []


def test_a_history_without_counts_is_counted_on_upgrade(path: Path) -> None:
    restore_form(path, 2)
    with closing(HistoryDatabase(path)) as database:
        database.write([ended("20260101-000000-aaaaaa", 9)])
    (group,) = HistoryReader(path).failure_summary(FailureFilter())
    assert (group.count, group.last_episode) == (5, 9)
    assert path.with_name("history.form2.db").is_file()
