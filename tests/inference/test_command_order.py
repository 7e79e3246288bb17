"""Commands take effect in the order in which they were sent, also around a slow load."""

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from hamlet_trio.inference import InferenceService
from hamlet_trio.protocol.messages import (
    Branched,
    EpisodeEnd,
    EpisodeStart,
    Error,
    ModelLoaded,
    Playback,
    RecordingSaved,
    ReplayEnded,
    ReplayStarted,
    StateUpdate,
    View,
)
from hamlet_trio.recording.file import Recording
from hamlet_trio.settings import Settings
from tests.inference.support import (
    DOWN,
    RIGHT,
    UP,
    Client,
    ModelGate,
    advance,
    connected,
    free_slots,
    greeted,
    real_time_limit,
    uses,
)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch, client: Client) -> ModelGate:
    """Loads that wait, once the client has been greeted."""
    return ModelGate(monkeypatch)


async def expect_loaded(client: Client, model: str, episode: int = 1) -> None:
    """Receive the messages of a model chosen before the first step of an episode."""
    assert (await client.expect(ModelLoaded)).model == model
    assert await client.expect(EpisodeStart) == EpisodeStart(episode, model)
    assert (await client.expect(StateUpdate)).step == 0


async def test_play_after_load_model_plays_the_new_model_from_its_first_step(
    client: Client, gate: ModelGate, mock_clock: MockClock
) -> None:
    client.say("load_model", model="down.pt")
    client.say("play")
    await advance(mock_clock, 60)
    assert client.nothing_waits()
    gate.open()
    await expect_loaded(client, "down.pt")
    assert (await client.expect(Playback)).playing
    await advance(mock_clock, 0.1)
    frame = await client.expect(StateUpdate)
    assert (frame.episode, frame.step, frame.action) == (1, 1, DOWN)


