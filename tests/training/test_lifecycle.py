"""Every row of "The training run" in docs/lifetimes.md, against the real trainer process.

The rows on viewers and connections that need no run are in test_viewer.py.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import trio

from hamlet_trio.agent.checkpoint import load_checkpoint
from hamlet_trio.connection import ReadBatch
from hamlet_trio.protocol.errors import CloseCode
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import Settings
from tests.training.support import ENDLESS, Client, Server, Serving, model_of, plain


def read(path: Path) -> bytes:
    return path.read_bytes()


@pytest.fixture
def parameters(parameters: TrainingParameters) -> TrainingParameters:
    """Return parameters of a run slow enough to interfere with while an episode is shown."""
    return msgspec.structs.replace(parameters, show_every=2, step_delay=0.05)


async def test_start_tells_everyone_and_only_from_idle(
    server: Server, settings: Settings, parameters: TrainingParameters
) -> None:
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
    server: Server, client: Client, parameters: TrainingParameters
) -> None:
    other = await server.connect()
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


async def test_a_paused_learner_uses_no_processor(server: Server, client: Client) -> None:
    await client.send("start_training", **ENDLESS)
    await client.until("episode_complete")
    await client.send("pause")
    await client.until_state("paused")
    (trainer,) = server.trainers()
    before = trainer.cpu_times()
    await trio.sleep(0.5)  # not for something to happen: nothing is to happen meanwhile
    after = trainer.cpu_times()
    assert after.user + after.system - before.user - before.system <= 0.1  # heartbeats take a little


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


async def test_stop_saves_a_checkpoint_then_tells(server: Server, client: Client, settings: Settings) -> None:
    await client.send("start_training", **ENDLESS)
    done = await client.until("episode_complete", episode=3)
    await client.send("pause")
    await client.until_state("paused")
    await client.send("stop")
    await client.send("pause")
    await client.until_state("stopping")
    stopped = await client.until("training_stopped")
    assert stopped["model_saved"] == "models/trained_agent.pt"
    own = model_of(settings).with_name(stopped["model"])
    assert own.name.endswith(f"-ep{load_checkpoint(own).metadata.episode}.pt")
    assert read(own) == read(model_of(settings))
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
    client: Client, settings: Settings
) -> None:
    await client.send("start_training", **ENDLESS)
    await client.until_state("starting")
    await client.send("stop")
    stopped = await client.until("training_stopped")
    assert stopped["model_saved"] is None
    await client.until_state("idle")
    assert not await trio.Path(model_of(settings)).exists()


@pytest.mark.long
async def test_a_viewer_that_joins_late_gets_the_status_and_then_the_whole_charts(
    server: Server, client: Client
) -> None:
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


@pytest.mark.long
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

        def take_with(self, take: Callable[[str], bool], batch: ReadBatch) -> None:
            pass

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


@pytest.mark.long
async def test_autosave_every_so_many_episodes_to_a_file_of_the_run_s_own(
    serving: Serving, settings: Settings, parameters: TrainingParameters
) -> None:
    shipped = trio.Path(settings.models_dir) / "trained_agent.pt"
    await shipped.parent.mkdir()
    await shipped.write_bytes(b"from before the run")
    async with serving(settings) as server:
        client = await server.connect()
        await client.send("start_training", **plain(parameters, checkpoint_every=2))
        run_id = (await client.until("training_started"))["run_id"]
        own = model_of(settings).with_name(f"run-{run_id}-ep6.pt")
        for episode in (2, 4):
            saved = await client.until("checkpoint_saved")
            assert (saved["model"], saved["episode"]) == (own.name, episode)
            loaded = load_checkpoint(own).metadata.episode
            assert loaded is not None
            assert loaded >= episode
        complete = await client.until("training_complete")
        assert (complete["model"], complete["model_saved"]) == (own.name, "models/trained_agent.pt")
    assert load_checkpoint(own).metadata.episode == 6
    assert read(model_of(settings)) == read(own)
    assert await shipped.read_bytes() == b"from before the run"


@pytest.mark.long
async def test_a_model_may_be_given_a_name_which_is_never_taken_twice(
    server: Server, client: Client, settings: Settings, parameters: TrainingParameters
) -> None:
    await trio.Path(settings.models_dir).mkdir()
    await trio.Path(settings.models_dir, "shipped.pt").write_bytes(b"from before")
    for taken in ("shipped.pt", "trained_agent.pt", "../a.pt", "a.txt", "shipped_agent.pt"):
        await client.send("start_training", **plain(parameters), model=taken)
        error = await client.until("error")
        assert (error["code"], error["field"]) == ("invalid_model_name", "model")
    await client.send("start_training", **plain(parameters), model="class 4b.pt")
    assert (await client.until("training_complete"))["model"] == "class 4b.pt"
    named = model_of(settings).with_name("class 4b.pt")
    assert load_checkpoint(named).metadata.episode == 6
    await client.until_state("idle")
    await client.send("start_training", **plain(parameters), model="class 4b.pt")
    assert "is taken" in (await client.until("error"))["message"]
