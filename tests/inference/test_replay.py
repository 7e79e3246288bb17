"""Recordings on /ws: record, load_recording, and a replay that plays, steps, seeks, branches and ends."""

import errno

import msgspec
import pytest
from msgspec import UNSET
from trio.testing import MockClock

from hamlet_trio.agent.policy import Policy
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
from hamlet_trio.recording.file import Recording, encode
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.recording.info import RecordingInfo
from hamlet_trio.world import WorldConfig
from tests.inference.support import (
    DOWN,
    RIGHT,
    UP,
    Client,
    advance,
    connected,
    episode_length,
    real_time_limit,
)
from tests.recording.support import record

PAUSED = Playback(False, 1.0, "recording")


@pytest.fixture
def kept(recordings: RecordingFolder) -> Recording:
    """A short recording of another model, with what that thought."""
    policy = Policy.untrained(3, network_type="relational")
    made = record(actions=[UP, UP, DOWN, RIGHT, RIGHT, 4], policy=policy, model="other.pt", episode=7)
    recordings.save(made)
    return made


async def _record(client: Client) -> RecordingInfo:
    client.say("record")
    return (await client.expect(RecordingSaved)).recording


async def _load(client: Client, recording: str) -> ReplayStarted:
    """Load a recording; the first frame is heard."""
    client.say("load_recording", recording=recording)
    started = await client.expect(ReplayStarted)
    assert await client.expect(Playback) == PAUSED
    assert (await client.expect(StateUpdate)).step == 0
    return started


async def _seek(client: Client, step: int) -> StateUpdate:
    await client.ask("seek", step=step)
    return await client.expect(StateUpdate)


# --- record ------------------------------------------------------------------------------------------------


async def test_record_keeps_the_episode_so_far(
    service: InferenceService, recordings: RecordingFolder
) -> None:
    with real_time_limit():
        async with connected(service) as client:
            hello, _, _ = await client.greeting()
            frames = await client.steps(5)
            info = await _record(client)
            assert (info.source, info.reasons, info.model) == ("session", ("asked_for",), "trained_agent.pt")
            assert (info.episode, info.steps, info.ended) == (1, 5, None)
            assert info.episode_return == frames[-1].cumulative_reward
            loaded = recordings.load(info.recording)
            assert loaded.play().normalised[5, 0] == frames[-1].agents["agent_0"].meters.energy
            assert loaded.q_values is not None
            assert loaded.session_id == hello.session_id
            assert (await client.step()).step == 6


async def test_record_keeps_a_whole_episode_after_its_end(service: InferenceService) -> None:
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            _, end = await client.play_out()
            info = await _record(client)
            assert (info.steps, info.ended) == (end.steps, "meter_depleted")
            assert (info.episode_return, info.failure_reason) == (end.total_reward, end.failure_reason)


async def test_what_was_recorded_is_replayed_frame_by_frame(service: InferenceService) -> None:
    with real_time_limit():
        async with connected(service) as client:
            _, _, first = await client.greeting()
            frames = [first, *await client.steps(8)]
            info = await _record(client)
            started = await _load(client, info.recording)
            assert started.model_name == "trained_agent.pt"
            assert started.markers == info.markers
            assert [await _seek(client, step) for step in range(9)] == frames


async def test_record_goes_on_playing_meanwhile(service: InferenceService, mock_clock: MockClock) -> None:
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await client.ask("play")
            await advance(mock_clock, 0.1)
            await client.expect(StateUpdate)
            info = await _record(client)
            assert info.steps == 1
            await advance(mock_clock, 0.1)
            assert (await client.expect(StateUpdate)).step == 2


async def test_a_rewound_episode_is_recorded_whole(service: InferenceService) -> None:
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await client.steps(4)
            client.say("seek", step=1)
            await client.skip_to(StateUpdate)
            assert (await _record(client)).steps == 4


async def test_nothing_to_record(service: InferenceService, kept: Recording) -> None:
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            assert await client.refusal("record") == "nothing_to_record"
            await client.step()
            await _load(client, kept.info.recording)
            assert await client.refusal("record") == "nothing_to_record"


