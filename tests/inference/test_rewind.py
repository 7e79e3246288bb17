"""seek in a session's own episode: back to any step as it was, and on from there."""

import msgspec
import pytest
from msgspec import UNSET
from trio.testing import MockClock

from hamlet_trio.protocol.messages import (
    Branched,
    EpisodeEnd,
    EpisodeStart,
    Playback,
    ReplayEnded,
    StateUpdate,
    View,
)
from hamlet_trio.recording.info import Marker
from tests.inference.support import DOWN, INTERACT, LEFT, REPLAY_PAUSED, RIGHT, UP, Client, advance


async def _walk(client: Client, *actions: int) -> list[StateUpdate]:
    """Take control and do these; their frames."""
    await client.ask("take_control")
    frames = []
    for action in actions:
        client.say("act", action=action)
        frames.append(await client.expect(StateUpdate))
    return frames


async def test_every_frame_comes_back_as_it_was(client: Client) -> None:
    first = client.first_frame
    # The heat map counts over episodes, so the second one has a past.
    await client.steps(3)
    client.say("reset")
    await client.expect(EpisodeEnd)
    await client.expect(EpisodeStart)
    frames = [await client.expect(StateUpdate)]
    frames += await _walk(client, UP, UP, LEFT, INTERACT, DOWN, RIGHT)
    started, frame = await client.rewind(4)
    assert (started.recording, started.episode, started.steps) == (None, 2, 6)
    assert started.can_branch
    assert frame == frames[4]
    for step in (3, 0, 6, 5, 1, 2, 999):
        assert await client.seek(step) == frames[min(step, 6)]
    assert first.heat_map != frames[0].heat_map


async def test_seek_while_playing_pauses(client: Client, mock_clock: MockClock) -> None:
    await client.ask("play")
    for _ in range(3):
        await advance(mock_clock, 0.1)
        await client.expect(StateUpdate)
    _, frame = await client.rewind(1)
    assert frame.step == 1
    await advance(mock_clock, 60)
    assert await client.assert_silent() == REPLAY_PAUSED


async def test_play_goes_on_from_the_step_on_screen(client: Client, mock_clock: MockClock) -> None:
    frames = await client.steps(5)
    await client.rewind(2)
    client.say("play")
    assert await client.expect(ReplayEnded) == ReplayEnded(None)
    end = await client.expect(EpisodeEnd)
    assert (end.episode, end.steps, end.reason) == (1, 5, "reset")
    assert await client.expect(Branched) == Branched(2, "trained_agent.pt", 2, None)
    assert await client.expect(Playback) == Playback(True, 1.0, "policy")
    for expected in frames[2:5]:
        await advance(mock_clock, 0.1)
        frame = await client.expect(StateUpdate)
        assert msgspec.structs.replace(frame, episode=1) == expected
        assert frame.episode == 2


async def test_what_if_it_had_gone_elsewhere(client: Client) -> None:
    walked = await _walk(client, UP, UP, UP, LEFT)
    await client.rewind(2)
    client.say("act", action=DOWN)
    await client.expect(ReplayEnded)
    await client.expect(EpisodeEnd)
    assert (await client.expect(Branched)).step == 2
    elsewhere = await client.expect(StateUpdate)
    assert (elsewhere.step, elsewhere.grid.agents[0].y) == (3, walked[0].grid.agents[0].y)
    # The same deeds from the beginning lead to the same, bit for bit.
    client.say("reset")
    await client.skip_to(EpisodeStart)
    await client.expect(StateUpdate)
    again = (await _walk(client, UP, UP, DOWN))[-1]
    assert (again.agents, again.cumulative_reward) == (elsewhere.agents, elsewhere.cumulative_reward)


async def test_a_branch_can_be_rewound_to_before_it(client: Client) -> None:
    walked = await _walk(client, UP, LEFT, LEFT)
    await client.rewind(2)
    client.say("take_control")
    await client.skip_to(Branched)
    assert await client.expect(Playback) == Playback(False, 1.0, "human")
    client.say("act", action=DOWN)
    ahead = await client.expect(StateUpdate)
    started, frame = await client.rewind(1)
    assert (started.episode, started.steps) == (2, 3)
    assert msgspec.structs.replace(frame, episode=1) == walked[0]
    assert await client.seek(3) == ahead