async def test_commands_sent_before_the_greeting_wait_for_a_load_too(
    service: InferenceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    with real_time_limit():
        async with connected(service) as client:
            client.say("load_model", model="down.pt")
            client.say("step")
            await client.greeting()
            await expect_loaded(client, "down.pt")
            assert (await client.expect(StateUpdate)).action == DOWN


async def test_a_model_chosen_before_the_first_step_ends_no_episode(client: Client) -> None:
    for model in ("down.pt", "up.pt"):
        client.say("load_model", model=model)
        await expect_loaded(client, model)
    assert (await client.step()).action == UP
    client.say("load_model", model="down.pt")
    await client.expect(ModelLoaded)
    end = await client.expect(EpisodeEnd)
    assert (end.episode, end.steps, end.reason) == (1, 1, "model_changed")
    assert (await client.expect(EpisodeStart)).episode == 2
    await client.expect(StateUpdate)
    client.say("load_model", model="up.pt")
    await expect_loaded(client, "up.pt", episode=2)
    assert await client.assert_silent() == Playback(False, 1.0, "policy")


async def test_reset_ends_an_episode_without_a_step(client: Client) -> None:
    client.say("reset")
    end = await client.expect(EpisodeEnd)
    assert (end.episode, end.steps, end.reason) == (1, 0, "reset")
    assert (await client.expect(EpisodeStart)).episode == 2


async def test_a_branch_before_the_first_step_ends_no_episode(client: Client, kept: Recording) -> None:
    await client.load_recording(kept.info.recording)
    await client.seek(2)
    client.say("take_control")
    await client.expect(ReplayEnded)
    assert await client.expect(Branched) == Branched(1, "trained_agent.pt", 2, kept.info.recording)
    await client.expect(Playback)
    client.say("act", action=UP)
    frame = await client.expect(StateUpdate)
    assert (frame.episode, frame.step) == (1, 3)


async def test_a_session_that_plays_goes_on_during_a_load_and_later_commands_wait(
    client: Client, gate: ModelGate, mock_clock: MockClock
) -> None:
    await client.ask("play")
    client.say("load_model", model="down.pt")
    client.say("set_speed", speed=2)
    client.say("set_view", q_values=True)
    for step in (1, 2):
        await advance(mock_clock, 0.1)
        frame = await client.expect(StateUpdate)
        assert (frame.step, frame.action) == (step, RIGHT)
    assert await client.assert_silent() == Playback(True, 1.0, "policy")
    gate.open()
    await client.expect(ModelLoaded)
    await client.skip_to(EpisodeStart)
    await client.expect(StateUpdate)
    assert await client.expect(Playback) == Playback(True, 2.0, "policy")
    assert (await client.expect(View)).current_q_values == [0.0, 1.0, 0.0, 0.0, 0.0]


async def test_pause_is_not_held_up_and_withdraws_play_and_step(
    client: Client, gate: ModelGate, mock_clock: MockClock
) -> None:
    await client.ask("play")
    for command in ("play", "step", "step"):
        client.say("load_model", model="down.pt")
        client.say(command)
    client.say("set_speed", speed=3)
    assert await client.ask("pause") == Playback(False, 1.0, "policy")
    await advance(mock_clock, 60)
    await client.assert_silent()
    gate.open()
    for _ in range(3):
        await expect_loaded(client, "down.pt")
    assert await client.expect(Playback) == Playback(False, 3.0, "policy")
    await client.assert_silent()


async def test_what_follows_a_pause_is_held_again(client: Client, gate: ModelGate) -> None:
    client.say("load_model", model="down.pt")
    client.say("step")
    await client.ask("pause")
    client.say("step")
    await client.assert_silent()
    gate.open()
    await expect_loaded(client, "down.pt")
    assert (await client.expect(StateUpdate)).step == 1
    await client.assert_silent()


async def test_what_follows_a_failed_load_is_carried_out_with_the_old_model(
    client: Client, gate: ModelGate
) -> None:
    client.say("load_model", model="missing.pt")
    client.say("step")
    client.say_raw("not JSON")
    client.say("load_model", model="down.pt")
    client.say("step")
    await wait_all_tasks_blocked()
    assert client.nothing_waits()
    gate.open()
    assert (await client.expect(Error)).code == "unknown_model"
    assert (await client.expect(StateUpdate)).action == RIGHT
    assert (await client.expect(Error)).code == "invalid_json"
    assert (await client.expect(ModelLoaded)).model == "down.pt"
    assert (await client.expect(EpisodeEnd)).steps == 1
    await client.expect(EpisodeStart)
    await client.expect(StateUpdate)
    assert (await client.expect(StateUpdate)).action == DOWN


async def test_seek_record_act_and_take_control_after_a_load_are_about_the_new_episode(
    client: Client, gate: ModelGate
) -> None:
    await client.steps(3)
    client.say("load_model", model="down.pt")
    client.say("record")
    client.say("take_control")
    client.say("act", action=UP)
    client.say("record")
    client.say("seek", step=0)
    await client.assert_silent()
    gate.open()
    await client.skip_to(EpisodeStart)
    await client.expect(StateUpdate)
    assert (await client.expect(Error)).code == "nothing_to_record"
    assert (await client.expect(Playback)).controller == "human"
    assert (await client.expect(StateUpdate)).action == UP
    messages = [await client.hear() for _ in range(4)]
    saved = [message for message in messages if isinstance(message, RecordingSaved)]
    assert [one.recording.steps for one in saved] == [1]
    shown = [message for message in messages if isinstance(message, StateUpdate)]
    assert [(frame.episode, frame.step) for frame in shown] == [(2, 0)]


async def test_commands_after_load_recording_are_about_the_replay(
    client: Client, kept: Recording, mock_clock: MockClock
) -> None:
    client.say("load_recording", recording=kept.info.recording)
    client.say("seek", step=4)
    client.say("play")
    await client.expect(ReplayStarted)
    await client.expect(Playback)
    assert (await client.expect(StateUpdate)).step == 0
    assert await client.expect(Playback) == Playback(False, 1.0, "recording")
    assert (await client.expect(StateUpdate)).step == 4
    assert await client.expect(Playback) == Playback(True, 1.0, "recording")
    await advance(mock_clock, 0.1)
    assert (await client.expect(StateUpdate)).step == 5


async def test_more_commands_than_the_queue_holds_are_refused_while_one_waits(
    service: InferenceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(command_burst=10_000, session_command_queue=20)
    with real_time_limit():
        async with greeted(service, settings=settings) as client:
            gate = ModelGate(monkeypatch)
            client.say("load_model", model="down.pt")
            await client.assert_silent()
            for _ in range(20):
                client.say("step")
            await client.assert_silent()
            for _ in range(5):
                client.say("step")
            client.say_raw("not JSON")
            refused = [(await client.expect(Error)).code for _ in range(6)]
            assert refused == ["rate_limited"] * 5 + ["invalid_json"]
            assert not (await client.ask("pause")).playing
            gate.open()
            await expect_loaded(client, "down.pt")
            await client.assert_silent()


async def test_a_disconnect_during_a_load_drops_what_waits(
    service: InferenceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            gate = ModelGate(monkeypatch)
            for command in ("load_model", "load_model"):
                client.say(command, model="down.pt")
            client.say("play")
            await client.assert_silent()
            client.disconnect()
            gate.open()
            await client.ended.wait()
        assert (free_slots(service.engine), uses(service.policies)) == (4, 0)
