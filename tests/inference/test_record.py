"""Recordings on /ws: record and load_recording."""

import errno

import pytest
from msgspec import UNSET
from trio.testing import MockClock

from hamlet_trio.inference import InferenceService
from hamlet_trio.protocol.messages import (
    EpisodeEnd,
    EpisodeStart,
    Error,
    RecordingSaved,
    ReplayStarted,
    StateUpdate,
)
from hamlet_trio.recording.file import Recording, encode
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.recording.info import RecordingInfo
from tests.inference.support import (
    REPLAY_PAUSED,
    UP,
    Client,
    advance,
    greeted,
    real_time_limit,
)
from tests.recording.support import record

# --- record ------------------------------------------------------------------------------------------------


async def test_record_keeps_the_episode_so_far(client: Client, recordings: RecordingFolder) -> None:
    hello = client.connected
    frames = await client.steps(5)
    info = await client.record()
    assert (info.source, info.reasons, info.model) == ("session", ("asked_for",), "trained_agent.pt")
    assert (info.episode, info.steps, info.ended) == (1, 5, None)
    assert info.episode_return == frames[-1].cumulative_reward
    loaded = recordings.load(info.recording)
    assert loaded.play().normalised[5, 0] == frames[-1].agents["agent_0"].meters.energy
    assert loaded.q_values is not None
    assert loaded.session_id == hello.session_id
    assert (await client.step()).step == 6


async def test_record_keeps_a_whole_episode_after_its_end(client: Client) -> None:
    _, end = await client.play_out()
    info = await client.record()
    assert (info.steps, info.ended) == (end.steps, "meter_depleted")
    assert (info.episode_return, info.failure_reason) == (end.total_reward, end.failure_reason)


async def test_record_waits_for_the_end_of_the_episode(client: Client) -> None:
    client.say("record", to_end=True)
    _, end = await client.play_out()
    info = (await client.expect(RecordingSaved)).recording
    assert (info.episode, info.steps, info.ended) == (1, end.steps, "meter_depleted")
    # After the end there is nothing to wait for, and the next episode is not asked for.
    assert (await client.record(to_end=True)).steps == end.steps
    client.say("step")
    await client.skip_to(StateUpdate)
    client.say("reset")
    await client.skip_to(EpisodeStart)
    assert (await client.expect(StateUpdate)).step == 0
    await client.assert_silent()


async def test_an_episode_that_is_left_is_recorded_so_far(client: Client) -> None:
    client.say("record", to_end=True)
    client.say("reset")  # of an episode without a step there is nothing to save: the next one is
    await client.skip_to(StateUpdate)
    await client.steps(3)
    client.say("set_world", num_agents=2)
    info = (await client.skip_to(RecordingSaved)).recording
    assert (info.agents, info.episode, info.steps, info.ended) == (UNSET, 2, 3, None)


async def test_record_saves_at_once_instead_of_at_the_end(client: Client) -> None:
    client.say("record", to_end=True)
    await client.steps(3)
    assert (await client.record()).steps == 3
    client.say("reset")
    await client.expect(EpisodeEnd)
    await client.expect(EpisodeStart)


async def test_what_was_recorded_is_replayed_frame_by_frame(client: Client) -> None:
    first = client.first_frame
    frames = [first, *await client.steps(8)]
    info = await client.record()
    started = await client.load_recording(info.recording)
    assert started.model_name == "trained_agent.pt"
    assert started.markers == info.markers
    assert [await client.seek(step) for step in range(9)] == frames


async def test_record_goes_on_playing_meanwhile(client: Client, mock_clock: MockClock) -> None:
    await client.ask("play")
    await advance(mock_clock, 0.1)
    await client.expect(StateUpdate)
    info = await client.record()
    assert info.steps == 1
    await advance(mock_clock, 0.1)
    assert (await client.expect(StateUpdate)).step == 2


async def test_a_rewound_episode_is_recorded_whole(client: Client) -> None:
    await client.steps(4)
    client.say("seek", step=1)
    await client.skip_to(StateUpdate)
    assert (await client.record()).steps == 4


async def test_nothing_to_record(client: Client, kept: Recording) -> None:
    assert await client.refusal("record") == "nothing_to_record"
    await client.step()
    await client.load_recording(kept.info.recording)
    assert await client.refusal("record") == "nothing_to_record"


async def test_a_recording_that_cannot_be_written_is_reported(
    service: InferenceService, recordings: RecordingFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: RecordingFolder, recording: Recording) -> RecordingInfo:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RecordingFolder, "save", full)
    with real_time_limit():
        async with greeted(service) as client:
            await client.step()
            client.say("record")
            error = await client.expect(Error)
            assert (error.code, error.command) == ("recording_failed", "record")
            assert "No space left" in error.message
            assert (await client.step()).step == 2
    assert recordings.entries() == []


# --- load_recording ----------------------------------------------------------------------------------------


async def test_load_recording_begins_paused_at_the_start(
    client: Client, kept: Recording, mock_clock: MockClock
) -> None:
    await client.ask("play")
    started = await client.load_recording(kept.info.recording)
    assert kept.q_values is not None
    assert started == ReplayStarted(
        kept.info.recording,
        "other.pt",
        7,
        6,
        kept.info.markers,
        can_branch=True,
        q_value_range=[float(kept.q_values.min()), float(kept.q_values.max())],  # as films draw them
    )
    await advance(mock_clock, 60)
    assert await client.assert_silent() == REPLAY_PAUSED


@pytest.mark.parametrize(
    ("recording", "code"),
    [
        ("20250101-000000-abcdef", "unknown_recording"),
        ("../models/trained_agent.pt", "unknown_recording"),
        ("20250101-000000-000bad", "unusable_recording"),
    ],
)
async def test_a_recording_that_cannot_be_used_changes_nothing(
    client: Client, recordings: RecordingFolder, kept: Recording, recording: str, code: str
) -> None:
    damaged = bytearray(encode(kept))
    damaged[-1] ^= 1
    (recordings.path / "20250101-000000-000bad.rec").write_bytes(damaged)
    await client.steps(2)
    client.say("load_recording", recording=recording)
    error = await client.expect(Error)
    assert (error.code, error.command, error.field) == (code, "load_recording", "recording")
    assert recording in error.message
    assert (await client.step()).step == 3


async def test_another_recording_takes_the_place_of_the_first(
    client: Client, recordings: RecordingFolder, kept: Recording
) -> None:
    other = record(actions=[UP])
    recordings.save(other)
    await client.load_recording(kept.info.recording)
    assert (await client.load_recording(other.info.recording)).steps == 1


async def test_too_many_orders_are_refused(client: Client) -> None:
    for _ in range(30):
        client.say("load_recording", recording="20250101-000000-abcdef")
    codes = [(await client.expect(Error)).code for _ in range(30)]
    assert {"unknown_recording", "too_many_loads"} == set(codes)
