"""The replay of a recording on /ws: it plays, steps, seeks, branches and ends."""

import msgspec
from msgspec import UNSET
from trio.testing import MockClock

from hamlet_trio.inference import InferenceService
from hamlet_trio.protocol.messages import (
    Branched,
    EpisodeEnd,
    EpisodeStart,
    Error,
    ModelLoaded,
    Playback,
    ReplayEnded,
    ReplayStarted,
    StateUpdate,
    View,
)
from hamlet_trio.recording.file import Recording
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.world import WorldConfig
from tests.inference.support import (
    REPLAY_PAUSED,
    RIGHT,
    UP,
    Client,
    advance,
    episode_length,
    free_slots,
    greeted,
    real_time_limit,
)
from tests.recording.support import record

# --- a replay ----------------------------------------------------------------------------------------------


async def test_a_replay_plays_and_pauses_by_itself_at_its_end(
    client: Client, kept: Recording, mock_clock: MockClock
) -> None:
    await client.load_recording(kept.info.recording)
    assert await client.ask("play") == Playback(True, 1.0, "recording")
    played = kept.play()
    for step in range(1, 7):
        await advance(mock_clock, 0.1)
        frame = await client.expect(StateUpdate)
        assert (frame.step, frame.episode) == (step, 7)
        assert frame.action == played.actions[step]
        assert frame.reward == played.rewards[step]
    assert await client.expect(Playback) == REPLAY_PAUSED
    await advance(mock_clock, 60)
    await client.assert_silent()
    # From its end, play starts over.
    await client.ask("play")
    assert (await client.expect(StateUpdate)).step == 0
    await advance(mock_clock, 0.1)
    assert (await client.expect(StateUpdate)).step == 1


async def test_step_in_a_replay(client: Client, kept: Recording, mock_clock: MockClock) -> None:
    await client.load_recording(kept.info.recording)
    assert [frame.step for frame in await client.steps(6)] == [1, 2, 3, 4, 5, 6]
    assert await client.refusal("step") == "recording_ended"
    await client.seek(2)
    await client.ask("play")
    assert await client.refusal("step") == "step_while_playing"


async def test_seek_in_a_replay_that_plays_goes_on_from_there(
    client: Client, kept: Recording, mock_clock: MockClock
) -> None:
    await client.load_recording(kept.info.recording)
    await client.ask("play")
    await advance(mock_clock, 0.1)
    await client.expect(StateUpdate)
    await advance(mock_clock, 0.05)
    assert (await client.seek(4)).step == 4
    await advance(mock_clock, 0.09)
    await client.assert_silent()
    await advance(mock_clock, 0.01)
    assert (await client.expect(StateUpdate)).step == 5
    await client.seek(999)
    await advance(mock_clock, 0.1)
    assert await client.expect(Playback) == REPLAY_PAUSED


async def test_set_speed_in_a_replay(client: Client, kept: Recording, mock_clock: MockClock) -> None:
    await client.load_recording(kept.info.recording)
    assert await client.ask("set_speed", speed=10) == Playback(False, 10.0, "recording")
    await client.ask("play")
    await advance(mock_clock, 0.01)
    assert (await client.expect(StateUpdate)).step == 1


async def test_frames_of_a_replay_carry_what_the_recording_has(
    client: Client, recordings: RecordingFolder, kept: Recording
) -> None:
    assert kept.q_values is not None
    assert kept.attention is not None
    bare = record(actions=[UP, UP])
    recordings.save(bare)
    await client.load_recording(kept.info.recording)
    assert (await client.seek(3)).q_values is UNSET
    client.say("set_view", q_values=True, attention=True)
    view = await client.expect(View)
    assert view.current_q_values == kept.q_values[3].tolist()
    assert view.current_attention == kept.attention[3].tolist()
    frame = await client.seek(3)
    assert frame.q_values == kept.q_values[2].tolist()
    assert frame.attention == kept.attention[2].tolist()
    assert (await client.seek(0)).q_values == kept.q_values[0].tolist()
    assert (await client.seek(2)).heat_map == {"4,4": 1.0, "4,3": 1.0, "4,2": 1.0}
    client.say("load_recording", recording=bare.info.recording)
    await client.skip_to(ReplayStarted)
    frame = await client.skip_to(StateUpdate)
    assert frame.q_values is UNSET
    assert frame.attention is None