async def test_a_recording_that_cannot_be_written_is_said(
    service: InferenceService, recordings: RecordingFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: RecordingFolder, recording: Recording) -> RecordingInfo:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RecordingFolder, "save", full)
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await client.step()
            client.say("record")
            error = await client.expect(Error)
            assert (error.code, error.command) == ("recording_failed", "record")
            assert "No space left" in error.message
            assert (await client.step()).step == 2
    assert recordings.entries() == []


# --- load_recording ----------------------------------------------------------------------------------------


async def test_load_recording_begins_paused_at_the_start(
    service: InferenceService, kept: Recording, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await client.ask("play")
            started = await _load(client, kept.info.recording)
            assert started == ReplayStarted(
                kept.info.recording, "other.pt", 7, 6, kept.info.markers, can_branch=True
            )
            await advance(mock_clock, 60)
            assert await client.assert_silent() == PAUSED


@pytest.mark.parametrize(
    ("recording", "code"),
    [
        ("20250101-000000-abcdef", "unknown_recording"),
        ("../models/trained_agent.pt", "unknown_recording"),
        ("20250101-000000-000bad", "unusable_recording"),
    ],
)
async def test_a_recording_that_cannot_be_used_changes_nothing(
    service: InferenceService, recordings: RecordingFolder, kept: Recording, recording: str, code: str
) -> None:
    damaged = bytearray(encode(kept))
    damaged[-1] ^= 1
    (recordings.path / "20250101-000000-000bad.rec").write_bytes(damaged)
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await client.steps(2)
            client.say("load_recording", recording=recording)
            error = await client.expect(Error)
            assert (error.code, error.command, error.field) == (code, "load_recording", "recording")
            assert recording in error.message
            assert (await client.step()).step == 3


async def test_another_recording_takes_the_place_of_the_first(
    service: InferenceService, recordings: RecordingFolder, kept: Recording
) -> None:
    other = record(actions=[UP])
    recordings.save(other)
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await _load(client, kept.info.recording)
            assert (await _load(client, other.info.recording)).steps == 1


async def test_too_many_orders_are_refused(service: InferenceService) -> None:
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            for _ in range(30):
                client.say("load_recording", recording="20250101-000000-abcdef")
            codes = [(await client.expect(Error)).code for _ in range(30)]
            assert {"unknown_recording", "too_many_loads"} == set(codes)


# --- a replay ----------------------------------------------------------------------------------------------


async def test_a_replay_plays_and_pauses_by_itself_at_its_end(
    service: InferenceService, kept: Recording, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await _load(client, kept.info.recording)
            assert await client.ask("play") == Playback(True, 1.0, "recording")
            played = kept.play()
            for step in range(1, 7):
                await advance(mock_clock, 0.1)
                frame = await client.expect(StateUpdate)
                assert (frame.step, frame.episode) == (step, 7)
                assert frame.action == played.actions[step]
                assert frame.reward == played.rewards[step]
            assert await client.expect(Playback) == PAUSED
            await advance(mock_clock, 60)
            await client.assert_silent()
            # From its end, play starts over.
            await client.ask("play")
            assert (await client.expect(StateUpdate)).step == 0
            await advance(mock_clock, 0.1)
            assert (await client.expect(StateUpdate)).step == 1


async def test_step_in_a_replay(service: InferenceService, kept: Recording, mock_clock: MockClock) -> None:
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await _load(client, kept.info.recording)
            assert [frame.step for frame in await client.steps(6)] == [1, 2, 3, 4, 5, 6]
            assert await client.refusal("step") == "recording_ended"
            await _seek(client, 2)
            await client.ask("play")
            assert await client.refusal("step") == "step_while_playing"


async def test_seek_in_a_replay_that_plays_goes_on_from_there(
    service: InferenceService, kept: Recording, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await _load(client, kept.info.recording)
            await client.ask("play")
            await advance(mock_clock, 0.1)
            await client.expect(StateUpdate)
            await advance(mock_clock, 0.05)
            assert (await _seek(client, 4)).step == 4
            await advance(mock_clock, 0.09)
            await client.assert_silent()
            await advance(mock_clock, 0.01)
            assert (await client.expect(StateUpdate)).step == 5
            await _seek(client, 999)
            await advance(mock_clock, 0.1)
            assert await client.expect(Playback) == PAUSED


async def test_set_speed_in_a_replay(
    service: InferenceService, kept: Recording, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await _load(client, kept.info.recording)
            assert await client.ask("set_speed", speed=10) == Playback(False, 10.0, "recording")
            await client.ask("play")
            await advance(mock_clock, 0.01)
            assert (await client.expect(StateUpdate)).step == 1


async def test_frames_of_a_replay_carry_what_the_recording_has(
    service: InferenceService, recordings: RecordingFolder, kept: Recording
) -> None:
    assert kept.q_values is not None
    assert kept.attention is not None
    bare = record(actions=[UP, UP])
    recordings.save(bare)
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await _load(client, kept.info.recording)
            assert (await _seek(client, 3)).q_values is UNSET
            client.say("set_view", q_values=True, attention=True)
            view = await client.expect(View)
            assert view.current_q_values == kept.q_values[3].tolist()
            assert view.current_attention == kept.attention[3].tolist()
            frame = await _seek(client, 3)
            assert frame.q_values == kept.q_values[2].tolist()
            assert frame.attention == kept.attention[2].tolist()
            assert (await _seek(client, 0)).q_values == kept.q_values[0].tolist()
            assert (await _seek(client, 2)).heat_map == {"4,4": 1.0, "4,3": 1.0, "4,2": 1.0}
            client.say("load_recording", recording=bare.info.recording)
            await client.skip_to(ReplayStarted)
            frame = await client.skip_to(StateUpdate)
            assert frame.q_values is UNSET
            assert frame.attention is None


async def test_act_in_a_replay_needs_take_control(service: InferenceService, kept: Recording) -> None:
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await client.ask("take_control")
            await _load(client, kept.info.recording)
            assert await client.refusal("act", action=UP) == "not_in_control"
            assert await client.ask("release_control") == PAUSED


# --- branching off -----------------------------------------------------------------------------------------


async def test_take_control_branches_off_a_recording(service: InferenceService, kept: Recording) -> None:
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await client.steps(2)
            await _load(client, kept.info.recording)
            await _seek(client, 3)
            client.say("take_control")
            assert await client.expect(ReplayEnded) == ReplayEnded(kept.info.recording)
            end = await client.expect(EpisodeEnd)
            assert (end.episode, end.steps, end.reason) == (1, 2, "reset")
            branched = await client.expect(Branched)
            assert branched == Branched(2, "trained_agent.pt", 3, kept.info.recording)
            assert await client.expect(Playback) == Playback(False, 1.0, "human")
            # The recorded deeds give the recorded episode, bit for bit.
            played = kept.play()
            for step in (4, 5, 6):
                client.say("act", action=int(played.actions[step]))
                frame = await client.expect(StateUpdate)
                assert frame.step == step
                assert frame.reward == played.rewards[step]
                assert frame.cumulative_reward == played.returns()[step]
                assert frame.agents["agent_0"].meters.energy == played.normalised[step, 0]
            await client.ask("release_control")
            assert (await client.step()).action == RIGHT


async def test_a_branch_off_a_recording_is_recorded_from_its_start(
    service: InferenceService, kept: Recording
) -> None:
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await _load(client, kept.info.recording)
            await _seek(client, 2)
            client.say("take_control")
            await client.skip_to(Playback)
            client.say("act", action=UP)
            frame = await client.expect(StateUpdate)
            info = await _record(client)
            assert (info.steps, info.episode_return) == (3, frame.cumulative_reward)


async def test_no_branch_at_the_end_of_a_life(service: InferenceService, recordings: RecordingFolder) -> None:
    whole = record(actions=[RIGHT] * episode_length(RIGHT))
    recordings.save(whole)
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await _load(client, whole.info.recording)
            await _seek(client, 10_000)
            assert await client.refusal("take_control") == "recording_ended"
            await _seek(client, whole.info.steps - 1)
            client.say("take_control")
            await client.skip_to(Branched)


async def test_a_recording_of_another_world_can_only_be_watched(
    service: InferenceService, recordings: RecordingFolder
) -> None:
    other = record(WorldConfig(end_penalty=0), actions=[UP, UP])
    recordings.save(other)
    longer = record(WorldConfig(max_steps=1000), actions=[UP, UP])
    recordings.save(longer)
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            assert not (await _load(client, other.info.recording)).can_branch
            assert await client.refusal("take_control") == "cannot_branch"
            assert (await _seek(client, 1)).step == 1
            # Another step limit is no other world.
            assert (await _load(client, longer.info.recording)).can_branch


# --- leaving -----------------------------------------------------------------------------------------------


async def test_leave_replay_goes_back_to_the_episode_that_waited(
    service: InferenceService, kept: Recording, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            last = (await client.steps(3))[-1]
            await _load(client, kept.info.recording)
            await client.ask("play")
            client.say("leave_replay")
            assert await client.expect(ReplayEnded) == ReplayEnded(kept.info.recording)
            assert await client.expect(Playback) == Playback(False, 1.0, "policy")
            assert await client.expect(StateUpdate) == last
            await advance(mock_clock, 60)
            assert (await client.step()).step == 4


async def test_reset_in_a_replay_begins_an_episode(service: InferenceService, kept: Recording) -> None:
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await client.steps(3)
            await _load(client, kept.info.recording)
            client.say("reset")
            await client.expect(ReplayEnded)
            assert (await client.expect(EpisodeEnd)).steps == 3
            assert (await client.expect(EpisodeStart)).episode == 2
            assert (await client.expect(StateUpdate)).step == 0


async def test_load_model_in_a_replay_begins_an_episode(service: InferenceService, kept: Recording) -> None:
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await _load(client, kept.info.recording)
            client.say("load_model", model="nothing.pt")
            await client.expect(Error)
            assert await client.ask("status") == PAUSED
            client.say("load_model", model="down.pt")
            await client.expect(ModelLoaded)
            await client.expect(ReplayEnded)
            assert (await client.expect(EpisodeEnd)).reason == "model_changed"
            assert (await client.expect(EpisodeStart)).model_name == "down.pt"
            await client.expect(StateUpdate)


async def test_disconnecting_in_a_replay_leaves_nothing(service: InferenceService, kept: Recording) -> None:
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await _load(client, kept.info.recording)
            client.say("record")
            client.say("load_recording", recording=kept.info.recording)
            client.disconnect()
            await client.ended.wait()
        assert service.engine.free_slots == 4


async def test_a_branch_off_a_random_start_goes_the_very_same_way(
    service: InferenceService, recordings: RecordingFolder
) -> None:
    made = record(seed=5, start_seed=11)
    recordings.save(made)
    with real_time_limit():
        async with connected(service) as client:
            await client.greeting()
            await _load(client, made.info.recording)
            recorded = []
            for step in range(made.info.steps + 1):
                await client.ask("seek", step=step)
                recorded.append(await client.expect(StateUpdate))
            assert recorded[-1].done
            branch_at = made.info.steps // 2
            await client.ask("seek", step=branch_at)
            await client.expect(StateUpdate)
            client.say("take_control")
            await client.skip_to(Playback)
            lived = []
            for action in made.actions[branch_at:].tolist():
                client.say("act", action=action)
                lived.append(await client.expect(StateUpdate))
            assert [_without_episode(frame) for frame in lived] == [
                _without_episode(frame) for frame in recorded[branch_at + 1 :]
            ]
            assert (await client.expect(EpisodeEnd)).failure_reason == made.info.failure_reason
            # And back beyond the step that it branched off at.
            client.say("seek", step=3)
            await client.skip_to(Playback)
            assert _without_episode(await client.expect(StateUpdate)) == _without_episode(recorded[3])


def _without_episode(frame: StateUpdate) -> StateUpdate:
    return msgspec.structs.replace(frame, episode=0)
