"""Several agents in a session: what frames tell of each, who plays them, and how an episode ends."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import trio
from numpy.typing import NDArray
from trio.testing import MockClock

from hamlet_trio.agent.policy import Policy, PolicyOutput
from hamlet_trio.inference import InferenceService
from hamlet_trio.inference.engine import PolicyEngine, Slot
from hamlet_trio.inference.world_group import Players
from hamlet_trio.protocol.messages import (
    Branched,
    EpisodeEnd,
    EpisodeStart,
    Error,
    Life,
    ModelLoaded,
    Playback,
    ReplayEnded,
    StateUpdate,
    View,
    WorldSet,
)
from hamlet_trio.world import WorldConfig, Worlds
from scripts.doc_tables.kept import MESSAGES as KEPT
from tests.inference.support import (
    DOWN,
    INTERACT,
    RIGHT,
    UP,
    Client,
    advance,
    greeted,
    real_time_limit,
    save_model,
    uses,
)

IDS = ["agent_0", "agent_1", "agent_2"]


async def company(client: Client, **fields: object) -> StateUpdate:
    """Choose a world with three agents before the first step; return the frame of its first episode."""
    client.say("set_world", **({"num_agents": 3} | fields))
    await client.expect(WorldSet)
    start = await client.expect(EpisodeStart)
    assert start.num_agents == fields.get("num_agents", 3)
    return await client.expect(StateUpdate)


async def load(client: Client, model: str, **fields: object) -> EpisodeStart:
    client.say("load_model", model=model, **fields)
    await client.skip_to(ModelLoaded)
    start = await client.skip_to(EpisodeStart)
    await client.expect(StateUpdate)
    return start


async def test_frames_tell_of_every_agent(service: InferenceService) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            assert client.connected.num_agents == 1
            frame = await company(client, contention=True)
            assert [marker.id for marker in frame.grid.agents] == IDS == list(frame.agents)
            assert len({marker.color for marker in frame.grid.agents}) == 3
            frame = await client.step()
            worlds = Worlds(1, WorldConfig(num_agents=3, contention=True))
            result = worlds.step([[RIGHT] * 3], components=True)
            assert result.components is not None
            for index, agent_id in enumerate(IDS):
                marker, state = frame.grid.agents[index], frame.agents[agent_id]
                assert (marker.x, marker.y) == tuple(worlds.positions[0, index])
                assert (marker.last_action, state.last_action) == ("right", "right")
                assert state.reward == state.cumulative_reward == result.rewards[0, index]
                assert state.meters.money == worlds.meters[0, index, 3]
                assert (state.alive, state.failure_reason) == (True, None)
                assert isinstance(state.reward_breakdown, msgspec.Struct)
                terms = msgspec.structs.astuple(state.reward_breakdown)
                assert list(terms) == [part[0, index] for part in result.components]
            assert frame.reward == frame.agents["agent_0"].reward == frame.cumulative_reward


async def test_a_single_agent_is_told_of_as_before(client: Client) -> None:
    client.say("step")
    frame = msgspec.json.decode(await client.hear_text())
    assert set(frame["agents"]["agent_0"]) == {"meters", "last_action", "reward"}
    assert "view_agent" not in frame


async def test_each_agent_plays_its_own_model(service: InferenceService) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            await company(client)
            await load(client, "down.pt", agent="agent_1")
            start = await load(client, "up.pt", agent="agent_2")
            assert start.models == dict(zip(IDS, ("trained_agent.pt", "down.pt", "up.pt"), strict=True))
            frame = await client.step()
            assert [frame.agents[one].last_action for one in IDS] == ["right", "down", "up"]
            assert uses(service.policies) == 3
            start = await load(client, "interact.pt")
            assert set(start.models.values()) == {"interact.pt"}  # type: ignore[union-attr]
            assert uses(service.policies) == 1
            await load(client, "interact.pt", agent="agent_1")
            assert uses(service.policies) == 1
        assert uses(service.policies) == 0


async def test_an_agent_that_is_not_there_is_refused(service: InferenceService) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            await company(client)
            extra: dict[str, dict[str, Any]] = {"act": {"action": 1}, "load_model": {"model": "down.pt"}}
            for command in ("take_control", "act", "set_view", "load_model"):
                fields = extra.get(command, {})
                client.say(command, agent="agent_3", **fields)
                error = await client.expect(Error)
                assert (error.code, error.command, error.field) == ("out_of_range", command, "agent")
                assert "agent_0 to agent_2" in error.message
            assert uses(service.policies) == 1
            assert await client.refusal("set_view", agent="agent_8") == "out_of_range"


def read_as(known: Any, value: Any, at: str = "") -> None:
    """Read a value as a strict client does that knows another one: its fields are there, with their types."""
    if isinstance(known, dict):
        assert isinstance(value, dict), at
        for name, inner in known.items():
            assert name in value, f"{at}.{name}"
            read_as(inner, value[name], f"{at}.{name}")
    elif isinstance(known, list):
        assert isinstance(value, list), at
        for inner in value:
            read_as(known[0] if known else inner, inner, f"{at}[]")
    elif not isinstance(known, int | float) or isinstance(known, bool):
        assert isinstance(value, type(known)), at
    else:
        assert isinstance(value, int | float), at


async def test_a_client_that_knows_one_agent_reads_the_frames_of_several(service: InferenceService) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            known = [msgspec.to_builtins(await client.step()) for _ in range(2)]
        async with greeted(service) as client:
            await company(client, contention=True)
            for alone in known:
                frame = msgspec.to_builtins(await client.step())
                fields = {name: alone[name] for name in KEPT["inference"]["state_update"]}
                read_as(fields, frame)
                assert frame["agents"]["agent_0"]["last_action"] == alone["agents"]["agent_0"]["last_action"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"num_agents": 0}, "num_agents"),
        ({"num_agents": 9}, "num_agents"),
        ({"world": {"num_agents": 9}}, "world.num_agents"),
        ({"world": {"width": 2, "height": 2, "start": [0, 0], "affordances": {}}, "num_agents": 5}, ""),
    ],
)
async def test_too_many_agents_are_refused(client: Client, fields: dict[str, Any], field: str) -> None:
    client.say("set_world", **fields)
    error = await client.expect(Error)
    assert error.command == "set_world"
    if field:
        assert (error.code, error.field) == (
            "invalid_world" if field.startswith("world.") else "out_of_range",
            field,
        )
    await client.assert_silent()


async def test_a_person_plays_one_of_them(service: InferenceService) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            await company(client)
            assert await client.ask("take_control", agent="agent_1") == Playback(
                False, 1.0, "human", "agent_1"
            )
            client.say("act", action=UP)
            frame = await client.expect(StateUpdate)
            assert [frame.agents[one].last_action for one in IDS] == ["right", "up", "right"]
            client.say("act", action=DOWN, agent="agent_1")
            frame = await client.expect(StateUpdate)
            assert frame.agents["agent_1"].last_action == "down"
            assert await client.refusal("act", action=DOWN, agent="agent_0") == "not_in_control"
            assert (await client.ask("release_control")).controller == "policy"
            await client.ask("take_control", agent="agent_2")
            # Without that agent nobody is in control.
            client.say("set_world", num_agents=2)
            await client.skip_to(WorldSet)
            assert (await client.expect(Playback)).controller == "policy"
            await client.expect(EpisodeStart)


POOR = {"meters": {"energy": {"start": 3.0}}}


async def test_an_agent_that_failed_stands_aside(service: InferenceService) -> None:
    """Agent 1 interacts in vain, which costs more energy: it fails first, and the others go on."""
    with real_time_limit():
        async with greeted(service) as client:
            await company(client, world=POOR)
            await load(client, "interact.pt", agent="agent_1")
            frames = await client.steps(2)
            assert frames[-1].agents["agent_1"].failure_reason == "energy_depleted"
            assert frames[-1].agents["agent_1"].alive is False
            assert not frames[-1].done
            assert frames[-1].info.failure_reason is None
            third = await client.step()
            assert third.agents["agent_1"].last_action == third.grid.agents[1].last_action == ""
            assert third.agents["agent_1"].reward == 0
            assert (third.done, third.info.failure_reason) == (True, "energy_depleted")
            ended = await client.expect(EpisodeEnd)
            assert (ended.steps, ended.reason, ended.failure_reason) == (
                3,
                "meter_depleted",
                "energy_depleted",
            )
            assert isinstance(ended.agents, dict)
            assert [ended.agents[one].steps for one in IDS] == [3, 2, 3]
            assert ended.total_reward == ended.agents["agent_0"].total_reward == third.cumulative_reward
            assert ended.agents["agent_1"].total_reward == third.agents["agent_1"].cumulative_reward


async def test_the_others_go_on_when_the_person_fails(
    service: InferenceService, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            await company(client, world=POOR)
            await client.ask("take_control", agent="agent_1")
            await client.ask("play")
            for _ in range(2):
                client.say("act", action=INTERACT)
                await client.expect(StateUpdate)
            await advance(mock_clock, 0.1)
            frame = await client.expect(StateUpdate)
            assert (frame.step, frame.done) == (3, True)


async def test_who_waits_where(service: InferenceService) -> None:
    others = ("Shower", "HomeMeal", "FastFood", "Job", "Gym", "Bar", "Recreation")
    alone = {"start": [0, 0], "affordances": {**dict.fromkeys(others, False), "Bed": {"x": 1, "y": 0}}}
    with real_time_limit():
        async with greeted(service) as client:
            # Agent 0 walks from (0, 0) to the bed at (1, 0), where agent 1 began; then both use it.
            await company(client, world=alone, num_agents=2, contention=True)
            await load(client, "interact.pt", agent="agent_1")
            await client.step()
            await load(client, "interact.pt", agent="agent_1")
            first = await client.step()
            assert first.agents["agent_0"].last_action == "right"
            await client.ask("take_control", agent="agent_0")
            client.say("act", action=INTERACT)
            frame = await client.expect(StateUpdate)
            assert frame.agents["agent_1"].waiting_for == "agent_0"
            assert frame.agents["agent_0"].waiting_for is msgspec.UNSET


async def test_outputs_are_those_of_the_chosen_agent(service: InferenceService) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            await company(client)
            await load(client, "down.pt", agent="agent_2")
            client.say("set_view", q_values=True, agent="agent_2")
            view = await client.expect(View)
            assert view.agent == "agent_2"
            assert view.current_q_values is not None
            assert int(np.argmax(view.current_q_values)) == DOWN
            frame = await client.step()
            assert frame.view_agent == "agent_2"
            assert np.argmax(frame.q_values) == DOWN  # type: ignore[arg-type]
            client.say("set_view", agent="agent_0")
            assert np.argmax((await client.expect(View)).current_q_values) == RIGHT  # type: ignore[arg-type]
            await client.rewind(0)
            client.say("set_view", agent="agent_2")
            assert np.argmax((await client.skip_to(View)).current_q_values) == DOWN  # type: ignore[arg-type]


async def test_an_episode_is_rewound_and_branched(service: InferenceService) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            await company(client, contention=True)
            await load(client, "down.pt", agent="agent_1")
            live = [await client.step() for _ in range(4)]
            started, frame = await client.rewind(2)
            assert started.num_agents == 3
            assert frame == live[1]
            client.say("take_control", agent="agent_2")
            await client.expect(ReplayEnded)
            ended = await client.expect(EpisodeEnd)
            assert ended.steps == 4
            branched = await client.expect(Branched)
            assert (branched.step, branched.num_agents) == (2, 3)
            await client.expect(Playback)
            client.say("act", action=RIGHT)
            frame = await client.expect(StateUpdate)
            assert frame.step == 3
            # The same actions lead to the same frame.
            assert frame.agents == live[2].agents
            client.say("set_view", agent="agent_1")
            await client.expect(View)
            client.say("get_life")
            life = await client.expect(Life)
            assert (life.agent, life.steps) == ("agent_1", 3)
            assert life.cells[-1] == [frame.grid.agents[1].x, frame.grid.agents[1].y]


async def test_as_many_agents_as_the_world_of_the_model_has(service: InferenceService, models: Path) -> None:

    save_model(models / "three.pt", always=UP, world=msgspec.to_builtins(WorldConfig(num_agents=3)))
    with real_time_limit():
        async with greeted(service) as client:
            client.say("load_model", model="three.pt")
            assert (await client.expect(WorldSet)).world.changes == {"num_agents": 3}
            await client.expect(ModelLoaded)
            assert (await client.expect(EpisodeStart)).num_agents == 3
            await client.expect(StateUpdate)
            frame = await client.step()
            assert [frame.agents[one].last_action for one in IDS] == ["up"] * 3


class CountingPolicy(Policy):
    """A policy that counts its forward passes and their rows."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.rows: list[int] = []

    def act(self, observations: NDArray[np.float32], *, attention: bool = False) -> PolicyOutput:
        self.rows.append(len(observations))
        return self._policy.act(observations, attention=attention)


