"""get_life: the whole episode on screen, in columns."""

import pytest
from trio.testing import MockClock

from hamlet_trio.protocol.messages import EpisodeEnd, EpisodeStart, Error, Life, StateUpdate
from hamlet_trio.recording.file import Recording
from tests.inference.support import RIGHT, Client, advance, episode_length

METERS = ("energy", "hygiene", "satiation", "money", "mood", "social")


async def get_life(client: Client) -> Life:
    """Ask for the life; the next message must be it."""
    client.say("get_life")
    return await client.expect(Life)


def check_rows(life: Life, frames: list[StateUpdate]) -> None:
    """The rows are what the frames showed."""
    assert life.stride == 1
    assert life.steps == len(frames) - 1
    assert len(life.returns) == len(frames)
    for row, frame in enumerate(frames):
        marker = frame.grid.agents[0]
        assert life.cells[row] == [marker.x, marker.y]
        assert life.returns[row] == pytest.approx(frame.cumulative_reward, abs=1e-3)
        shown = frame.agents["agent_0"].meters
        for name in METERS:
            value = getattr(shown, name)
            part = (value + 100) / 200 if name == "money" else value / 100 if name == "mood" else value
            assert life.meters[name][row] == pytest.approx(part, abs=1e-4)


async def test_a_life_in_progress_is_what_was_shown(client: Client) -> None:
    frames = [client.first_frame, *await client.steps(9)]
    life = await get_life(client)
    check_rows(life, frames)
    assert life.death is None
    assert life.recording is None
    assert life.episode == 1
    assert life.model_name == "trained_agent.pt"
    assert (await client.step()).step == 10


async def test_a_life_that_failed_tells_its_last_chance(client: Client) -> None:
    frames, end = await client.play_out(RIGHT)
    life = await get_life(client)
    check_rows(life, [client.first_frame, *frames])
    assert end.failure_reason is not None
    assert life.death is not None
    assert life.death.failure_reason == end.failure_reason
    assert life.markers[-1].kind == "end"
    chance = life.death.last_chance
    assert chance is not None
    assert 0 < chance.step < end.steps
    assert chance.places


async def test_a_life_before_its_first_step_has_one_row(client: Client) -> None:
    check_rows(await get_life(client), [client.first_frame])


async def test_a_recording_is_told_whole_from_any_step(client: Client, kept: Recording) -> None:
    await client.load_recording(kept.info.recording)
    await client.seek(2)
    life = await get_life(client)
    assert life.recording == kept.info.recording
    assert life.model_name == kept.info.model
    assert life.steps == kept.info.steps
    assert life.markers == kept.info.markers
    assert (await client.seek(3)).step == 3


async def test_the_life_that_ended_is_told_until_the_next_begins(client: Client) -> None:
    await client.play_out(RIGHT)
    assert (await get_life(client)).death is not None
    client.say("reset")
    await client.skip_to(StateUpdate)
    assert (await get_life(client)).steps == 0


async def test_a_death_stays_on_screen_at_any_speed(client: Client, mock_clock: MockClock) -> None:
    await client.ask("set_speed", speed=10, min_intermission=3)
    await client.ask("play")
    for _ in range(episode_length(RIGHT)):
        await advance(mock_clock, 0.01)
        await client.expect(StateUpdate)
    await client.expect(EpisodeEnd)
    await advance(mock_clock, 2.9)
    assert (await client.assert_silent()).playing
    # Another speed, without it, keeps it.
    await client.ask("set_speed", speed=5)
    await advance(mock_clock, 0.1)
    await client.expect(EpisodeStart)


async def test_an_intermission_of_a_year_is_refused(client: Client) -> None:
    client.say("set_speed", speed=1, min_intermission=1e7)
    error = await client.expect(Error)
    assert (error.code, error.field) == ("out_of_range", "min_intermission")
