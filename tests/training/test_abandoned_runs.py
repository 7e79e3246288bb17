"""A run whose process was killed is known to be over, and one that goes on is left alone."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from hamlet_trio.history import HistoryDatabase, HistoryReader, Record, RunEnded, RunStarted
from hamlet_trio.history.opening import open_to_write
from hamlet_trio.history.records import Source
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import Settings
from hamlet_trio.training.abandoned_runs import abandoned_runs, end_abandoned_runs
from hamlet_trio.training.store import RunStore
from hamlet_trio.training.trainer_process import COMMAND
from tests.history.support import ended
from tests.patience import PATIENCE
from tests.training.local_runs import train
from tests.training.support import Server

DEAD, ALIVE, DONE = "20260101-000000-aaaaaa", "20260102-000000-bbbbbb", "20260103-000000-cccccc"
BEGAN = "2026-01-01T00:00:00.000+00:00"


def begun(run_id: str, source: Source = "command_line") -> RunStarted:
    return RunStarted(
        run_id=run_id, parameters=TrainingParameters(seed=1), device="cpu", source=source, at=BEGAN
    )


@pytest.fixture
def past(tmp_path: Path) -> HistoryReader:
    path = tmp_path / "history.db"
    with closing(HistoryDatabase(path)) as log:
        log.write([begun(DEAD), begun(ALIVE), begun(DONE), RunEnded(run_id=DONE, state="complete")])
    return HistoryReader(path)


def states(past: HistoryReader) -> list[str]:
    return [past.run(name).state for name in (DEAD, ALIVE, DONE)]


def test_a_run_without_a_process_was_interrupted_when_last_heard_of(
    past: HistoryReader, tmp_path: Path
) -> None:
    with RunStore(tmp_path).training(ALIVE):
        end_abandoned_runs(past.path)
        assert states(past) == ["interrupted", "running", "complete"]
    assert past.run(DEAD).ended == BEGAN
    with closing(HistoryDatabase(past.path)) as log:
        moment = "2026-01-02T03:04:05.678+00:00"
        log.write([msgspec.structs.replace(ended(ALIVE, episode), at=moment) for episode in (1, 2)])
    end_abandoned_runs(past.path)
    assert (past.run(ALIVE).state, past.run(ALIVE).ended) == ("interrupted", moment)


def test_a_run_of_a_server_is_on_between_two_trainers(past: HistoryReader, tmp_path: Path) -> None:
    with closing(HistoryDatabase(past.path)) as log:
        log.write([begun(ALIVE, source="server")])
    store = RunStore(tmp_path)
    with store.server_lock():
        assert [run.run_id for run in abandoned_runs(past.path, store)] == [DEAD]
    assert [run.run_id for run in abandoned_runs(past.path, store)] == [DEAD, ALIVE]


def test_looking_makes_no_files(past: HistoryReader, tmp_path: Path) -> None:
    abandoned_runs(past.path, RunStore(tmp_path))
    assert {path.name.partition("-")[0] for path in tmp_path.iterdir()} == {"history.db"}


def test_the_next_run_of_the_command_line_says_so(
    past: HistoryReader, tmp_path: Path, parameters: TrainingParameters
) -> None:
    with RunStore(tmp_path).training(ALIVE):
        in_data = {"data_dir": str(tmp_path)}
        result = train(tmp_path, parameters, settings=in_data, history=HistoryDatabase(past.path))
    assert states(past) == ["interrupted", "running", "complete"]
    assert past.run(result.run_id).state == "complete"


async def test_a_server_looks_for_such_runs_once_the_history_is_open(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_open, seen = threading.Event(), []

    def open_later(path: Path) -> sqlite3.Connection:
        assert may_open.wait(PATIENCE)
        return open_to_write(path)

    def look(path: Path, store: RunStore) -> list[Record]:
        seen.append(may_open.is_set())
        return abandoned_runs(path, store)

    async def let_it_open() -> None:
        await wait_all_tasks_blocked(0.05)
        may_open.set()

    monkeypatch.setattr("hamlet_trio.history.database.open_to_write", open_later)
    monkeypatch.setattr("hamlet_trio.training.run_review.abandoned_runs", look)
    async with trio.open_nursery() as nursery:
        server = Server(nursery, settings, COMMAND)
        nursery.start_soon(server.history.run)
        nursery.start_soon(let_it_open)
        await nursery.start(server.service.run)
        nursery.cancel_scope.cancel()
    assert seen == [True]
