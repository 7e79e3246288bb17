"""What is written stays, whole or not at all, and old runs make room for new ones."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hamlet_trio.history import CheckpointKept, HistoryError, HistoryLog, HistoryReader, RunEnded, schema
from hamlet_trio.history.questions import EpisodesQuery, FailureFilter, RunsQuery
from hamlet_trio.protocol.episode import EvaluationSummary
from tests.history.support import began, ended


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "history.db"


@pytest.fixture
def log(path: Path) -> Iterator[HistoryLog]:
    with closing(HistoryLog(path)) as log:
        yield log


def test_a_run_and_all_that_its_episodes_told_are_read_back(log: HistoryLog, path: Path) -> None:
    evaluation = EvaluationSummary(480.0, 120.5, 3)
    log.write([began("a"), ended("a", 1), ended("a", 2, evaluation=evaluation)])
    log.write([CheckpointKept(run_id="a", model="mine.pt", episode=2), ended("a", 3)])
    log.write([RunEnded(run_id="a", state="stopped", reason="enough")])
    run = HistoryReader(path).run("a")
    assert (run.state, run.reason, run.model, run.episodes) == ("stopped", "enough", "mine.pt", 3)
    assert (run.seed, run.device, run.network_type) == (7, "cpu", "egocentric")
    assert run.parameters is not None
    assert run.parameters["num_episodes"] == 100
    assert run.ended is not None
    assert run.began <= run.ended
    assert (run.steps, run.best_return, run.best_episode, run.longest) == (36, -1 / 3, 1, 13)
    assert run.failures == {"energy_depleted": 2}
    assert [(kept.model, kept.episode) for kept in run.checkpoints] == [("mine.pt", 2)]
    told = ended("a", 2, evaluation=evaluation).complete
    kept = HistoryReader(path).episodes("a", EpisodesQuery(after=1, limit=1))[0]
    for name in told.__struct_fields__:
        assert getattr(kept, name) == getattr(told, name), name


def test_an_episode_played_again_takes_the_place_of_the_earlier_one(log: HistoryLog, path: Path) -> None:
    log.write([began("a"), ended("a", 1), ended("a", 3), ended("a", 5)])
    (_, before, _) = HistoryReader(path).failures(FailureFilter())
    log.write([RunEnded(run_id="a", state="interrupted"), began("a")])
    log.write([ended("a", 1, failure_reason=None), ended("a", 3, failure_reason="mood_depleted")])
    after = HistoryReader(path).failures(FailureFilter(max_episode=3))
    assert [(one.id, one.episode, one.reason) for one in after] == [(before.id, 3, "mood_depleted")]
    run = HistoryReader(path).run("a")
    assert (run.state, run.ended, run.episodes) == ("running", None, 5)


def test_what_was_taken_for_interrupted_does_not_replace_an_end_that_was_told(
    log: HistoryLog, path: Path
) -> None:
    guess = RunEnded(run_id="a", state="interrupted", at="2026-01-01T00:00:00.000+00:00")
    log.write([began("a"), guess, RunEnded(run_id="a", state="complete", model="mine.pt")])
    true = HistoryReader(path).run("a")
    assert (true.state, true.model) == ("complete", "mine.pt"), "the truth replaces a guess"
    log.write([guess])
    assert HistoryReader(path).run("a") == true
    log.write([began("a"), guess])
    assert HistoryReader(path).run("a").state == "interrupted", "it had gone on"


def test_a_run_whose_beginning_was_lost_keeps_its_episodes(log: HistoryLog, path: Path) -> None:
    log.write([ended("a", 7), RunEnded(run_id="unheard", state="failed")])
    (run,) = HistoryReader(path).runs(RunsQuery())
    assert (run.run_id, run.state, run.parameters) == ("a", "running", None)


def test_a_batch_that_fails_leaves_nothing_and_may_be_written_again(log: HistoryLog, path: Path) -> None:
    impossible = ended("a", 2, length=2**70)
    with pytest.raises(OverflowError):
        log.write([began("a"), ended("a", 1), impossible])
    assert HistoryReader(path).runs(RunsQuery()) == []
    log.write([began("a"), ended("a", 1)])
    log.write([began("a"), ended("a", 1)])
    assert HistoryReader(path).run("a").steps == 11


def test_the_oldest_runs_make_room_a_little_at_a_time(
    log: HistoryLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hamlet_trio.history.log._PRUNED_AT_ONCE", 3)
    for run_id, hour in (("a", 1), ("b", 2), ("c", 3)):
        log.write([began(run_id, at=f"2026-01-01T{hour:02}")])
        log.write([ended(run_id, episode) for episode in range(1, 9)])
        if run_id != "a":
            log.write([RunEnded(run_id=run_id, state="complete")])
    bounds = {"runs": 2, "episodes": 1000}
    assert [log.make_room(**bounds) for _ in range(5)] == [True, True, True, True, False]
    # "a" is the oldest, but still on.
    assert [run.run_id for run in HistoryReader(path).runs(RunsQuery())] == ["c", "a"]
    assert {one.run_id for one in HistoryReader(path).failures(FailureFilter())} == {"a", "c"}
    while log.make_room(runs=100, episodes=8):
        pass
    assert [run.run_id for run in HistoryReader(path).runs(RunsQuery())] == ["a"]
    assert len(HistoryReader(path).episodes("a", EpisodesQuery())) == 8


def test_a_database_of_something_else_is_refused_and_unchanged(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name)")
    content = path.read_bytes()
    with pytest.raises(HistoryError, match="something else"):
        HistoryLog(path).write([])
    with pytest.raises(HistoryError, match="no history"):
        HistoryReader(path).runs(RunsQuery())
    path.write_bytes(b"not a database, but long enough to be looked at as one" * 100)
    for use in (lambda: HistoryLog(path).write([]), lambda: HistoryReader(path).runs(RunsQuery())):
        with pytest.raises(HistoryError, match="not a database"):
            use()
    path.write_bytes(content)


def test_a_newer_form_is_refused(log: HistoryLog, path: Path) -> None:
    log.write([])
    log.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(HistoryError, match="newer Hamlet"):
        log.write([])
    with pytest.raises(HistoryError, match="form 99"):
        HistoryReader(path).runs(RunsQuery())


def test_an_earlier_form_is_brought_up_to_date_and_a_copy_kept(
    log: HistoryLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.write([began("a"), ended("a", 1)])
    log.close()
    longer = (*schema.MIGRATIONS, "ALTER TABLE runs ADD COLUMN title TEXT;")
    for module in ("schema", "database"):
        monkeypatch.setattr(f"hamlet_trio.history.{module}.MIGRATIONS", longer)
    with pytest.raises(HistoryError, match="brought up to date"):
        HistoryReader(path).runs(RunsQuery())
    log.write([ended("a", 2)])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT title FROM runs").fetchall() == [(None,)]
    assert HistoryReader(path).run("a").episodes == 2
    monkeypatch.undo()
    assert HistoryReader(path.with_name(f"history.form{len(schema.MIGRATIONS)}.db")).run("a").episodes == 1


@pytest.mark.parametrize("module", [HistoryLog, HistoryReader])
def test_what_cannot_be_opened_is_a_sentence(module: type, tmp_path: Path) -> None:
    folder = tmp_path / "history.db"
    folder.mkdir()
    with pytest.raises(HistoryError, match=r"history\.db cannot be"):
        module(folder).write([]) if module is HistoryLog else module(folder).runs(RunsQuery())


def test_a_file_that_does_not_exist_holds_nothing_and_reading_does_not_make_it(path: Path) -> None:
    assert HistoryReader(path).runs(RunsQuery()) == []
    assert not path.parent.exists()


def test_a_reader_sees_what_was_there_while_a_writer_is_at_work(log: HistoryLog, path: Path) -> None:
    log.write([began("a"), *(ended("a", episode) for episode in range(1, 2501))])
    pages = HistoryReader(path).all_episodes("a", EpisodesQuery(min_episode=2))
    seen = len(next(pages))
    log.write([ended("a", 2501)])
    assert seen + sum(map(len, pages)) == 2500
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600
