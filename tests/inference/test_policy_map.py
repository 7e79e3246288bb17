"""get_policy_map: what the model would do in every cell."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hamlet_trio.agent.names import NETWORK_TYPES, NetworkType
from hamlet_trio.agent.policy import Policy
from hamlet_trio.inference import InferenceService, batch_executor
from hamlet_trio.inference.map_queue import MapRequest
from hamlet_trio.inference.policy_mapper import MAP_SECONDS
from hamlet_trio.protocol.messages import EpisodeStart, Error, ModelLoaded, PolicyMap, StateUpdate
from hamlet_trio.recording.file import Recording
from hamlet_trio.world import WorldConfig, Worlds
from hamlet_trio.world.observation import observe_cells
from tests.inference.support import DOWN, RIGHT, UP, Client, advance, greeted, real_time_limit, save_model


async def hear(client: Client, clock: MockClock) -> PolicyMap:
    """Receive a map; the next message must be it. Meanwhile time passes, in which its slices are made."""
    while client.nothing_waits():
        await advance(clock, MAP_SECONDS)
    return await client.expect(PolicyMap)


async def ask(client: Client, clock: MockClock, **fields: object) -> PolicyMap:
    """Ask for a map and receive it."""
    client.say("get_policy_map", **fields)
    return await hear(client, clock)


@pytest.mark.parametrize("network_type", NETWORK_TYPES)
async def test_a_map_is_what_the_model_does_in_each_cell(
    service: InferenceService, models: Path, mock_clock: MockClock, network_type: NetworkType
) -> None:
    save_model(models / "some.pt", network_type=network_type, seed=5)
    meters = {"energy": 0.3, "hygiene": 0.9, "satiation": 0.2, "money": -40, "mood": 66, "social": 0.1}
    with real_time_limit():
        async with greeted(service) as client:
            client.say("load_model", model="some.pt")
            await client.skip_to(ModelLoaded)
            await client.expect(EpisodeStart)
            await client.expect(StateUpdate)
            client.say("set_view", q_values=True)
            await client.hear()
            made = await ask(client, mock_clock, meters=meters)
            assert (made.width, made.height, made.model_name) == (8, 8, "some.pt")
            assert msgspec.structs.asdict(made.meters) == meters
            for x, y in ((0, 0), (1, 1), (7, 0), (4, 5), (7, 7)):
                client.say("set_start", cell=[x, y], meters=meters)
                await client.expect(EpisodeStart)
                q_values = (await client.expect(StateUpdate)).q_values
                assert isinstance(q_values, list)
                assert made.values[8 * y + x] == pytest.approx(max(q_values), abs=1e-3)
                assert made.actions[8 * y + x] == np.argmax(q_values)


def test_cells_are_seen_as_agents_there_see_them() -> None:
    worlds = Worlds(1, WorldConfig(width=9, height=8, num_agents=3), seed=4)
    worlds.reset(random_start=True)
    cells = (worlds.positions[0] @ [1, 9]).tolist()
    seen = worlds.observe()[0]
    meters = worlds.normalised()[0]
    for agent, cell in enumerate(cells):
        others = [other for index, other in enumerate(cells) if index != agent]
        (alone,) = observe_cells(worlds.config, meters[agent].tolist(), [cell], others)
        np.testing.assert_array_equal(alone, seen[agent])


async def test_it_is_of_the_situation_on_screen(client: Client, mock_clock: MockClock) -> None:
    at_start = await ask(client, mock_clock)
    assert (at_start.episode, at_start.step, set(at_start.actions)) == (1, 0, {RIGHT})
    assert at_start.meters == client.first_frame.agents["agent_0"].meters
    frames = await client.steps(5)
    now = await ask(client, mock_clock, meters={"money": 0})
    assert (now.step, now.meters) == (5, msgspec.structs.replace(frames[4].agents["agent_0"].meters, money=0))
    await client.rewind(2)
    rewound = await ask(client, mock_clock)
    assert (rewound.step, rewound.meters) == (2, frames[1].agents["agent_0"].meters)


async def test_in_a_recording_the_sessions_model_is_asked(
    client: Client, mock_clock: MockClock, kept: Recording
) -> None:
    await client.load_recording(kept.info.recording)
    shown = await client.seek(3)
    made = await ask(client, mock_clock)
    assert (made.episode, made.step, made.model_name) == (7, 3, "trained_agent.pt")
    assert made.meters == shown.agents["agent_0"].meters


async def test_of_maps_that_wait_the_newest_is_made(client: Client, mock_clock: MockClock) -> None:
    for money in range(9):
        client.say("get_policy_map", meters={"money": money})
        await wait_all_tasks_blocked()
    made = [await hear(client, mock_clock), await hear(client, mock_clock)]
    assert [one.meters.money for one in made] == [0, 8]
    await client.assert_silent()


async def test_maps_of_a_session_are_at_least_a_fifth_of_a_second_apart(
    client: Client, mock_clock: MockClock
) -> None:
    await ask(client, mock_clock)
    begun = trio.current_time()
    await advance(mock_clock, MAP_SECONDS)
    for _ in range(2):
        client.say("get_policy_map")
    while client.nothing_waits():
        await advance(mock_clock, MAP_SECONDS / 50)
    await client.expect(PolicyMap)
    client.say("get_policy_map")
    while client.nothing_waits():
        await advance(mock_clock, MAP_SECONDS / 50)
    assert trio.current_time() - begun >= 2 * MAP_SECONDS


async def test_steps_go_before_maps(
    service: InferenceService, client: Client, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each slice of a map waits for all steps that are asked for."""
    order: list[str] = []
    executor = service.engine._executor
    execute, execute_slice = executor.execute, executor.execute_slice

    def executing(requests: Any) -> int:
        order.append("step")
        return execute(requests)

    def slicing(request: MapRequest) -> None:
        order.append("slice")
        trio.from_thread.run_sync(client.say, "step")  # it comes while the slice is made
        execute_slice(request)

    monkeypatch.setattr(executor, "execute", executing)
    monkeypatch.setattr(executor, "execute_slice", slicing)
    client.say("get_policy_map")
    heard: list[object] = []
    while not any(isinstance(message, PolicyMap) for message in heard):
        await advance(mock_clock, MAP_SECONDS)
        while not client.nothing_waits():
            heard.append(await client.hear())
    assert "slice" in order[1:]
    assert all(later == "step" for earlier, later in pairwise(order) if earlier == "slice")


