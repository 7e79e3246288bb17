"""A viewer's connection without any run: what it is told, what is refused, and why it is closed."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.common.lock import FileLock
from hamlet_trio.connection import ReadBatch, ServerFullError
from hamlet_trio.history import HistoryWriter
from hamlet_trio.protocol.errors import CloseCode
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import Settings
from hamlet_trio.training import TrainingService
from hamlet_trio.training.store import RunRecord, RunStore, new_run_id
from tests.training.support import Client, Server, Serving


async def test_the_status_comes_first_and_again_when_asked(client: Client) -> None:
    first = await client.read()
    assert first == {
        "type": "training_status",
        "is_training": False,
        "current_episode": 0,
        "total_episodes": 0,
        "state": "idle",
        "parameters": None,
        "viewers": 1,
        "run_id": None,
        "reason": None,
        "resumable": [],
    }
    await client.send("status")
    assert await client.read() == first


async def test_a_run_interrupted_since_is_offered_when_the_status_is_asked_for(
    server: Server, client: Client, settings: Settings
) -> None:
    assert (await client.read())["resumable"] == []
    store = RunStore(Path(settings.data_dir))
    record = RunRecord(run_id=new_run_id(), parameters=TrainingParameters(seed=1))
    store.write(record)
    store.write_state(record.run_id, b"state")
    with store.training(record.run_id):  # still being saved by a trainer whose server was killed
        await client.send("status")
        assert (await client.read())["resumable"] == []
    await client.send("status")
    assert (await client.read())["resumable"] == [record.run_id]


@pytest.mark.parametrize("command", ["pause", "resume", "stop"])
async def test_without_a_run_a_command_is_refused(client: Client, command: str) -> None:
    await client.send(command)
    error = await client.until("error")
    assert (error["code"], error["command"]) == ("not_training", command)


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"num_episodes": 0}, "out_of_range", "num_episodes"),
        ({"gamma": "high"}, "wrong_type", "gamma"),
        ({"no_such": 1}, "unknown_field", "no_such"),
        ({"resume_from": "no_such.pt"}, "unknown_checkpoint", "resume_from"),
        ({"resume_from": "../secret.pt"}, "unknown_checkpoint", "resume_from"),
        ({"resume_from": "20250101-000000-aaaaaa"}, "unknown_checkpoint", "resume_from"),
        ({"resume_from": "nonsense"}, "unknown_checkpoint", "resume_from"),
    ],
)
async def test_start_parameters_are_checked_first_and_nothing_starts(
    server: Server, client: Client, fields: dict[str, Any], code: str, field: str
) -> None:
    other = await server.connect()
    await other.read()
    await client.send("start_training", **fields)
    error = await client.until("error")
    assert (error["code"], error["field"]) == (code, field)
    await client.send("status")
    assert (await client.read())["state"] == "idle"
    await wait_all_tasks_blocked()
    assert other.seen == [other.seen[0]]
    assert server.trainers() == []


async def test_answers_keep_the_order_of_commands_also_of_flawed_ones(client: Client) -> None:
    await client.read()
    await client.send("start_training", resume_from="missing.pt")
    await client.send_raw("not JSON")
    await client.send("status")
    await client.send_raw(b"binary")
    await client.send("pause")
    answers = [await client.read() for _ in range(5)]
    assert [answer.get("code", answer["type"]) for answer in answers] == [
        "unknown_checkpoint",
        "invalid_json",
        "training_status",
        "binary_frame",
        "not_training",
    ]


async def test_start_is_refused_while_another_server_trains_over_the_folder(
    client: Client, settings: Settings
) -> None:
    await client.read()
    with FileLock(Path(settings.data_dir) / "training.lock"):
        await client.send("start_training")
        error = await client.read()
        assert error["code"] == "training_locked"
        assert settings.data_dir in error["message"]
    await client.send("status")
    assert (await client.read())["state"] == "idle"


async def test_start_says_why_the_data_folder_cannot_be_used(serving: Serving, settings: Settings) -> None:
    await trio.Path(settings.data_dir).write_text("a file, not a folder")
    async with serving(settings) as server:
        client = await server.connect()
        await client.send("start_training")
        error = await client.until("error")
        assert error["code"] == "training_unavailable"
        assert "Not a directory" in error["message"]


async def test_start_says_why_no_process_could_be_started(serving: Serving, settings: Settings) -> None:
    async with serving(settings, command=["/no/such/program"]) as server:
        client, other = await server.connect(), await server.connect()
        for _ in range(2):  # the lock was given back: a second attempt fails in the same way
            await client.send("start_training")
            await client.until_state("starting")
            error = await client.until("error")
            assert error["code"] == "training_unavailable"
            assert "No such file" in error["message"]
            failed = await other.until_state("failed")
            assert failed["reason"] == error["message"]
            assert failed["is_training"] is False


async def test_a_trainer_that_always_dies_is_given_up_after_three_restarts(
    serving: Serving, settings: Settings
) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('broken beyond repair')"]
    async with serving(settings, command=command) as server:
        client = await server.connect()
        await client.send("start_training")
        failed = await client.until_state("failed")
        told = [message for message in client.seen if message["type"] == "training_failed"]
        assert [message["restart"] for message in told] == [True, True, True, False]
        assert all("broken beyond repair" in message["reason"] for message in told)
        assert all(message["model_saved"] is None for message in told)
        assert "broken beyond repair" in failed["reason"]
        assert server.service.statistics().restarts == 3
        states = [m["state"] for m in client.seen if m["type"] == "training_status"]
        assert states == ["idle", *["starting"] * 4, "failed"]


async def test_each_viewer_chooses_the_form_of_its_frames(server: Server, client: Client) -> None:
    await client.send("set_view", frames="compact")
    assert (await client.until("view"))["frames"] == "compact"
    await client.send("set_view")
    assert (await client.until("view"))["frames"] == "compact"
    await client.send("set_view", frames="half")
    assert (await client.until("error"))["field"] == "frames"
    other = await server.connect()
    await other.send("set_view")
    assert (await other.until("view"))["frames"] == "full"


async def test_draining_closes_with_1012(server: Server, client: Client) -> None:
    await client.read()
    server.draining.set()
    await client.gone.wait()
    assert client.code is CloseCode.SERVICE_RESTART
    assert server.service.viewers == 0


async def test_abuse_closes_with_1008(serving: Serving, settings: Settings) -> None:
    # At this rate the next command would be allowed in days, however slow the machine.
    strict = msgspec.structs.replace(settings, command_rate=1e-6, command_burst=1, command_abuse=5)
    async with serving(strict) as server:
        client = await server.connect()
        for _ in range(10):
            await client.send("status")
        await client.gone.wait()
        assert client.code is CloseCode.POLICY_VIOLATION


async def test_an_error_of_ours_closes_with_1011_and_is_logged(
    serving: Serving, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        async def receive(self) -> str:
            raise ZeroDivisionError("of ours")

        async def send(self, text: str) -> None:
            await trio.lowlevel.checkpoint()

        def send_nowait(self, text: str) -> bool:
            return False

        def take_with(self, take: Callable[[str], bool], batch: ReadBatch) -> None:
            pass

    async with serving(settings) as server:
        client = await server.connect(Broken())
        await client.gone.wait()
        assert client.code is CloseCode.INTERNAL_ERROR
        assert server.service.viewers == 0
    assert "of ours" in capsys.readouterr().out


async def test_a_disconnect_leaves_nothing_behind(server: Server) -> None:
    before = trio.lowlevel.current_statistics().tasks_living
    clients = [await server.connect() for _ in range(5)]
    await wait_all_tasks_blocked()
    assert server.service.viewers == 5
    for client in clients:
        client.leave.cancel()
        await client.gone.wait()
    await wait_all_tasks_blocked()
    assert server.service.viewers == 0
    assert trio.lowlevel.current_statistics().tasks_living == before


async def test_slots_are_counted_and_come_back(settings: Settings) -> None:
    few = msgspec.structs.replace(settings, max_viewers=2)
    service = TrainingService(few, ModelFolder(few.models_dir), HistoryWriter(few))
    full = pytest.raises(ServerFullError, match="HAMLET_MAX_VIEWERS")
    with service.admit(), service.admit(), full, service.admit():
        pass
    with service.admit():
        pass
