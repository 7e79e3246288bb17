"""A person plays: take_control, act, release_control."""

import pytest
from trio.testing import MockClock

from hamlet_trio.protocol.messages import EpisodeEnd, EpisodeStart, Playback, StateUpdate
from tests.inference.support import (
    DOWN,
    INTERACT,
    LEFT,
    RIGHT,
    UP,
    Client,
    advance,
    episode_length,
)


async def test_act_without_control_is_refused(client: Client) -> None:
    assert await client.refusal("act", action=UP) == "not_in_control"
    await client.ask("take_control")
    await client.ask("release_control")
    assert await client.refusal("act", action=UP) == "not_in_control"
    assert (await client.step()).step == 1


async def test_each_act_is_one_step_with_the_persons_action(client: Client) -> None:
    assert await client.ask("take_control") == Playback(False, 1.0, "human")
    cells = []
    for number, action in enumerate((UP, LEFT, DOWN, RIGHT, INTERACT), 1):
        client.say("act", action=action)
        frame = await client.expect(StateUpdate)
        assert (frame.step, frame.action) == (number, action)
        cells.append((frame.grid.agents[0].x, frame.grid.agents[0].y))
    assert cells == [(4, 3), (3, 3), (3, 4), (4, 4), (4, 4)]
    await client.assert_silent()


async def test_step_is_refused_while_a_person_plays(client: Client) -> None:
    await client.ask("take_control")
    assert await client.refusal("step") == "human_in_control"


async def test_take_control_holds_the_world_and_keeps_playing_as_it_was(
    client: Client, mock_clock: MockClock
) -> None:
    await client.ask("play")
    await advance(mock_clock, 0.05)
    assert await client.ask("take_control") == Playback(True, 1.0, "human")
    await advance(mock_clock, 60)
    await client.assert_silent()
    client.say("act", action=UP)
    assert (await client.expect(StateUpdate)).step == 1


async def test_take_control_twice_and_release_without_control_change_nothing(
    client: Client, mock_clock: MockClock
) -> None:
    assert await client.ask("release_control") == Playback(False, 1.0, "policy")
    await client.ask("take_control")
    assert await client.ask("take_control") == Playback(False, 1.0, "human")
    await client.ask("release_control")
    await client.ask("play")
    await advance(mock_clock, 0.06)
    await client.ask("release_control")
    await advance(mock_clock, 0.04)
    assert (await client.expect(StateUpdate)).step == 1


async def test_release_control_lets_the_policy_go_on_at_its_pace(
    client: Client, mock_clock: MockClock
) -> None:
    await client.ask("play")
    await client.ask("take_control")
    client.say("act", action=LEFT)
    await client.expect(StateUpdate)
    await advance(mock_clock, 60)
    assert await client.ask("release_control") == Playback(True, 1.0, "policy")
    await client.assert_silent()
    await advance(mock_clock, 0.1)
    frame = await client.expect(StateUpdate)
    assert (frame.step, frame.action) == (2, RIGHT)
    await client.assert_silent()


async def test_pause_and_play_while_a_person_plays_decide_what_release_finds(
    client: Client, mock_clock: MockClock
) -> None:
    await client.ask("take_control")
    assert await client.ask("play") == Playback(True, 1.0, "human")
    await advance(mock_clock, 60)
    await client.assert_silent()
    assert await client.ask("pause") == Playback(False, 1.0, "human")
    await client.ask("release_control")
    await advance(mock_clock, 60)
    await client.assert_silent()


async def test_reset_while_a_person_plays_leaves_them_in_control(client: Client) -> None:
    await client.ask("take_control")
    client.say("act", action=UP)
    await client.expect(StateUpdate)
    client.say("reset")
    assert (await client.expect(EpisodeEnd)).reason == "reset"
    await client.expect(EpisodeStart)
    await client.expect(StateUpdate)
    assert (await client.assert_silent()).controller == "human"


async def test_an_episode_a_person_ends_while_playing_is_followed_after_two_seconds(
    client: Client, mock_clock: MockClock
) -> None:
    await client.ask("play")
    await client.ask("take_control")
    await _act_to_the_end(client)
    await advance(mock_clock, 1.999)
    await client.assert_silent()
    await advance(mock_clock, 0.001)
    assert (await client.expect(EpisodeStart)).episode == 2
    assert (await client.expect(StateUpdate)).step == 0
    await advance(mock_clock, 60)
    assert (await client.assert_silent()).controller == "human"


@pytest.mark.parametrize("playing", [False, True])
async def test_act_begins_the_next_episode_where_the_last_is_over(
    client: Client, mock_clock: MockClock, playing: bool
) -> None:
    if playing:
        await client.ask("play")
    await client.ask("take_control")
    await _act_to_the_end(client)
    await advance(mock_clock, 1)
    client.say("act", action=UP)
    assert (await client.expect(EpisodeStart)).episode == 2
    assert (await client.expect(StateUpdate)).step == 0
    assert (await client.expect(StateUpdate)).step == 1
    await advance(mock_clock, 60)
    await client.assert_silent()


async def _act_to_the_end(client: Client) -> None:
    length = episode_length(INTERACT)
    for _ in range(length):
        client.say("act", action=INTERACT)
    for _ in range(length):
        await client.expect(StateUpdate)
    await client.expect(EpisodeEnd)
