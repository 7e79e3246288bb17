"""The writer task: committed when `write` returns, and no delay for callers when the database fails."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from hamlet_trio.common.backoff import Backoff
from hamlet_trio.history import HistoryReader, HistoryWriter, RunEnded, history_path
from hamlet_trio.history.queries import EpisodesQuery, RunsQuery
from hamlet_trio.settings import Settings
from tests.history.support import ended, started
from tests.patience import PATIENCE


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=str(tmp_path / "data"))


@asynccontextmanager
async def running(writer: HistoryWriter) -> AsyncIterator[trio.Nursery]:
    """The service, for as long as the context lasts."""
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            await nursery.start(writer.run)
            yield nursery
            nursery.cancel_scope.cancel()


async def until_written_again(writer: HistoryWriter) -> None:
    """Wait until records are written again, which no event announces."""
    while writer.problem is not None:  # noqa: ASYNC110
        await trio.sleep(0.01)


def episodes(settings: Settings) -> list[int]:
    kept = HistoryReader(history_path(settings)).episodes("a", EpisodesQuery(limit=1000))
    return [episode.episode for episode in kept]


async def test_a_written_episode_can_be_read_at_once(settings: Settings) -> None:
    writer = HistoryWriter(settings)
    async with running(writer):
        for episode in range(1, 6):
            await writer.write(*([started("a")] if episode == 1 else []), ended("a", episode))
            assert episodes(settings)[-1] == episode
        numbers = writer.statistics()
    assert (numbers.working, numbers.waiting, numbers.written, numbers.lost) == (True, 0, 6, 0)
    assert numbers.transactions == 5
    assert numbers.seconds > 0


async def test_records_during_a_transaction_go_into_the_next_one(settings: Settings) -> None:
    writer = HistoryWriter(settings)
    async with running(writer), trio.open_nursery() as nursery:
        for episode in range(1, 101):
            nursery.start_soon(writer.write, ended("a", episode))
    assert sorted(episodes(settings)) == list(range(1, 101))
    assert writer.statistics().transactions <= 2


async def test_queued_records_are_written_at_shutdown(settings: Settings) -> None:
    writer = HistoryWriter(settings)
    async with running(writer) as nursery:
        nursery.start_soon(writer.write, ended("a", 1))
        await trio.lowlevel.checkpoint()
    assert episodes(settings) == [1]
    await writer.write(ended("a", 2))  # nobody writes any more, and nobody waits
    assert episodes(settings) == [1]
    async with running(writer):
        assert episodes(settings) == [1, 2]


async def test_a_failing_database_delays_nobody_and_queued_records_are_written_later(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = trio.Path(settings.data_dir)
    await blocked.write_text("a file where the folder should be")
    writer = HistoryWriter(settings)
    monkeypatch.setattr(writer, "_backoff", Backoff(first=0.05))
    async with running(writer):
        assert writer.problem is not None
        assert "cannot be written" in writer.problem
        for episode in range(1, 4):
            await writer.write(ended("a", episode))
        assert not writer.statistics().working
        assert writer.statistics().waiting == 3
        await blocked.unlink()
        await until_written_again(writer)
        assert episodes(settings) == [1, 2, 3]
        await writer.write(ended("a", 4))
        assert episodes(settings) == [1, 2, 3, 4]


async def test_records_queued_on_a_full_disk_are_written_once_there_is_room(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = HistoryWriter(settings)
    monkeypatch.setattr(writer, "_backoff", Backoff(first=0.05))
    async with running(writer):
        await writer.write(started("a"), ended("a", 1))
        # The same answer of SQLite as where the file system has no room; it ends with the connection.
        (pages,) = writer._database._open().execute("PRAGMA page_count").fetchone()
        writer._database._open().execute(f"PRAGMA max_page_count = {pages}")
        await writer.write(*(ended("a", episode) for episode in range(2, 1001)))
        assert writer.problem is not None
        assert "full" in writer.problem
        await until_written_again(writer)
    assert episodes(settings) == list(range(1, 1001))
    assert writer.statistics().lost == 0


async def test_values_that_no_database_can_hold_are_dropped(settings: Settings) -> None:
    writer = HistoryWriter(settings)
    with pytest.RaisesGroup(OverflowError, flatten_subgroups=True):
        async with running(writer):
            await writer.write(ended("a", 1, length=2**70))
    async with running(writer):
        await writer.write(ended("a", 2))
    assert episodes(settings) == [2]
    assert writer.statistics().lost == 1


async def test_a_full_queue_drops_and_counts_the_oldest_records(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hamlet_trio.history.writer.MAX_WAITING", 3)
    writer = HistoryWriter(settings)
    await writer.write(*(ended("a", episode) for episode in range(1, 6)))
    async with running(writer):
        assert episodes(settings) == [3, 4, 5]
        assert writer.statistics().lost == 2


async def test_a_hanging_database_delays_nobody(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hamlet_trio.history.writer._WRITE_SECONDS", 0.05)
    hanging, answer = threading.Event(), threading.Event()
    writer = HistoryWriter(settings)
    write = writer._database.write

    def hang(records: Any) -> None:
        if records and not answer.is_set():
            hanging.set()
            answer.wait(PATIENCE)
        write(records)

    monkeypatch.setattr(writer._database, "write", hang)
    async with running(writer):
        await writer.write(ended("a", 1))
        assert hanging.is_set()
        assert writer.problem == "The history did not answer within 0.05 s."
        await writer.write(ended("a", 2))
        answer.set()
        await until_written_again(writer)
        assert episodes(settings) == [1, 2]


async def test_a_hanging_database_does_not_hold_up_shutdown(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hamlet_trio.history.writer._WRITE_SECONDS", 0.05)
    monkeypatch.setattr("hamlet_trio.history.writer._SHUTDOWN_SECONDS", 0.05)
    answer = threading.Event()
    writer = HistoryWriter(settings)
    monkeypatch.setattr(writer._database, "write", lambda records: answer.wait(PATIENCE) if records else None)
    async with running(writer):
        await writer.write(ended("a", 1))
    answer.set()


async def test_old_runs_are_pruned_when_one_starts(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path / "data"), history_runs=2)
    writer = HistoryWriter(settings)
    async with running(writer):
        for number in range(4):
            await writer.write(started(f"run{number}", at=f"2026-01-01T00:00:0{number}"))
            await writer.write(ended(f"run{number}", 1))
    # All four are on as far as the history knows, and a run that is on is spared.
    reader = HistoryReader(history_path(settings))
    assert len(reader.runs(RunsQuery())) == 4
    async with running(writer):
        await writer.write(*(RunEnded(run_id=f"run{number}", state="complete") for number in range(4)))
        await writer.write(started("run4"))
    assert [run.run_id for run in reader.runs(RunsQuery())] == ["run4", "run3"]
