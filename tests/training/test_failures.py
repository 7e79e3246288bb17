"""What befalls a run: full disks, trainers that die, hang or diverge, and the end of the server."""

import os
import resource
import signal
import sys
from pathlib import Path

import msgspec
import psutil
import pytest
import trio

from hamlet_trio.agent.checkpoint import load_checkpoint
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import Settings
from hamlet_trio.training.store import RunStore
from tests.training.support import ENDLESS, Client, Server, Serving, model_of, plain


def read(path: Path) -> bytes:
    return path.read_bytes()


@pytest.fixture
def parameters(parameters: TrainingParameters) -> TrainingParameters:
    """Return parameters of a run slow enough to interfere with while an episode is shown."""
    return msgspec.structs.replace(parameters, show_every=2, step_delay=0.05)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="no prlimit here")
@pytest.mark.long
async def test_autosave_on_a_full_disk_is_reported_and_training_goes_on(
    server: Server, client: Client, settings: Settings
) -> None:
    await client.send("start_training", **ENDLESS | {"checkpoint_every": 3}, max_steps=10)
    model = Path(settings.data_dir, "models", (await client.until("checkpoint_saved"))["model"])
    (trainer,) = server.trainers()
    _, hard = resource.prlimit(trainer.pid, resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    resource.prlimit(trainer.pid, resource.RLIMIT_FSIZE, (100, hard))
    error = await client.until("error")
    assert error["code"] == "save_failed"
    assert "could not be saved" in error["message"]
    assert "Training goes on" in error["message"]
    assert load_checkpoint(model).metadata.episode is not None
    assert [path.name for path in await trio.Path(model.parent).iterdir()] == [model.name]
    resource.prlimit(trainer.pid, resource.RLIMIT_FSIZE, (hard, hard))
    saved = await client.until("checkpoint_saved")
    await client.send("stop")
    await client.until("training_stopped")
    episode = load_checkpoint(model_of(settings)).metadata.episode
    assert episode is not None
    assert episode >= saved["episode"]


async def test_a_learner_that_dies_is_resumed_from_its_last_autosave_and_ends_as_if_it_had_not(
    serving: Serving, settings: Settings, parameters: TrainingParameters, uninterrupted: Path
) -> None:
    async with serving(settings) as server:
        client = await server.connect()
        await client.send("start_training", **plain(parameters))
        await client.until("checkpoint_saved", episode=4)
        await client.until("state_update", episode=5)
        (trainer,) = server.trainers()
        trainer.kill()
        failed = await client.until("training_failed")
        assert failed["restart"] is True
        assert "SIGKILL" in failed["reason"]
        assert failed["model_saved"] == "models/trained_agent.pt"
        assert (await client.until_state("starting"))["is_training"] is True
        assert (await client.until_state("running"))["current_episode"] == 5
        history = await client.until("training_history")
        assert [episode["episode"] for episode in history["episodes"]] == [1, 2, 3, 4]
        assert (await client.until("episode_complete"))["episode"] == 5
        await client.until("training_complete")
        assert server.service.statistics().restarts == 1
        assert client.kinds().count("training_started") == 1
    assert read(model_of(settings)) == read(uninterrupted)


@pytest.mark.long
async def test_a_learner_that_dies_while_paused_comes_back_paused(server: Server, client: Client) -> None:
    await client.send("start_training", **ENDLESS)
    await client.until("episode_complete")
    await client.send("pause")
    await client.until_state("paused")
    (trainer,) = server.trainers()
    trainer.kill()
    await client.until("training_failed", restart=True)
    paused = await client.until("paused")
    assert (paused["episode"], paused["step"]) == (1, 0)  # nothing was saved: from the beginning
    await client.until_state("paused")
    await client.send("resume")
    await client.until("resumed")
    assert (await client.until("episode_complete"))["episode"] == 1
    states = [m["state"] for m in client.seen if m["type"] == "training_status"]
    assert states == ["idle", "starting", "running", "paused", "starting", "paused", "running"]


@pytest.mark.long
async def test_after_a_run_was_given_up_the_next_start_works(
    serving: Serving, settings: Settings, parameters: TrainingParameters, tmp_path: Path
) -> None:
    broken = trio.Path(tmp_path / "broken")
    await broken.touch()
    program = (
        f"import os, runpy, sys; os.path.exists({str(broken)!r}) and sys.exit('broken');"
        "runpy.run_module('hamlet_trio.training.trainer', run_name='__main__')"
    )
    async with serving(settings, command=[sys.executable, "-c", program]) as server:
        client = await server.connect()
        await client.send("start_training", **plain(parameters))
        await client.until("training_failed", restart=False)
        failed = await client.until_state("failed")
        assert failed["is_training"] is False
        await broken.unlink()
        await client.send("start_training", **plain(parameters, num_episodes=2))
        assert (await client.until_state("starting"))["reason"] is None
        await client.until("training_complete")
        await client.until_state("idle")


async def test_a_run_that_diverges_fails_once_with_what_to_do(
    server: Server, client: Client, settings: Settings, parameters: TrainingParameters, uninterrupted: Path
) -> None:
    import torch

    from hamlet_trio.agent.checkpoint import save_checkpoint

    checkpoint = load_checkpoint(uninterrupted)
    with torch.no_grad():
        for tensor in checkpoint.network.parameters():
            tensor.fill_(1e8)
    await trio.Path(settings.models_dir).mkdir()
    save_checkpoint(Path(settings.models_dir) / "huge.pt", checkpoint)
    fields = plain(parameters, resume_from="huge.pt", num_episodes=50, show_every=1000)
    await client.send("start_training", **fields)
    failed = await client.until("training_failed")
    assert failed["restart"] is False
    assert "learning_rate" in failed["reason"]
    assert (await client.until_state("failed"))["resumable"] == []
    assert server.service.statistics().restarts == 0


async def test_server_shutdown_saves_the_run_and_offers_it_for_resume_from(
    serving: Serving, settings: Settings, parameters: TrainingParameters, uninterrupted: Path
) -> None:
    async with serving(settings) as server:
        client = await server.connect()
        await client.send("start_training", **plain(parameters))
        run_id = (await client.until("training_started"))["run_id"]
        await client.until("state_update", episode=5, step=7)
        (trainer,) = server.trainers()
    assert not psutil.pid_exists(trainer.pid)
    state = RunStore(Path(settings.data_dir)).read(run_id)
    assert (state.state, state.episode) == ("unfinished", 4)

    async with serving(settings) as server:
        client = await server.connect()
        assert (await client.read())["resumable"] == [run_id]
        await client.send("start_training", resume_from=run_id)
        started = await client.until("training_started")
        assert started["run_id"] == run_id
        assert started["parameters"] == plain(parameters)
        assert (await client.until_state("running"))["resumable"] == []
        history = await client.until("training_history")
        assert [episode["episode"] for episode in history["episodes"]] == [1, 2, 3, 4]
        assert (await client.until("state_update"))["step"] > 7
        await client.until("training_complete")
        assert (await client.until_state("idle"))["resumable"] == []
    assert read(model_of(settings)) == read(uninterrupted)


async def test_server_shutdown_kills_a_trainer_that_does_not_end_within_the_grace(
    serving: Serving, settings: Settings
) -> None:
    impatient = msgspec.structs.replace(settings, shutdown_grace=0.1)
    async with serving(impatient) as server:
        client = await server.connect()
        await client.send("start_training", **ENDLESS)
        await client.until("episode_complete")
        (trainer,) = server.trainers()
        trainer.suspend()  # it cannot hear that it should end
    assert not psutil.pid_exists(trainer.pid)


@pytest.mark.long
async def test_a_trainer_that_hangs_can_be_stopped(
    serving: Serving, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hamlet_trio.training.run_supervisor._STOP_PATIENCE", 0.1)
    async with serving(msgspec.structs.replace(settings, shutdown_grace=0.1)) as server:
        client = await server.connect()
        await client.send("start_training", **ENDLESS)
        await client.until("episode_complete")
        (trainer,) = server.trainers()
        trainer.suspend()
        await client.send("stop")
        failed = await client.until("training_failed")
        assert failed["reason"] == "The trainer did not end within 0.2 s of the stop."
        assert not failed["restart"]
        await client.until_state("failed")
        assert not psutil.pid_exists(trainer.pid)
        await client.send("start_training", **ENDLESS)
        await client.until("training_started")


async def test_a_trainer_that_hangs_is_noticed_answered_for_and_stopped(
    serving: Serving, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hamlet_trio.training.silence._SILENCE", 3.0)
    async with serving(msgspec.structs.replace(settings, shutdown_grace=0.1)) as server:
        client = await server.connect()
        await client.send("start_training", **ENDLESS)
        await client.until("episode_complete")
        (trainer,) = server.trainers()
        trainer.suspend()
        hanging = await client.until_state("unresponsive")
        assert (hanging["is_training"], hanging["reason"]) == (True, "The trainer has not responded for 3 s.")
        for command in ("pause", "resume"):
            await client.send(command)
            error = await client.until("error")
            assert (error["code"], error["command"]) == ("training_busy", command)
        trainer.resume()
        assert (await client.until_state("running"))["reason"] is None
        trainer.suspend()
        await client.until_state("unresponsive")
        await client.send("stop")
        failed = await client.until("training_failed")
        assert failed["reason"] == "The trainer did not end within 0.1 s of the stop."
        assert (await client.until_state("failed"))["is_training"] is False
        assert not psutil.pid_exists(trainer.pid)


async def test_a_command_that_meets_an_unforeseen_error_fails_for_its_sender_alone(
    server: Server, client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.until_state("idle")
    with monkeypatch.context() as broken:
        broken.setattr("hamlet_trio.training.service.make_plan", None)
        await client.send("start_training", resume_from="trained_agent.pt")
        error = await client.until("error")
    assert error["code"] == "internal_error"
    await client.send("status")
    await client.until_state("idle")


@pytest.mark.skipif(os.name == "nt", reason="no signals")
@pytest.mark.long
async def test_signals_to_the_group_do_not_end_the_learner(server: Server, client: Client) -> None:
    await client.send("start_training", **ENDLESS)
    await client.until("episode_complete")
    (trainer,) = server.trainers()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        trainer.send_signal(number)
    done = (await client.until("episode_complete"))["episode"]
    await client.until("episode_complete", episode=done + 5)
    assert server.trainers() == [trainer]
    assert server.service.statistics().restarts == 0
