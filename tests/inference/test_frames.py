"""Frames: the fields that clients built elsewhere read, and the heat map."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamlet_trio.inference import InferenceService
from hamlet_trio.protocol.frames import VisitCounter
from hamlet_trio.protocol.messages import StateUpdate
from hamlet_trio.world import Worlds
from tests.inference.support import (
    DOWN,
    INTERACT,
    LEFT,
    RIGHT,
    UP,
    Client,
    connected,
    episode_length,
    greeted,
    real_time_limit,
)


async def test_the_frame_of_step_0_to_the_letter(service: InferenceService) -> None:
    with real_time_limit():
        async with connected(service) as client:
            await client.hear()
            await client.hear()
            frame = msgspec.json.decode(await client.hear_text())
    color = frame["grid"]["agents"][0]["color"]
    assert color.startswith("#")
    assert len(color) == 7
    assert frame == {
        "type": "state_update",
        "step": 0,
        "action": 0,
        "reward": 0.0,
        "cumulative_reward": 0.0,
        "done": False,
        "truncated": False,
        "grid": {
            "width": 8,
            "height": 8,
            "agents": [{"id": "agent_0", "x": 4, "y": 4, "color": color, "last_action": ""}],
            "affordances": [
                {"type": name, "x": x, "y": y, "qualifier": ""}
                for name, x, y in (
                    ("Bed", 1, 1),
                    ("Shower", 2, 2),
                    ("HomeMeal", 1, 3),
                    ("FastFood", 5, 6),
                    ("Job", 6, 6),
                    ("Gym", 7, 3),
                    ("Bar", 7, 0),
                    ("Recreation", 0, 7),
                )
            ],
        },
        "agents": {
            "agent_0": {
                "meters": {
                    "energy": 1.0,
                    "hygiene": 1.0,
                    "satiation": 1.0,
                    "money": 50.0,
                    "mood": 100.0,
                    "social": 0.5,
                },
                "last_action": "",
                "reward": 0.0,
            }
        },
        "info": {"step": 0, "failure_reason": None},
        "episode": 1,
        "heat_map": {"4,4": 1.0},
    }


async def test_frames_tell_what_the_rules_give(client: Client) -> None:
    """A whole episode against a world of our own."""
    world = Worlds(1)
    total = 0.0
    for frame in await client.steps(episode_length(RIGHT)):
        result = world.step([RIGHT])
        total += result.rewards[0, 0]
        state = frame.agents["agent_0"]
        energy, hygiene, satiation, _, _, social = world.normalised()[0, 0].tolist()
        meters = state.meters
        assert (meters.energy, meters.hygiene, meters.satiation) == (energy, hygiene, satiation)
        assert meters.social == social
        assert [meters.money, meters.mood] == world.meters[0, 0, 3:5].tolist()
        assert [frame.grid.agents[0].x, frame.grid.agents[0].y] == world.positions[0, 0].tolist()
        assert frame.step == frame.info.step == world.steps[0]
        assert (frame.action, state.last_action) == (RIGHT, "right")
        assert frame.reward == state.reward == result.rewards[0, 0]
        assert frame.cumulative_reward == total
        assert frame.done == bool(world.over[0])
        assert isinstance(frame.reward_breakdown, msgspec.Struct)
        assert sum(msgspec.structs.astuple(frame.reward_breakdown)) == pytest.approx(frame.reward)


async def test_an_episode_that_reaches_the_limit_is_truncated_and_no_meter_failed(
    service: InferenceService,
) -> None:
    """A person keeps the agent alive by always going where the lowest meter is filled."""
    with real_time_limit():
        async with greeted(service) as client:
            frame = client.first_frame
            await client.ask("take_control")
            while not frame.done:
                client.say("act", action=_care(frame))
                frame = await client.expect(StateUpdate)
            end = await client.hear()
    assert frame.step == 500
    assert frame.done
    assert frame.truncated
    assert frame.info.failure_reason is None
    assert msgspec.structs.asdict(end) | {"total_reward": 0} == {
        "episode": 1,
        "steps": 500,
        "total_reward": 0,
        "reason": "max_steps",
        "failure_reason": None,
        "agents": msgspec.UNSET,
    }


_PLACES = {
    "energy": (1, 1),
    "hygiene": (2, 2),
    "satiation": (1, 3),
    "money": (6, 6),
    "mood": (7, 3),
    "social": (7, 0),
}


def _care(frame: StateUpdate) -> int:
    meters = msgspec.structs.asdict(frame.agents["agent_0"].meters)
    meters["money"] = (meters["money"] + 100) / 200
    meters["mood"] /= 100
    to_x, to_y = _PLACES[min(meters, key=lambda name: meters[name])]
    x, y = frame.grid.agents[0].x, frame.grid.agents[0].y
    if x != to_x:
        return RIGHT if x < to_x else LEFT
    if y != to_y:
        return DOWN if y < to_y else UP
    return INTERACT


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=200))
def test_the_heat_map_is_visits_over_the_most_visited(cells: list[tuple[int, int]]) -> None:
    counter = VisitCounter(Worlds(1).config)
    for x, y in cells:
        counter.visit(x, y)
    visits = Counter(cells)
    most = max(visits.values())
    assert counter.heat_map == pytest.approx(
        {f"{x},{y}": n / most for (x, y), n in visits.items()}, abs=0.0005 + 1e-9
    )
    assert all(share == round(share, 3) for share in counter.heat_map.values())
    counter.replace({})
    counter.visit(1, 2)
    assert counter.heat_map == {"1,2": 1.0}
