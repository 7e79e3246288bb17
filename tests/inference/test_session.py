"""The table "An inference session" of the design, row by row, on a virtual clock."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.inference import InferenceService
from hamlet_trio.inference.session_keeper import session_id_of
from hamlet_trio.inference.timers import COALESCING_SECONDS
from hamlet_trio.protocol.messages import (
    PROTOCOL_VERSION,
    Connected,
    EpisodeEnd,
    EpisodeStart,
    Playback,
    StateUpdate,
)
from hamlet_trio.protocol.world_info import world_info
from hamlet_trio.settings import Settings
from hamlet_trio.world.world_file import World
from tests.inference.support import (
    RIGHT,
    Client,
    advance,
    connected,
    episode_length,
    free_slots,
    greeted,
    real_time_limit,
    uses,
)


async def test_connect_begins_paused_with_the_world_on_screen(service: InferenceService) -> None:
    with real_time_limit():
        async with connected(service, secret="abc") as client:  # noqa: S106
            greeting, start, frame = await client.greeting()
            assert greeting == Connected(
                greeting.available_models,
                session_id_of("abc"),
                "trained_agent.pt",
                "qnetwork",
                world_info(World()),
                PROTOCOL_VERSION,
                resume="abc",
                proof=greeting.proof,
            )
            assert service.shared.find(greeting.session_id, greeting.proof) is not None
            assert greeting.available_models[0] == "trained_agent.pt"
            assert sorted(greeting.available_models) == [
                "down.pt", "interact.pt", "relational.pt", "trained_agent.pt", "up.pt"
            ]  # fmt: skip
            assert start == EpisodeStart(1, "trained_agent.pt")
            assert (frame.step, frame.episode) == (0, 1)
            playback = await client.assert_silent()
            assert playback == Playback(playing=False, speed=1.0, controller="policy")


async def test_play_steps_every_tenth_of_a_second(client: Client, mock_clock: MockClock) -> None:
    assert (await client.ask("play")).playing
    for step in range(1, 6):
        await advance(mock_clock, 0.099)
        await client.assert_silent()
        await advance(mock_clock, 0.001)
        assert (await client.expect(StateUpdate)).step == step


async def test_play_keeps_absolute_deadlines(client: Client, mock_clock: MockClock) -> None:
    await client.ask("play")
    await advance(mock_clock, 0.13)  # 0.03 late; the next is due at 0.2 nevertheless
    await client.expect(StateUpdate)
    await advance(mock_clock, 0.069)
    await client.assert_silent()
    await advance(mock_clock, 0.001)
    assert (await client.expect(StateUpdate)).step == 2


async def test_a_second_play_changes_nothing(client: Client, mock_clock: MockClock) -> None:
    await client.ask("play")
    await advance(mock_clock, 0.06)
    assert (await client.ask("play")).playing
    await advance(mock_clock, 0.04)
    assert (await client.expect(StateUpdate)).step == 1
    await client.assert_silent()


async def test_pause_cancels_the_wait_under_way(client: Client, mock_clock: MockClock) -> None:
    await client.ask("play")
    await advance(mock_clock, 0.09)
    assert not (await client.ask("pause")).playing
    await advance(mock_clock, 60)
    await client.assert_silent()


async def test_pause_completes_the_step_under_way_before_its_answer(
    client: Client, mock_clock: MockClock
) -> None:
    await client.ask("play")
    # The deadline passes and the command arrives in the same instant, so the step is asked for first.
    await advance(mock_clock, 0.1)
    client.say("pause")
    assert (await client.expect(StateUpdate)).step == 1
    assert not (await client.expect(Playback)).playing
    await advance(mock_clock, 60)
    await client.assert_silent()


async def test_step_while_paused_is_exactly_one_step_a_command(client: Client) -> None:
    assert [frame.step for frame in await client.steps(50)] == list(range(1, 51))
    await client.assert_silent()


async def test_step_while_playing_is_refused(client: Client, mock_clock: MockClock) -> None:
    await client.ask("play")
    assert await client.refusal("step") == "step_while_playing"
    await advance(mock_clock, 0.1)
    assert (await client.expect(StateUpdate)).step == 1


async def test_reset_ends_the_episode_and_begins_the_next(client: Client) -> None:
    total = sum([(await client.step()).reward for _ in range(3)])
    client.say("reset")
    end = await client.expect(EpisodeEnd)
    assert end == EpisodeEnd(1, 3, end.total_reward, "reset", None)
    assert end.total_reward == pytest.approx(total)
    assert await client.expect(EpisodeStart) == EpisodeStart(2, "trained_agent.pt")
    frame = await client.expect(StateUpdate)
    assert (frame.step, frame.episode, frame.cumulative_reward) == (0, 2, 0)
    assert (frame.grid.agents[0].x, frame.grid.agents[0].y) == (4, 4)
    assert not (await client.assert_silent()).playing


async def test_reset_while_playing_needs_no_time_and_goes_on_playing(
    client: Client, mock_clock: MockClock
) -> None:
    await client.ask("play")
    await advance(mock_clock, 0.05)
    client.say("reset")  # virtual time stands still from here to frame 0
    await client.expect(EpisodeEnd)
    await client.expect(EpisodeStart)
    assert (await client.expect(StateUpdate)).step == 0
    await advance(mock_clock, 0.1)
    assert (await client.expect(StateUpdate)).step == 1


async def test_set_speed_applies_to_the_wait_under_way(client: Client, mock_clock: MockClock) -> None:
    await client.ask("set_speed", speed=0.1)
    await client.ask("play")
    await advance(mock_clock, 0.15)
    assert (await client.ask("set_speed", speed=0.5)).speed == 0.5
    await advance(mock_clock, 0.049)
    await client.assert_silent()
    await advance(mock_clock, 0.001)
    assert (await client.expect(StateUpdate)).step == 1


async def test_set_speed_makes_one_overdue_step_and_no_burst(client: Client, mock_clock: MockClock) -> None:
    await client.ask("set_speed", speed=0.1)
    await client.ask("play")
    await advance(mock_clock, 0.45)
    client.say("set_speed", speed=10)
    await client.expect(Playback)
    assert (await client.expect(StateUpdate)).step == 1
    await client.assert_silent()
    await advance(mock_clock, 0.01)
    assert (await client.expect(StateUpdate)).step == 2


@pytest.mark.parametrize(("asked", "used"), [(0, 0.1), (0.01, 0.1), (3.5, 3.5), (11, 10.0), (999_999, 10.0)])
async def test_set_speed_is_clamped_and_tells_the_value_used(
    client: Client, asked: float, used: float
) -> None:
    assert await client.ask("set_speed", speed=asked) == Playback(False, used, "policy")


async def test_an_episode_that_is_over_while_playing_is_followed_after_two_seconds(
    client: Client, mock_clock: MockClock
) -> None:
    end = await _play_to_the_end(client, mock_clock)
    assert end.reason == "meter_depleted"
    await advance(mock_clock, 1.999)
    await client.assert_silent()
    await advance(mock_clock, 0.001)
    assert await client.expect(EpisodeStart) == EpisodeStart(2, "trained_agent.pt")
    assert (await client.expect(StateUpdate)).step == 0
    await advance(mock_clock, 0.1)
    assert (await client.expect(StateUpdate)).step == 1


async def test_the_pause_between_episodes_scales_with_speed_also_when_it_is_set_meanwhile(
    client: Client, mock_clock: MockClock
) -> None:
    await _play_to_the_end(client, mock_clock)
    await advance(mock_clock, 0.3)
    await client.ask("set_speed", speed=4)
    await advance(mock_clock, 0.199)
    await client.assert_silent()
    await advance(mock_clock, 0.001)
    assert (await client.expect(EpisodeStart)).episode == 2


@pytest.mark.parametrize("command", ["step", "play", "reset"])
async def test_an_episode_that_is_over_while_paused_is_followed_on_command(
    client: Client, mock_clock: MockClock, command: str
) -> None:
    await client.play_out()
    await advance(mock_clock, 60)
    await client.assert_silent()
    client.say(command)
    if command == "play":
        assert (await client.expect(Playback)).playing
    assert (await client.expect(EpisodeStart)).episode == 2
    assert (await client.expect(StateUpdate)).step == 0
    if command == "step":
        assert (await client.expect(StateUpdate)).step == 1
    await client.assert_silent()


async def test_pause_in_the_wait_between_episodes_holds_it_until_play(
    client: Client, mock_clock: MockClock
) -> None:
    await _play_to_the_end(client, mock_clock)
    await advance(mock_clock, 1)
    await client.ask("pause")
    await advance(mock_clock, 60)
    await client.assert_silent()
    await client.ask("play")
    assert (await client.expect(EpisodeStart)).episode == 2
    assert (await client.expect(StateUpdate)).step == 0
    await advance(mock_clock, 0.1)
    assert (await client.expect(StateUpdate)).step == 1


async def test_an_episode_ends_with_its_last_frame_and_says_why(client: Client) -> None:
    frames, end = await client.play_out()
    last = frames[-1]
    assert not any(frame.done or frame.info.failure_reason for frame in frames[:-1])
    assert last.done
    assert not last.truncated
    assert end == EpisodeEnd(1, len(frames), end.total_reward, "meter_depleted", last.info.failure_reason)
    assert last.info.failure_reason == "mood_depleted"  # walking into a wall: nobody to talk to
    assert end.total_reward == last.cumulative_reward == pytest.approx(sum(f.reward for f in frames))


async def test_a_slow_client_slows_its_own_session_and_no_other(
    service: InferenceService, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with greeted(service, window=0) as slow, greeted(service) as quick:
            await slow.ask("play")
            await quick.ask("play")
            for step in range(1, 41):
                await advance(mock_clock, 0.1)
                assert (await quick.expect(StateUpdate)).step == step
            # Four seconds without reading: ten frames wait, the eleventh was overdue; no time is made up for.
            waiting = [await slow.expect(StateUpdate) for _ in range(11)]
            assert [frame.step for frame in waiting] == list(range(1, 12))
            assert service.statistics().late_turns == 1
            await slow.assert_silent()
            # Its turn comes a trace after the other's, and so at the next time that turns are taken.
            await advance(mock_clock, 0.1 + COALESCING_SECONDS)
            assert (await slow.expect(StateUpdate)).step == 12


async def test_disconnect_returns_the_slot_and_the_place(service: InferenceService) -> None:
    with real_time_limit():
        async with greeted(service):
            assert service.active_sessions == 1
            assert free_slots(service.engine) == 3
        assert service.active_sessions == 0
        assert free_slots(service.engine) == 4
        assert uses(service.policies) == 0


async def test_server_shutdown_ends_the_session_with_1012(service: InferenceService) -> None:
    draining = trio.Event()
    with real_time_limit():
        async with greeted(service, draining=draining) as client:
            await client.ask("play")
            draining.set()
            await client.ended.wait()
        assert client.code == 1012
        assert free_slots(service.engine) == 4


async def test_commands_before_the_service_is_ready_are_kept(models: Path, mock_clock: MockClock) -> None:
    service = InferenceService(Settings(), ModelFolder(models))
    with real_time_limit():
        async with connected(service) as client, trio.open_nursery() as nursery:
            for _ in range(3):
                client.say("step")
            await advance(mock_clock, 5)
            assert client.nothing_waits()
            nursery.start_soon(service.run)
            await client.greeting()
            assert [(await client.expect(StateUpdate)).step for _ in range(3)] == [1, 2, 3]
            nursery.cancel_scope.cancel()


async def _play_to_the_end(client: Client, clock: MockClock) -> EpisodeEnd:
    """Step to just before the end of the first episode, and play the last step."""
    await client.steps(episode_length(RIGHT) - 1)
    await client.ask("play")
    await advance(clock, 0.1)
    assert (await client.expect(StateUpdate)).done
    return await client.expect(EpisodeEnd)
