"""Every row of "The training run" in docs/lifetimes.md, against the real trainer process.

The rows on viewers and connections that need no run are in test_viewer.py.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import psutil
import pytest
import trio

from hamlet_trio.agent.checkpoint import load_checkpoint
from hamlet_trio.protocol.errors import CloseCode
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import Settings
from hamlet_trio.training.local_run import train_to_file
from hamlet_trio.training.store import RunStore

Serving: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]

# More episodes than any test waits for, so that the run is on until it is stopped.
ENDLESS = {"num_episodes": 100_000, "checkpoint_every": 100_000, "show_every": 100_000, "step_delay": 0}


def plain(parameters: TrainingParameters, **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(parameters)
    return fields | changes


def model_of(settings: Settings) -> Path:
    return Path(settings.models_dir) / "trained_agent.pt"


def read(path: Path) -> bytes:
    return path.read_bytes()


@pytest.fixture
def parameters(parameters: TrainingParameters) -> TrainingParameters:
    """As elsewhere, and slow enough to be interfered with while an episode is shown."""
    return msgspec.structs.replace(parameters, show_every=2, step_delay=0.05)


@pytest.fixture
def uninterrupted(parameters: TrainingParameters, tmp_path: Path) -> Path:
    """The model of that run, made at a stretch in this process."""
    out = tmp_path / "uninterrupted.pt"
    train_to_file(parameters, out, data_dir=tmp_path / "other", models_dir=tmp_path, device="cpu")
    return out


async def test_start_tells_everyone_and_only_from_idle(
    serving: Serving, settings: Settings, parameters: TrainingParameters
) -> None:
    async with serving(settings) as server:
        teacher, student = await server.connect(), await server.connect()
        # Slow enough that the run is still on when the student tries to start another one.
        slow = {"show_every": 1, "step_delay": 0.03}
        await teacher.send("start_training", **plain(parameters, seed=None, **slow))
        for client in (teacher, student):
            starting = await client.until_state("starting")
            started = await client.until("training_started")
            running = await client.until_state("running")
            assert starting["run_id"] == started["run_id"] == running["run_id"]
            assert started["num_episodes"] == 6
            assert started["parameters"] == plain(parameters, seed=started["parameters"]["seed"], **slow)
            assert isinstance(started["parameters"]["seed"], int)
            assert (started["network_type"], started["device"]) == ("qnetwork", "cpu")
            assert (running["is_training"], running["total_episodes"]) == (True, 6)

        await student.send("start_training")
        assert (await student.until("error"))["code"] == "already_training"
        assert (await student.until("training_status"))["state"] == "running"
        complete = await student.until("training_complete")
        idle = await student.until_state("idle")
        assert complete["model_saved"] == "models/trained_agent.pt"
        assert (idle["is_training"], idle["current_episode"]) == (False, 6)
        episodes = [m for m in student.seen if m["type"] == "episode_complete"]
        assert [episode["episode"] for episode in episodes] == [1, 2, 3, 4, 5, 6]
        assert complete["final_avg_reward"] == episodes[-1]["avg_reward_5"]
        assert complete["final_avg_length"] == episodes[-1]["avg_length_5"]
        await teacher.until_state("idle")
        assert "error" not in teacher.kinds()
        assert server.trainers() == []
        assert load_checkpoint(model_of(settings)).metadata.episode == 6


async def test_pause_takes_effect_within_the_delay_of_a_shown_episode_and_resume_at_the_next_step(
    serving: Serving, settings: Settings, parameters: TrainingParameters
) -> None:
    async with serving(settings) as server:
        client, other = await server.connect(), await server.connect()
        await client.send("start_training", **plain(parameters, show_every=1, step_delay=10))
        await client.until("state_update", step=1)
        # Waiting for the delays would take far longer than the test may.
        for step in range(1, 16):
            await client.send("pause")
            paused = await client.until("paused")
            assert (paused["episode"], paused["step"]) == (1, step)
            await client.until_state("paused")
            await client.send("pause")
            assert (await client.until("training_status"))["state"] == "paused"
            await client.send("resume")
            resumed = await client.until("resumed")
            assert (resumed["episode"], resumed["step"]) == (1, step)
            assert (await client.until("state_update"))["step"] == step + 1
        await client.send("resume")
        assert (await client.until("training_status"))["state"] == "running"
        await client.send("stop")
        await other.until_state("stopping")
        assert other.kinds().count("paused") == other.kinds().count("resumed") == 15


async def test_a_paused_learner_uses_no_processor(serving: Serving, settings: Settings) -> None:
    async with serving(settings) as server:
        client = await server.connect()
        await client.send("start_training", **ENDLESS)
        await client.until("episode_complete")
        await client.send("pause")
        await client.until_state("paused")
        (trainer,) = server.trainers()
        before = trainer.cpu_times()
        await trio.sleep(0.5)  # not for something to happen: nothing is to happen meanwhile
        after = trainer.cpu_times()
        assert after.user + after.system - before.user - before.system <= 0.03


async def test_a_run_paused_and_resumed_at_any_point_gives_the_same_checkpoint_bit_for_bit(
    serving: Serving, settings: Settings, parameters: TrainingParameters, uninterrupted: Path
) -> None:
    async with serving(settings) as server:
        client = await server.connect()
        await client.send("pause")  # refused: no run yet
        await client.send("start_training", **plain(parameters))
        await client.send("pause")  # a hasty teacher: the run is starting
        await client.until("paused", episode=1, step=0)
        assert client.kinds() == ["error", "training_started", "paused"]
        await client.send("resume")
        while (message := await client.read())["type"] != "training_complete":
            if message["type"] == "state_update":
                await client.send("pause")
            elif message["type"] == "paused":
                await client.send("resume")
        assert client.kinds().count("paused") == client.kinds().count("resumed") > 20
    assert read(model_of(settings)) == read(uninterrupted)


async def test_stop_saves_a_checkpoint_then_tells(serving: Serving, settings: Settings) -> None:
    async with serving(settings) as server:
        client = await server.connect()
        await client.send("start_training", **ENDLESS)
        done = await client.until("episode_complete", episode=3)
        await client.send("pause")
        await client.until_state("paused")
        await client.send("stop")
        await client.send("pause")
        await client.until_state("stopping")
        stopped = await client.until("training_stopped")
        assert stopped["model_saved"] == "models/trained_agent.pt"
        assert stopped["restart"] is False
        idle = await client.until_state("idle")
        assert idle["resumable"] == []
        refusals = {message["code"] for message in client.seen if message["type"] == "error"}
        assert refusals <= {"training_busy", "not_training"}
        episode = load_checkpoint(model_of(settings)).metadata.episode
        assert episode is not None
        assert episode >= done["episode"]
        assert server.trainers() == []


async def test_stop_while_starting_leaves_no_model_of_random_weights(
    serving: Serving, settings: Settings
) -> None:
    async with serving(settings) as server:
        client = await server.connect()
        await client.send("start_training", **ENDLESS)
        await client.until_state("starting")
        await client.send("stop")
        stopped = await client.until("training_stopped")
        assert stopped["model_saved"] is None
        await client.until_state("idle")
        assert not await trio.Path(model_of(settings)).exists()


async def test_a_viewer_that_joins_late_gets_the_status_and_then_the_whole_charts(
    serving: Serving, settings: Settings
) -> None:
    async with serving(settings) as server:
        client = await server.connect()
        await client.send("start_training", **ENDLESS, max_steps=10)
        await client.until("episode_complete", episode=20)
        late = await server.connect()
        status, history = await late.read(), await late.read()
        assert (status["type"], status["state"], status["viewers"]) == ("training_status", "running", 2)
        assert history["type"] == "training_history"
        following = await late.until("episode_complete")
        told = [episode["episode"] for episode in history["episodes"]]
        assert told == list(range(1, following["episode"]))
        assert history["total"] == len(told) >= 20
        client.leave.cancel()
        await late.until("episode_complete", episode=following["episode"] + 10)


async def test_a_viewer_that_never_reads_is_closed_with_1013_and_nobody_waits_for_it(
    serving: Serving, settings: Settings
) -> None:
    class Deaf:
        """Its client reads nothing: the first send never ends."""

        async def receive(self) -> str:
            await trio.sleep_forever()
            raise AssertionError

        async def send(self, text: str) -> None:
            await trio.sleep_forever()

        def send_nowait(self, text: str) -> bool:
            return False

    small = msgspec.structs.replace(settings, viewer_event_queue=16, viewer_frame_queue=2)
    async with serving(small) as server:
        deaf, client = await server.connect(Deaf()), await server.connect()
        await client.send("start_training", **ENDLESS | {"show_every": 1}, max_steps=5)
        await client.until("episode_complete", episode=30)
        await deaf.gone.wait()
        assert deaf.code is CloseCode.TRY_AGAIN_LATER
        assert server.service.viewers == 1
        statistics = server.service.statistics()
        assert statistics.hub.viewers_dropped == 1
        assert statistics.hub.frames_dropped > 0
        numbers = [m["episode"] for m in client.seen if m["type"] == "episode_complete"]
        assert numbers == list(range(1, 31))


async def test_autosave_every_so_many_episodes_and_the_model_from_before_is_kept(
    serving: Serving, settings: Settings, parameters: TrainingParameters
) -> None:
    model = trio.Path(model_of(settings))
    await model.parent.mkdir()
    await model.write_bytes(b"from before the run")
    async with serving(settings) as server:
        client = await server.connect()
        await client.send("start_training", **plain(parameters, checkpoint_every=2))
        for episode in (2, 4):
            saved = await client.until("checkpoint_saved")
            assert (saved["model"], saved["episode"]) == ("trained_agent.pt", episode)
            loaded = load_checkpoint(model_of(settings)).metadata.episode
            assert loaded is not None
            assert loaded >= episode
        await client.until("training_complete")
    assert load_checkpoint(model_of(settings)).metadata.episode == 6
    assert await (model.parent / "trained_agent.previous.pt").read_bytes() == b"from before the run"


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="no prlimit here")
async def test_autosave_on_a_full_disk_is_told_and_training_goes_on(
    serving: Serving, settings: Settings
) -> None:
    async with serving(settings) as server:
        client = await server.connect()
        await client.send("start_training", **ENDLESS | {"checkpoint_every": 3}, max_steps=10)
        await client.until("checkpoint_saved")
        (trainer,) = server.trainers()
        _, hard = resource.prlimit(trainer.pid, resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
        resource.prlimit(trainer.pid, resource.RLIMIT_FSIZE, (100, hard))
        error = await client.until("error")
        assert error["code"] == "save_failed"
        assert "could not be saved" in error["message"]
        assert "Training goes on" in error["message"]
        assert load_checkpoint(model_of(settings)).metadata.episode is not None
        names = [path.name for path in await trio.Path(settings.models_dir).iterdir()]
        assert names == ["trained_agent.pt"]
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


async def test_a_learner_that_dies_while_paused_comes_back_paused(
    serving: Serving, settings: Settings
) -> None:
    async with serving(settings) as server:
        client = await server.connect()
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
    serving: Serving, settings: Settings, parameters: TrainingParameters, uninterrupted: Path
) -> None:
    import torch

    from hamlet_trio.agent.checkpoint import save_checkpoint

    checkpoint = load_checkpoint(uninterrupted)
    with torch.no_grad():
        for tensor in checkpoint.network.parameters():
            tensor.fill_(1e8)
    await trio.Path(settings.models_dir).mkdir()
    save_checkpoint(Path(settings.models_dir) / "huge.pt", checkpoint)
    async with serving(settings) as server:
        client = await server.connect()
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


async def test_a_trainer_that_hangs_is_stopped_all_the_same(
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
        assert failed["reason"] == "The trainer did not end within 0.1 s of the stop."
        assert not failed["restart"]
        await client.until_state("failed")
        assert not psutil.pid_exists(trainer.pid)
        await client.send("start_training", **ENDLESS)
        await client.until("training_started")


async def test_a_command_that_meets_an_unforeseen_error_fails_for_its_sender_alone(
    serving: Serving, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(settings) as server:
        client = await server.connect()
        await client.until_state("idle")
        with monkeypatch.context() as broken:
            broken.setattr(
                server.service._store, "_runs", settings
            )  # no path: whatever is asked of it raises
            await client.send("status")
            error = await client.until("error")
        assert error["code"] == "internal_error"
        await client.send("status")
        await client.until_state("idle")


@pytest.mark.skipif(os.name == "nt", reason="no signals")
async def test_signals_to_the_group_do_not_end_the_learner(serving: Serving, settings: Settings) -> None:
    async with serving(settings) as server:
        client = await server.connect()
        await client.send("start_training", **ENDLESS)
        await client.until("episode_complete")
        (trainer,) = server.trainers()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            trainer.send_signal(number)
        done = (await client.until("episode_complete"))["episode"]
        await client.until("episode_complete", episode=done + 5)
        assert server.trainers() == [trainer]
        assert server.service.statistics().restarts == 0
