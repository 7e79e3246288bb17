"""Two sessions with different models: whatever one client does, the other notices nothing."""

from collections.abc import Awaitable, Callable

import pytest
from trio.testing import MockClock

from hamlet_trio.inference import InferenceService
from hamlet_trio.protocol.messages import (
    EpisodeEnd,
    EpisodeStart,
    Error,
    InferenceMessage,
    ModelLoaded,
    Playback,
    StateUpdate,
    View,
)
from tests.inference.support import (
    DOWN,
    INTERACT,
    RIGHT,
    Client,
    advance,
    greeted,
    real_time_limit,
)

Action = Callable[[Client], Awaitable[None]]


async def pause(client: Client) -> None:
    await client.ask("pause")


async def play_again(client: Client) -> None:
    await client.ask("play")


async def set_speed(client: Client) -> None:
    await client.ask("set_speed", speed=7)


async def step(client: Client) -> None:
    await client.ask("pause")
    await client.steps(5)


async def reset(client: Client) -> None:
    client.say("reset")
    await client.expect(EpisodeEnd)
    await client.expect(EpisodeStart)
    await client.expect(StateUpdate)


async def load_model(client: Client) -> None:
    client.say("load_model", model="interact.pt")
    await client.expect(ModelLoaded)
    await client.expect(EpisodeEnd)
    await client.expect(EpisodeStart)
    await client.expect(StateUpdate)


async def load_a_missing_model(client: Client) -> None:
    client.say("load_model", model="nothing.pt")
    await client.expect(Error)


async def take_control(client: Client) -> None:
    await client.ask("take_control")
    for _ in range(3):
        client.say("act", action=INTERACT)
        await client.expect(StateUpdate)


async def set_view(client: Client) -> None:
    client.say("set_view", q_values=True, attention=True)
    await client.expect(View)


async def send_nonsense(client: Client) -> None:
    client.say_raw("{")
    await client.expect(Error)


async def flood(client: Client) -> None:
    for _ in range(300):
        client.say("status")
    for _ in range(300):
        await client.expect(Playback)


async def disconnect(client: Client) -> None:
    client.disconnect()
    await client.ended.wait()


ACTIONS = [
    pause,
    play_again,
    set_speed,
    step,
    reset,
    load_model,
    load_a_missing_model,
    take_control,
    set_view,
    send_nonsense,
    flood,
    disconnect,
]


async def _received_beside(
    service: InferenceService, clock: MockClock, action: Action | None
) -> list[InferenceMessage]:
    """Return what one client receives in a second of play, while the other acts."""
    heard: list[InferenceMessage] = []
    async with greeted(service) as watcher, greeted(service) as other:
        for client, model in ((watcher, "relational.pt"), (other, "down.pt")):
            client.say("load_model", model=model)
            await client.skip_to(StateUpdate)
            await client.ask("play")
        for tick in range(10):
            await advance(clock, 0.1)
            heard.append(await watcher.hear())
            if tick < 4:
                frame = await other.expect(StateUpdate)
                assert frame.action == DOWN
            if tick == 3 and action is not None:
                await action(other)
            if tick >= 4:
                other.forget()
        heard.append(await watcher.assert_silent())
    return heard


@pytest.mark.parametrize("action", ACTIONS)
async def test_what_one_session_does_the_other_does_not_notice(
    service: InferenceService, mock_clock: MockClock, action: Action
) -> None:
    with real_time_limit():
        alone = await _received_beside(service, mock_clock, None)
        beside = await _received_beside(service, mock_clock, action)
    assert [frame.step for frame in beside if isinstance(frame, StateUpdate)] == list(range(1, 11))
    assert beside == alone


async def test_two_clients_that_play_different_models_at_different_speeds(
    service: InferenceService, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with greeted(service) as first, greeted(service) as second:
            second.say("load_model", model="down.pt")
            await second.skip_to(StateUpdate)
            await first.ask("set_speed", speed=2)
            await first.ask("play")
            await second.ask("play")
            for tick in range(1, 21):
                await advance(mock_clock, 0.05)
                frame = await first.expect(StateUpdate)
                assert (frame.step, frame.action, frame.episode) == (tick, RIGHT, 1)
                if tick % 2 == 0:
                    frame = await second.expect(StateUpdate)
                    assert (frame.step, frame.action, frame.episode) == (tick // 2, DOWN, 1)
            assert (await first.assert_silent()).speed == 2
            assert (await second.assert_silent()).speed == 1