async def test_act_in_a_replay_needs_take_control(client: Client, kept: Recording) -> None:
    await client.ask("take_control")
    await client.load_recording(kept.info.recording)
    assert await client.refusal("act", action=UP) == "not_in_control"
    assert await client.ask("release_control") == REPLAY_PAUSED


# --- branching off -----------------------------------------------------------------------------------------


async def test_take_control_branches_off_a_recording(client: Client, kept: Recording) -> None:
    await client.steps(2)
    await client.load_recording(kept.info.recording)
    await client.seek(3)
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


async def test_a_branch_off_a_recording_is_recorded_from_its_start(client: Client, kept: Recording) -> None:
    await client.load_recording(kept.info.recording)
    await client.seek(2)
    client.say("take_control")
    await client.skip_to(Playback)
    client.say("act", action=UP)
    frame = await client.expect(StateUpdate)
    info = await client.record()
    assert (info.steps, info.episode_return) == (3, frame.cumulative_reward)


async def test_no_branch_at_the_end_of_an_episode(client: Client, recordings: RecordingFolder) -> None:
    whole = record(actions=[RIGHT] * episode_length(RIGHT))
    recordings.save(whole)
    await client.load_recording(whole.info.recording)
    await client.seek(10_000)
    assert await client.refusal("take_control") == "recording_ended"
    await client.seek(whole.info.steps - 1)
    client.say("take_control")
    await client.skip_to(Branched)


async def test_a_recording_of_another_world_can_only_be_watched(
    client: Client, recordings: RecordingFolder
) -> None:
    other = record(WorldConfig(end_penalty=0), actions=[UP, UP])
    recordings.save(other)
    longer = record(WorldConfig(max_steps=1000), actions=[UP, UP])
    recordings.save(longer)
    assert not (await client.load_recording(other.info.recording)).can_branch
    assert await client.refusal("take_control") == "cannot_branch"
    assert (await client.seek(1)).step == 1
    # Another step limit is no other world.
    assert (await client.load_recording(longer.info.recording)).can_branch


# --- leaving -----------------------------------------------------------------------------------------------


async def test_leave_replay_goes_back_to_the_episode_that_waited(
    client: Client, kept: Recording, mock_clock: MockClock
) -> None:
    last = (await client.steps(3))[-1]
    await client.load_recording(kept.info.recording)
    await client.ask("play")
    client.say("leave_replay")
    assert await client.expect(ReplayEnded) == ReplayEnded(kept.info.recording)
    assert await client.expect(Playback) == Playback(False, 1.0, "policy")
    assert await client.expect(StateUpdate) == last
    await advance(mock_clock, 60)
    assert (await client.step()).step == 4


async def test_reset_in_a_replay_begins_an_episode(client: Client, kept: Recording) -> None:
    await client.steps(3)
    await client.load_recording(kept.info.recording)
    client.say("reset")
    await client.expect(ReplayEnded)
    assert (await client.expect(EpisodeEnd)).steps == 3
    assert (await client.expect(EpisodeStart)).episode == 2
    assert (await client.expect(StateUpdate)).step == 0


async def test_load_model_in_a_replay_begins_an_episode(client: Client, kept: Recording) -> None:
    await client.load_recording(kept.info.recording)
    client.say("load_model", model="nothing.pt")
    await client.expect(Error)
    assert await client.ask("status") == REPLAY_PAUSED
    client.say("load_model", model="down.pt")
    await client.expect(ModelLoaded)
    await client.expect(ReplayEnded)
    assert await client.expect(EpisodeStart) == EpisodeStart(1, "down.pt")
    await client.expect(StateUpdate)


async def test_disconnecting_in_a_replay_leaves_nothing(service: InferenceService, kept: Recording) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            await client.load_recording(kept.info.recording)
            client.say("record")
            client.say("load_recording", recording=kept.info.recording)
            client.disconnect()
            await client.ended.wait()
        assert free_slots(service.engine) == 4


async def test_a_branch_off_a_random_start_repeats_its_steps(
    client: Client, recordings: RecordingFolder
) -> None:
    made = record(seed=5, start_seed=11)
    recordings.save(made)
    await client.load_recording(made.info.recording)
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