async def test_at_its_end_the_same_episode_goes_on(client: Client) -> None:
    await client.steps(3)
    await client.rewind(1)
    await client.seek(3)
    client.say("step")
    await client.expect(ReplayEnded)
    frame = await client.expect(StateUpdate)
    assert (frame.episode, frame.step) == (1, 4)


async def test_leave_replay_is_back_where_it_was(client: Client, mock_clock: MockClock) -> None:
    assert await client.refusal("leave_replay") == "not_in_replay"
    last = (await client.steps(4))[-1]
    await client.rewind(0)
    client.say("leave_replay")
    assert await client.expect(ReplayEnded) == ReplayEnded(None)
    assert await client.expect(Playback) == Playback(False, 1.0, "policy")
    assert await client.expect(StateUpdate) == last
    assert (await client.step()).step == 5


async def test_the_end_of_an_ended_episode_leads_to_the_next(client: Client) -> None:
    frames, end = await client.play_out()
    started, frame = await client.rewind(end.steps)
    assert frame == frames[-1]
    assert started.markers[-1] == Marker(end.steps, "end", str(end.failure_reason))
    # At its end there is nothing to branch off: what follows is the next episode.
    client.say("step")
    await client.expect(ReplayEnded)
    assert (await client.expect(EpisodeStart)).episode == 2
    await client.skip_to(StateUpdate)
    await client.expect(StateUpdate)


async def test_a_branch_off_an_ended_episode_announces_no_second_end(client: Client) -> None:
    frames, end = await client.play_out()
    await client.rewind(end.steps - 1)
    client.say("step")
    await client.expect(ReplayEnded)
    assert await client.expect(Branched) == Branched(2, "trained_agent.pt", end.steps - 1, None)
    frame = await client.expect(StateUpdate)
    assert msgspec.structs.replace(frame, episode=1) == frames[-1]
    again = await client.expect(EpisodeEnd)
    assert (again.episode, again.steps, again.total_reward) == (2, end.steps, end.total_reward)


async def test_reset_and_load_model_end_a_rewound_episode(client: Client) -> None:
    await client.steps(2)
    await client.rewind(1)
    client.say("reset")
    await client.expect(ReplayEnded)
    assert (await client.expect(EpisodeEnd)).steps == 2
    await client.expect(EpisodeStart)
    assert (await client.expect(StateUpdate)).step == 0
    await client.steps(2)
    await client.rewind(1)
    client.say("load_model", model="down.pt")
    await client.skip_to(ReplayEnded)
    assert (await client.expect(EpisodeEnd)).reason == "model_changed"
    await client.expect(EpisodeStart)
    await client.expect(StateUpdate)
    assert (await client.step()).agents["agent_0"].last_action == "down"


async def test_frames_of_a_rewound_episode_show_what_was_thought(client: Client) -> None:
    client.say("load_model", model="relational.pt")
    await client.skip_to(EpisodeStart)
    await client.expect(StateUpdate)
    client.say("set_view", q_values=True, attention=True)
    await client.expect(View)
    frames = await client.steps(3)
    _, frame = await client.rewind(2)
    # One pass over all observations rounds otherwise than one over one of them.
    assert frame.q_values == pytest.approx(frames[1].q_values, abs=1e-5)
    assert frame.attention is not UNSET
    assert frame.attention is not None
    client.say("set_view", attention=False)
    view = await client.expect(View)
    assert view.current_q_values == pytest.approx(frames[2].q_values, abs=1e-5)
    assert view.current_attention is None
    assert (await client.seek(1)).attention is UNSET
    await client.seek(3)
    client.say("set_view")
    assert (await client.expect(View)).current_q_values is None


async def test_an_episode_without_a_step_can_be_looked_at(client: Client) -> None:
    first = client.first_frame
    started, frame = await client.rewind(7)
    assert started.steps == 0
    assert frame == first
    assert (await client.refusal("act", action=UP)) == "not_in_control"
    client.say("step")
    await client.expect(ReplayEnded)
    assert (await client.expect(StateUpdate)).step == 1
