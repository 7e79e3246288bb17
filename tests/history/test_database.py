"""Records are written whole or not at all, and old runs are pruned."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from hamlet_trio.history import (
    CheckpointStored,
    HistoryDatabase,
    HistoryError,
    HistoryReader,
    RunEnded,
)
from hamlet_trio.history.queries import EpisodesQuery, FailureFilter, RunsQuery
from hamlet_trio.protocol.episode import EvaluationSummary
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.world import WorldConfig
from hamlet_trio.world.world_file import digest_of
from tests.history.support import ended, started


def test_a_run_and_its_episodes_are_read_back(database: HistoryDatabase, path: Path) -> None:
    evaluations = {
        "evaluation": EvaluationSummary(480.0, 120.5, 3),
        "evaluation_random": EvaluationSummary(310.5, 20.25, 30),
    }
    database.write([started("a"), ended("a", 1), ended("a", 2, **evaluations)])
    database.write([CheckpointStored(run_id="a", model="mine.pt", episode=2), ended("a", 3)])
    database.write([RunEnded(run_id="a", state="stopped", reason="enough")])
    run = HistoryReader(path).run("a")
    assert (run.state, run.reason, run.model, run.episodes) == ("stopped", "enough", "mine.pt", 3)
    assert (run.seed, run.device, run.network_type) == (7, "cpu", "options")
    assert run.parameters is not None
    assert run.parameters["num_episodes"] == 100
    assert run.ended is not None
    assert run.began <= run.ended
    assert (run.steps, run.best_return, run.best_episode, run.longest) == (36, -1 / 3, 1, 13)
    assert run.failures == {"energy_depleted": 2}
    assert [(kept.model, kept.episode) for kept in run.checkpoints] == [("mine.pt", 2)]
    told = ended("a", 2, **evaluations).complete
    kept = HistoryReader(path).episodes("a", EpisodesQuery(after=1, limit=1))[0]
    for name in set(told.__struct_fields__) - {"agents"}:  # of single agents, which are not kept
        assert getattr(kept, name) == getattr(told, name), name


def test_an_episode_played_again_replaces_the_earlier_one(database: HistoryDatabase, path: Path) -> None:
    database.write([started("a"), ended("a", 1), ended("a", 3), ended("a", 5)])
    (_, before, _) = HistoryReader(path).failures(FailureFilter())
    database.write([RunEnded(run_id="a", state="interrupted"), started("a")])
    database.write([ended("a", 1, failure_reason=None), ended("a", 3, failure_reason="mood_depleted")])
    after = HistoryReader(path).failures(FailureFilter(max_episode=3))
    assert [(one.id, one.episode, one.reason) for one in after] == [(before.id, 3, "mood_depleted")]
    run = HistoryReader(path).run("a")
    assert (run.state, run.ended, run.episodes) == ("running", None, 5)


def test_an_inferred_interruption_does_not_replace_a_recorded_end(
    database: HistoryDatabase, path: Path
) -> None:
    guess = RunEnded(run_id="a", state="interrupted", at="2026-01-01T00:00:00.000+00:00")
    database.write([started("a"), guess, RunEnded(run_id="a", state="complete", model="mine.pt")])
    true = HistoryReader(path).run("a")
    assert (true.state, true.model) == ("complete", "mine.pt"), "the truth replaces a guess"
    database.write([guess])
    assert HistoryReader(path).run("a") == true
    database.write([started("a"), guess])
    assert HistoryReader(path).run("a").state == "interrupted", "it had gone on"


def test_a_run_tells_the_digest_of_its_world(database: HistoryDatabase, path: Path) -> None:
    world = {"title": "Nine", "width": 9}
    usual, own = (
        TrainingParameters(seed=7),
        TrainingParameters(seed=7, world=world, num_agents=2, max_steps=60),
    )
    database.write([started("a", parameters=usual), started("b", parameters=own)])
    theirs = WorldConfig(width=9, num_agents=2, max_steps=60)
    digests = {run.run_id: run.world_digest for run in HistoryReader(path).runs(RunsQuery())}
    assert digests == {"a": digest_of(WorldConfig()), "b": digest_of(theirs)}


def test_a_run_whose_start_was_lost_keeps_its_episodes(database: HistoryDatabase, path: Path) -> None:
    database.write([ended("a", 7), RunEnded(run_id="unheard", state="failed")])
    (run,) = HistoryReader(path).runs(RunsQuery())
    assert (run.run_id, run.state, run.parameters) == ("a", "running", None)


def test_a_failed_batch_is_rolled_back_and_can_be_repeated(database: HistoryDatabase, path: Path) -> None:
    impossible = ended("a", 2, length=2**70)
    with pytest.raises(OverflowError):
        database.write([started("a"), ended("a", 1), impossible])
    assert HistoryReader(path).runs(RunsQuery()) == []
    database.write([started("a"), ended("a", 1)])
    database.write([started("a"), ended("a", 1)])
    assert HistoryReader(path).run("a").steps == 11


def test_the_oldest_runs_are_pruned_in_small_steps(
    database: HistoryDatabase, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hamlet_trio.history.database._PRUNED_AT_ONCE", 3)
    for run_id, hour in (("a", 1), ("b", 2), ("c", 3)):
        database.write([started(run_id, at=f"2026-01-01T{hour:02}")])
        database.write([ended(run_id, episode) for episode in range(1, 9)])
        if run_id != "a":
            database.write([RunEnded(run_id=run_id, state="complete")])
    bounds = {"runs": 2, "episodes": 1000}
    assert [database.prune_some(**bounds) for _ in range(5)] == [True, True, True, True, False]
    # "a" is the oldest, but still on.
    assert [run.run_id for run in HistoryReader(path).runs(RunsQuery())] == ["c", "a"]
    assert {one.run_id for one in HistoryReader(path).failures(FailureFilter())} == {"a", "c"}
    while database.prune_some(runs=100, episodes=8):
        pass
    assert [run.run_id for run in HistoryReader(path).runs(RunsQuery())] == ["a"]
    assert len(HistoryReader(path).episodes("a", EpisodesQuery())) == 8


def test_another_programs_database_is_refused_and_unchanged(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name)")
    content = path.read_bytes()
    with pytest.raises(HistoryError, match="something else"):
        HistoryDatabase(path).write([])
    with pytest.raises(HistoryError, match="not a history"):
        HistoryReader(path).runs(RunsQuery())
    path.write_bytes(b"not a database, but long enough to be looked at as one" * 100)
    for use in (lambda: HistoryDatabase(path).write([]), lambda: HistoryReader(path).runs(RunsQuery())):
        with pytest.raises(HistoryError, match="not a database"):
            use()
    path.write_bytes(content)


def test_a_newer_form_is_refused(database: HistoryDatabase, path: Path) -> None:
    database.write([])
    database.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(HistoryError, match="newer Hamlet"):
        database.write([])
    with pytest.raises(HistoryError, match="form 99"):
        HistoryReader(path).runs(RunsQuery())


@pytest.mark.parametrize("module", [HistoryDatabase, HistoryReader])
def test_a_file_that_cannot_be_opened_raises_a_sentence(module: type, tmp_path: Path) -> None:
    folder = tmp_path / "history.db"
    folder.mkdir()
    with pytest.raises(HistoryError, match=r"history\.db cannot be"):
        module(folder).write([]) if module is HistoryDatabase else module(folder).runs(RunsQuery())


def test_a_missing_file_reads_as_empty_and_is_not_created(path: Path) -> None:
    assert HistoryReader(path).runs(RunsQuery()) == []
    assert not path.parent.exists()


def test_a_reader_sees_the_last_commit_during_a_transaction(database: HistoryDatabase, path: Path) -> None:
    database.write([started("a"), *(ended("a", episode) for episode in range(1, 2501))])
    pages = HistoryReader(path).all_episodes("a", EpisodesQuery(min_episode=2))
    seen = len(next(pages))
    database.write([ended("a", 2501)])
    assert seen + sum(map(len, pages)) == 2500
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600
