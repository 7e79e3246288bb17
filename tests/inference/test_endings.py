"""However and whenever a session ends: no task, slot, place or policy stays, and errors are not lost."""

import threading
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.agent.policy import Policy
from hamlet_trio.inference import InferenceService
from hamlet_trio.inference.message_sender import MAX_UNSENT
from hamlet_trio.protocol.messages import Error, StateUpdate
from hamlet_trio.settings import Settings
from tests.inference.support import Client, advance, connected, free_slots, greeted, real_time_limit, uses
from tests.patience import PATIENCE

Situation = Callable[[Client, MockClock], Awaitable[None]]


async def paused(client: Client, clock: MockClock) -> None:
    await client.greeting()


async def playing(client: Client, clock: MockClock) -> None:
    await client.greeting()
    await client.ask("play")
    await advance(clock, 0.15)


async def between_episodes(client: Client, clock: MockClock) -> None:
    await client.greeting()
    await client.play_out()
    await client.ask("play")
    await advance(clock, 0.5)


async def in_control(client: Client, clock: MockClock) -> None:
    await client.greeting()
    await client.ask("take_control")


async def with_commands_waiting(client: Client, clock: MockClock) -> None:
    await client.greeting()
    for _ in range(200):
        client.say("step")


async def with_models_waiting(client: Client, clock: MockClock) -> None:
    await client.greeting()
    for name in ("down.pt", "up.pt", "relational.pt", "nothing.pt", "down.pt"):
        client.say("load_model", model=name)


async def at_once(client: Client, clock: MockClock) -> None:
    pass


async def during_the_greeting(client: Client, clock: MockClock) -> None:
    await client.hear()


SITUATIONS = [
    paused,
    playing,
    between_episodes,
    in_control,
    with_commands_waiting,
    with_models_waiting,
    at_once,
    during_the_greeting,
]


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


async def assert_nothing_stays(service: InferenceService, tasks_before: int) -> None:
    assert service.active_sessions == 0
    assert free_slots(service.engine) == service.capacity
    assert uses(service.policies) == 0
    await wait_all_tasks_blocked()
    assert tasks() == tasks_before


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("window", [float("inf"), 1])
async def test_disconnect(
    service: InferenceService, mock_clock: MockClock, situation: Situation, window: float
) -> None:
    await wait_all_tasks_blocked()
    before = tasks()
    with real_time_limit():
        async with connected(service, window=window) as client:
            await situation(client, mock_clock)
        await assert_nothing_stays(service, before)


@pytest.mark.parametrize("situation", SITUATIONS)
async def test_drain(service: InferenceService, mock_clock: MockClock, situation: Situation) -> None:
    await wait_all_tasks_blocked()
    before = tasks()
    draining = trio.Event()
    with real_time_limit():
        async with connected(service, draining=draining) as client:
            await situation(client, mock_clock)
            draining.set()
            await client.ended.wait()
            assert client.code == 1012
        await assert_nothing_stays(service, before)


async def test_disconnect_in_the_middle_of_a_step(
    service: InferenceService, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, go = threading.Event(), threading.Event()
    act = Policy.act

    def held(policy: Policy, *arguments: object, **options: object) -> object:
        under_way.set()
        assert go.wait(PATIENCE)
        return act(policy, *arguments, **options)  # type: ignore[arg-type]

    await wait_all_tasks_blocked()
    before = tasks()
    with real_time_limit():
        async with greeted(service) as client:
            monkeypatch.setattr(Policy, "act", held)
            client.say("step")
            await trio.to_thread.run_sync(under_way.wait, 60)
            client.disconnect()
            await client.ended.wait()  # while the step is still under way
            assert free_slots(service.engine) == service.capacity
        go.set()
        async with connected(service) as client:
            _, _, frame = await client.greeting()
            assert frame.agents["agent_0"].meters.energy == 1
        await assert_nothing_stays(service, before)


async def test_disconnect_in_the_middle_of_a_load(
    service: InferenceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, go = threading.Event(), threading.Event()
    resolve = ModelFolder.resolve

    def held(folder: ModelFolder, name: str) -> object:
        under_way.set()
        assert go.wait(PATIENCE)
        return resolve(folder, name)

    await wait_all_tasks_blocked()
    before = tasks()
    with real_time_limit():
        async with greeted(service) as client:
            monkeypatch.setattr(ModelFolder, "resolve", held)
            client.say("load_model", model="down.pt")
            await trio.to_thread.run_sync(under_way.wait, 60)
            client.disconnect()
            await wait_all_tasks_blocked()
            go.set()
            await client.ended.wait()
        await assert_nothing_stays(service, before)


async def test_persistent_abuse_ends_with_1008(service: InferenceService) -> None:
    settings = Settings(command_rate=1e-6, command_burst=10, command_abuse=20)  # a pause allows none
    with real_time_limit():
        async with greeted(service, settings=settings) as client:
            for _ in range(31):
                client.say("status")
            await client.ended.wait()
        assert client.code == 1008
        assert free_slots(service.engine) == service.capacity


async def test_an_error_in_sending_ends_with_1011_and_is_logged(
    service: InferenceService, capsys: pytest.CaptureFixture[str]
) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            client.break_sending(ConnectionResetError("the wire is cut"))
            client.say("status")
            await client.ended.wait()
        assert client.code == 1011
    log = "".join(capsys.readouterr())
    assert client.connected.session_id in log
    assert "the wire is cut" in log


async def test_bad_frames_are_answered_in_the_order_of_commands(client: Client) -> None:
    client.say("step")
    client.say_raw("not JSON")
    client.say("step")
    client.say_raw(b"\x00")
    client.say_raw(None)
    client.say("set_speed", speed="fast")
    client.say("step")
    answers = [await client.hear() for _ in range(7)]
    shown = [
        answer.step if isinstance(answer, StateUpdate) else answer.code
        for answer in answers
        if isinstance(answer, StateUpdate | Error)
    ]
    assert shown == [1, "invalid_json", 2, "binary_frame", "binary_frame", "wrong_type", 3]
    await client.assert_silent()


async def test_commands_beyond_the_queue_are_refused_one_by_one_and_the_others_carried_out(
    service: InferenceService,
) -> None:
    settings = Settings(command_burst=10_000, session_command_queue=500)
    with real_time_limit():
        async with greeted(service, settings=settings, window=0) as client:
            # It goes on sending and no longer reads: the controller waits once ten answers wait.
            for _ in range(2000):
                client.say("set_speed", speed=2)
            await wait_all_tasks_blocked()
            answers = [await client.hear() for _ in range(2000)]
            refused = [answer for answer in answers if isinstance(answer, Error)]
            assert {answer.code for answer in refused} == {"rate_limited"}
            assert 2000 - len(refused) == 500 + MAX_UNSENT + 2
            await client.assert_silent()