async def test_one_forward_pass_for_all_agents_of_a_model() -> None:
    """A model is run once for all its agents that are alive, of sessions in any worlds."""
    shared, other = CountingPolicy(Policy.untrained(1)), CountingPolicy(Policy.untrained(2))
    engine = PolicyEngine(4)
    three, two = WorldConfig(num_agents=3), WorldConfig(num_agents=2, contention=True)
    with engine.slot() as alone, engine.slot() as first, engine.slot() as second:
        await engine.move(first, three)
        await engine.move(second, two)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.run)
            await engine.reset(alone, shared)
            await engine.reset(first, (shared, other, shared))
            await engine.reset(second, (shared, shared))
            references = [Worlds(1), Worlds(1, three), Worlds(1, two)]
            snapshots = {}

            async def step(slot: Slot, players: Players) -> None:
                snapshots[slot] = await engine.step(slot, players)

            async with trio.open_nursery() as stepping:
                stepping.start_soon(step, alone, shared)
                stepping.start_soon(step, first, (shared, other, shared))
                stepping.start_soon(step, second, (shared, shared))
            nursery.cancel_scope.cancel()
    assert (shared.rows, other.rows) == ([5], [1])
    for worlds, slot in zip(references, (alone, first, second), strict=True):
        seen = worlds.observe()[0]
        policies = [shared] if slot is alone else [shared, other, shared][: len(seen)]
        policies = [shared] * len(seen) if slot is second else policies
        actions = [int(each.act(row[None]).actions[0]) for each, row in zip(policies, seen, strict=True)]
        result = worlds.step([actions])
        told = snapshots[slot]
        if slot is alone:
            assert (told.x, told.y, told.reward) == (*worlds.positions[0, 0], result.rewards[0, 0])
            continue
        assert [agent.action for agent in told.company] == actions
        assert [(agent.x, agent.y) for agent in told.company] == list(map(tuple, worlds.positions[0]))
        assert [agent.reward for agent in told.company] == result.rewards[0].tolist()


async def test_the_start_of_one_agent_is_chosen(service: InferenceService) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            usual = await company(client)
            client.say("set_start", cell=[0, 7], meters={"energy": 0.5}, agent="agent_1")
            assert (await client.expect(EpisodeStart)).start == "chosen"
            frame = await client.expect(StateUpdate)
            assert (frame.grid.agents[1].x, frame.grid.agents[1].y) == (0, 7)
            assert frame.agents["agent_1"].meters.energy == 0.5
            for index in (0, 2):
                assert frame.grid.agents[index] == usual.grid.agents[index]
                assert frame.agents[IDS[index]] == usual.agents[IDS[index]]
            assert await client.refusal("set_start", cell=[0, 0], agent="agent_3") == "out_of_range"
