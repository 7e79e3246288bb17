"""How servers and trainers end: in order, by a signal, or by force."""

import signal
from collections.abc import Sequence

import psutil
import pytest
import trio

from tests.e2e.client import QUICK, viewing, watching
from tests.e2e.conftest import Server, StartServer
from tests.e2e.test_start import WAYS
from tests.patience import PATIENCE


def trainer_of(server: Server) -> psutil.Process:
    """The trainer's process."""
    (trainer,) = [
        child
        for child in psutil.Process(server.process.pid).children(recursive=True)
        if "hamlet_trio.training.trainer" in child.cmdline()
    ]
    return trainer


async def gone(process: psutil.Process) -> bool:
    """Whether a process, which need not be a child of ours, ends by itself."""

    def wait() -> Sequence[psutil.Process]:
        return psutil.wait_procs([process], timeout=PATIENCE)[1]

    return not await trio.to_thread.run_sync(wait)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
async def test_a_signal_closes_every_session_with_1012_and_ends_with_0(
    number: signal.Signals, start_server: StartServer
) -> None:
    server = start_server()
    async with (
        watching(server.port) as paused,
        watching(server.port) as playing,
        viewing(server.port) as viewer,
    ):
        await playing.send("play")
        await playing.frames(2)
        server.signal(number)
        for client in (paused, playing, viewer):
            assert await client.close_code() == 1012
        assert await trio.to_thread.run_sync(server.wait) == 0
    assert server.logged("error") == []


async def test_a_signal_before_inference_is_ready_also_ends_with_0(start_server: StartServer) -> None:
    server = start_server(ready=False)
    server.signal(signal.SIGTERM)
    assert await trio.to_thread.run_sync(server.wait) == 0


@pytest.mark.long
async def test_the_hypercorn_command_drains_too(start_server: StartServer) -> None:
    server = start_server(command=WAYS["hypercorn"])
    async with watching(server.port) as player, viewing(server.port) as viewer:
        server.signal(signal.SIGTERM)
        assert await player.close_code() == 1012
        assert await viewer.close_code() == 1012
        assert await trio.to_thread.run_sync(server.wait) == 0


@pytest.mark.long
async def test_a_signal_during_training_saves_the_run_which_can_be_resumed(
    start_server: StartServer,
) -> None:
    server = start_server()
    async with viewing(server.port) as viewer:
        await viewer.send("start_training", num_episodes=50_000, show_every=50_000, seed=3, **QUICK)
        run_id = (await viewer.expect("training_started"))["run_id"]
        await viewer.expect("episode_complete", episode=3)
        trainer = trainer_of(server)
        server.signal(signal.SIGTERM)
        assert await viewer.close_code() == 1012
        assert await trio.to_thread.run_sync(server.wait) == 0
        assert await gone(trainer)

    again = start_server()
    async with viewing(again.port) as viewer:
        await viewer.send("status")
        assert run_id in (await viewer.expect("training_status"))["resumable"]
        await viewer.send("start_training", resume_from=run_id)
        await viewer.expect("training_started", run_id=run_id)
        resumed = await viewer.expect("episode_complete")
        assert resumed["episode"] > 3
        await viewer.send("stop")
        await viewer.expect("training_stopped")


@pytest.mark.long
async def test_the_trainer_of_a_killed_server_ends_by_itself(start_server: StartServer) -> None:
    server = start_server()
    async with viewing(server.port) as viewer:
        await viewer.send("start_training", num_episodes=50_000, show_every=50_000, seed=3, **QUICK)
        await viewer.expect("episode_complete")
        trainer = trainer_of(server)
        server.signal(signal.SIGKILL)
        assert await trio.to_thread.run_sync(server.wait) == -signal.SIGKILL
        assert await gone(trainer)


@pytest.mark.long
async def test_a_killed_trainer_is_resumed_and_no_session_notices(start_server: StartServer) -> None:
    server = start_server()
    async with watching(server.port) as player, viewing(server.port) as viewer:
        await player.send("play")
        await viewer.send("start_training", num_episodes=12, show_every=5000, seed=3, **QUICK)
        await viewer.expect("episode_complete", episode=2)
        trainer_of(server).kill()
        failed = await viewer.expect("training_failed")
        assert (failed["restart"], "SIGKILL" in failed["reason"]) == (True, True)
        await player.frames(3)
        await viewer.expect("training_complete")
        await player.frames(1)