async def test_sessions_take_turns_slice_by_slice(
    service: InferenceService, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[MapRequest] = []
    execute_slice = service.engine._executor.execute_slice

    def slicing(request: MapRequest) -> None:
        turns.append(request)
        execute_slice(request)

    monkeypatch.setattr(service.engine._executor, "execute_slice", slicing)
    monkeypatch.setattr(batch_executor, "_SLICE_SECONDS", 0.0)  # a slice is a cell
    with real_time_limit():
        async with greeted(service) as one, greeted(service) as two:
            one.say("get_policy_map")
            two.say("get_policy_map")
            assert (await hear(one, mock_clock)).step == 0
            assert (await hear(two, mock_clock)).step == 0
    assert service.engine.counters.maps == 2
    assert len(set(turns)) == 2
    # The first slice has four cells, so that the other map ends later.
    assert all(later is not earlier for earlier, later in pairwise(turns[2:-8]))


async def test_what_cannot_be_supposed_is_refused(client: Client) -> None:
    for meters, code, field in (
        ({"money": 100.5}, "out_of_range", "meters.money"),
        ({"mood": -1}, "out_of_range", "meters.mood"),
        ({"social": 2}, "out_of_range", "meters.social"),
        ({"fun": 1}, "unknown_field", "meters.fun"),
    ):
        client.say("get_policy_map", meters=meters)
        error = await client.expect(Error)
        assert (error.code, error.command, error.field) == (code, "get_policy_map", field)


async def test_a_policy_that_fails_ends_no_session(
    client: Client, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = Policy.act

    def failing(policy: Policy, observations: Any, *, attention: bool = False) -> Any:
        if len(observations) > 1:
            raise MemoryError
        return act(policy, observations, attention=attention)

    monkeypatch.setattr(Policy, "act", failing)
    client.say("get_policy_map")
    while client.nothing_waits():
        await advance(mock_clock, MAP_SECONDS)
    error = await client.expect(Error)
    assert (error.code, error.command) == ("internal_error", "get_policy_map")
    monkeypatch.undo()
    assert (await client.step()).step == 1
    assert set((await ask(client, mock_clock)).actions) == {RIGHT}


async def test_a_client_may_leave_while_its_map_is_made(
    service: InferenceService, client: Client, mock_clock: MockClock
) -> None:
    async with greeted(service) as other:
        other.say("get_policy_map")
        await wait_all_tasks_blocked()
    await advance(mock_clock, 1)
    client.say("load_model", model="up.pt")
    await client.skip_to(StateUpdate)
    assert set((await ask(client, mock_clock)).actions) == {UP}


async def test_the_largest_world_is_mapped_in_slices(
    service: InferenceService, models: Path, mock_clock: MockClock
) -> None:
    world: dict[str, Any] = {"width": 32, "height": 32}
    save_model(models / "large.pt", network_type="options", width=32, height=32, world=world)
    with real_time_limit():
        async with greeted(service) as client:
            client.say("load_model", model="large.pt")
            await client.skip_to(EpisodeStart)
            await client.expect(StateUpdate)
            made = await ask(client, mock_clock)
            assert (made.width, made.height, len(made.actions), len(made.values)) == (32, 32, 1024, 1024)


async def test_of_several_agents_the_one_that_is_watched_is_asked(
    client: Client, mock_clock: MockClock
) -> None:
    client.say("set_world", num_agents=3)
    await client.skip_to(StateUpdate)
    client.say("load_model", model="down.pt", agent="agent_2")
    await client.skip_to(StateUpdate)
    first = await ask(client, mock_clock)
    assert (first.agent, set(first.actions)) == ("agent_0", {RIGHT})
    last = await ask(client, mock_clock, agent="agent_2", meters={"social": 0.2})
    assert (last.agent, last.model_name, set(last.actions)) == ("agent_2", "down.pt", {DOWN})
    client.say("set_view", agent="agent_2")
    await client.hear()
    assert (await ask(client, mock_clock)).agent == "agent_2"
    client.say("get_policy_map", agent="agent_3")
    error = await client.expect(Error)
    assert (error.code, error.field) == ("out_of_range", "agent")
