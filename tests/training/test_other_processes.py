"""Runs of other processes over a data folder: their ends are recorded and told without being asked for."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
import trio

from hamlet_trio.history import HistoryDatabase, HistoryReader, RunStarted, history_path
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import Settings
from hamlet_trio.training.store import RunRecord, RunStore
from tests.training.support import Serving

RUN = "20260101-000000-aaaaaa"
HOLD = (
    "import sys; from pathlib import Path; from hamlet_trio.training.store import RunStore;"
    "store = RunStore(Path(sys.argv[1])); lock = store.server_lock(); lock.acquire();"
    "held = store.training(sys.argv[2]); held.__enter__(); print('held', flush=True); sys.stdin.read()"
)


@contextmanager
def a_trainer_whose_server_was_killed(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Within the context, a process holds the locks of a run; it ends when its standard input closes."""
    store = RunStore(Path(settings.data_dir))
    record = RunRecord(run_id=RUN, parameters=TrainingParameters(seed=1))
    store.write(record)
    store.write_state(RUN, b"state")
    with closing(HistoryDatabase(history_path(settings))) as database:
        database.write([RunStarted(run_id=RUN, parameters=record.parameters, device="cpu", source="server")])
    command = [sys.executable, "-c", HOLD, settings.data_dir, RUN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            yield holder
        finally:
            let_go(holder)


def let_go(holder: subprocess.Popen[bytes]) -> None:
    holder.kill()
    holder.wait()


async def test_a_run_left_by_a_killed_server_is_ended_and_offered_once_its_trainer_lets_go(
    serving: Serving, settings: Settings
) -> None:
    past = HistoryReader(history_path(settings))
    with a_trainer_whose_server_was_killed(settings) as holder:
        async with serving(settings) as server:
            client = await server.connect()
            assert (await client.read())["resumable"] == []
            assert past.run(RUN).state == "running"
            let_go(holder)
            assert (await client.read())["resumable"] == [RUN]
            assert past.run(RUN).state == "interrupted"


async def test_no_run_is_offered_while_a_start_would_be_refused(serving: Serving, settings: Settings) -> None:
    with a_trainer_whose_server_was_killed(settings):
        pass
    lock = RunStore(Path(settings.data_dir)).server_lock()
    with lock:  # the run was saved, and its trainer is still on its way out
        async with serving(settings) as server:
            client = await server.connect()
            assert (await client.read())["resumable"] == []
            lock.release()
            assert (await client.read())["resumable"] == [RUN]


async def test_a_start_waits_for_the_trainer_of_a_killed_server(serving: Serving, settings: Settings) -> None:
    with a_trainer_whose_server_was_killed(settings) as holder:
        async with serving(settings) as server:
            client = await server.connect()
            await client.until_state("idle")
            await client.send("start_training", num_episodes=1, max_steps=2, step_delay=0, seed=1)
            await client.send("status")
            other = await server.connect()
            await other.send("status")
            for _ in range(2):  # the one who starts waits, and nobody else does
                await other.until_state("idle")
            let_go(holder)
            await client.until("training_started")
            await client.until("training_complete")
            assert "error" not in client.kinds()


async def test_a_start_waits_no_longer_than_the_grace_and_then_says_why(
    serving: Serving, settings: Settings
) -> None:
    with a_trainer_whose_server_was_killed(settings):
        async with serving(msgspec.structs.replace(settings, shutdown_grace=0.1)) as server:
            client = await server.connect()
            await client.send("start_training", num_episodes=1)
            assert (await client.until("error"))["code"] == "training_locked"


async def test_the_first_status_names_the_runs_that_can_be_resumed(
    serving: Serving, settings: Settings
) -> None:
    with a_trainer_whose_server_was_killed(settings):
        pass
    async with serving(settings, early=True) as server:
        client = await server.connect()
        assert (await client.read())["resumable"] == [RUN]


@pytest.mark.skipif(os.name == "nt", reason="permissions are another thing there")
@pytest.mark.long
async def test_an_unreadable_folder_of_runs_leaves_training_answering(
    serving: Serving, settings: Settings
) -> None:
    runs = trio.Path(settings.data_dir) / "runs"
    await runs.parent.mkdir()
    await runs.symlink_to(runs)  # a loop, which root cannot read either
    async with serving(settings) as server:
        client = await server.connect()
        assert (await client.read())["state"] == "idle"
        await client.send("start_training", num_episodes=1)
        error = await client.until("error")
        assert error["code"] == "training_unavailable"
        assert settings.data_dir in error["message"]
        assert server.service.problem == error["message"]
        await runs.unlink()
        await client.send("start_training", num_episodes=1, max_steps=2, step_delay=0)
        await client.until("training_complete")
        assert server.service.problem is None


@pytest.mark.parametrize("damage", ["schema", pytest.param("run", marks=pytest.mark.long)])
async def test_one_bad_byte_ends_nothing(
    serving: Serving, settings: Settings, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with a_trainer_whose_server_was_killed(settings):
        pass
    path = history_path(settings)
    if damage == "run":
        path = Path(settings.data_dir) / "runs" / RUN / "run.json"
    content = path.read_bytes()
    place = content.index(b"CREATE TABLE" if damage == "schema" else b"seed")
    path.write_bytes(content[:place] + b"\xff" + content[place + 1 :])
    async with serving(settings) as server:
        client = await server.connect()
        assert (await client.read())["state"] == "idle"
        await client.send("start_training", num_episodes=1, max_steps=2, step_delay=0)
        await client.until("training_complete")
        assert (server.history.problem is not None) == (damage == "schema")
