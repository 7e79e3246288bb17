"""set_start: where a session's episodes begin."""

from typing import Any

import msgspec

from hamlet_trio.protocol.messages import EpisodeEnd, EpisodeStart, Error, StateUpdate
from hamlet_trio.recording.folder import RecordingFolder
from tests.inference.support import UP, Client


async def begin(client: Client, **fields: object) -> StateUpdate:
    """Choose the start of episodes in which no step was made; they keep their number."""
    client.say("set_start", **fields)
    start = await client.expect(EpisodeStart)
    frame = await client.expect(StateUpdate)
    assert (frame.step, frame.episode) == (0, start.episode)
    return frame


def start_of(frame: StateUpdate) -> tuple[object, ...]:
    (agent,) = frame.grid.agents
    return agent.x, agent.y, frame.agents["agent_0"].meters


async def test_episodes_begin_anywhere_until_it_is_taken_back(client: Client) -> None:
    usual = start_of(client.first_frame)
    starts = [start_of(await begin(client, random=True)) for _ in range(4)]
    client.say("reset")
    await client.expect(EpisodeEnd)
    await client.expect(EpisodeStart)
    starts.append(start_of(await client.expect(StateUpdate)))
    assert len({str(start) for start in [usual, *starts]}) == 6
    assert start_of(await begin(client)) == usual
    assert start_of(await begin(client, random=False)) == usual


async def test_it_ends_an_episode_that_has_had_a_step(client: Client) -> None:
    await client.step()
    client.say("set_start", random=True)
    ended = await client.expect(EpisodeEnd)
    assert (ended.episode, ended.steps, ended.reason) == (1, 1, "reset")
    assert (await client.expect(EpisodeStart)).episode == 2
    assert (await client.expect(StateUpdate)).step == 0


async def test_a_random_start_is_shown_with_the_values_asked_for(client: Client) -> None:
    client.say("set_view", q_values=True)
    await client.hear()
    assert isinstance((await begin(client, random=True)).q_values, list)


async def test_an_episode_from_a_random_start_is_rewound_and_recorded(
    client: Client, recordings: RecordingFolder
) -> None:
    first = await begin(client, random=True)
    frames = await client.steps(3)
    info = await client.record()
    _, shown = await client.rewind(0)
    assert start_of(shown) == start_of(first)
    trajectory = recordings.load(info.recording).play()
    assert trajectory.positions[3].tolist() == [frames[2].grid.agents[0].x, frames[2].grid.agents[0].y]


async def test_what_is_not_a_start_is_refused(client: Client) -> None:
    assert await client.refusal("set_start", random="yes") == "wrong_type"
    assert (await client.ask("take_control")).controller == "human"
    assert (await begin(client, random=True)).step == 0
    client.say("act", action=UP)
    assert (await client.expect(StateUpdate)).step == 1


def meters_of(frame: StateUpdate) -> dict[str, float]:
    return msgspec.structs.asdict(frame.agents["agent_0"].meters)


async def test_episodes_begin_on_a_chosen_cell_with_chosen_meters(client: Client) -> None:
    usual = client.first_frame
    client.say("set_start", cell=[0, 7], meters={"satiation": 0.25, "money": -3.5, "mood": 12})
    assert (await client.expect(EpisodeStart)).start == "chosen"
    first = await client.expect(StateUpdate)
    assert start_of(first)[:2] == (0, 7)
    assert meters_of(first) == meters_of(usual) | {"satiation": 0.25, "money": -3.5, "mood": 12.0}
    await client.step()
    client.say("reset")
    await client.skip_to(EpisodeStart)
    assert start_of(await client.expect(StateUpdate)) == start_of(first)
    again = await begin(client)
    assert start_of(again) == start_of(usual)


async def test_either_part_of_a_start_may_be_left_out(client: Client) -> None:
    usual = client.first_frame
    # Even where a place is.
    only_cell = await begin(client, cell=[1, 1])
    assert start_of(only_cell)[:2] == (1, 1)
    assert meters_of(only_cell) == meters_of(usual)
    only_meters = await begin(client, meters={"social": 0})
    assert start_of(only_meters)[:2] == start_of(usual)[:2]
    assert meters_of(only_meters) == meters_of(usual) | {"social": 0.0}


async def test_what_is_not_chosen_is_drawn_at_random(client: Client) -> None:
    frames = [await begin(client, random=True, cell=[3, 2], meters={"energy": 0.5}) for _ in range(4)]
    assert {start_of(frame)[:2] for frame in frames} == {(3, 2)}
    assert {meters_of(frame)["energy"] for frame in frames} == {0.5}
    assert len({meters_of(frame)["hygiene"] for frame in frames}) == 4


async def test_each_episode_tells_where_it_begins(client: Client) -> None:
    choices: list[dict[str, Any]] = [
        {"random": True},
        {"cell": [1, 2]},
        {"random": True, "cell": [1, 2]},
        {"meters": {}},
        {},
    ]
    kinds = []
    for choice in choices:
        client.say("set_start", **choice)
        kinds.append((await client.expect(EpisodeStart)).start)
        await client.expect(StateUpdate)
    assert kinds == ["random", "chosen", "random", "usual", "usual"]


async def test_a_chosen_start_that_cannot_be_is_refused_and_changes_nothing(client: Client) -> None:
    await begin(client, cell=[6, 1])
    for choice, code, field, allowed in (
        ({"cell": [8, 0]}, "out_of_range", "cell", "x from 0 to 7 and y from 0 to 7 in this world; [8, 0]"),
        ({"cell": [-1, 0]}, "out_of_range", "cell", "a list of 2, each a whole number from 0 to 31"),
        ({"cell": [1, 2, 3]}, "out_of_range", "cell", "a list of 2"),
        ({"cell": "1,2"}, "wrong_type", "cell", "a list of 2"),
        ({"meters": 3}, "wrong_type", "meters", "an object of energy, hygiene"),
        ({"meters": {"hunger": 1}}, "unknown_field", "meters.hunger", "it has energy, hygiene"),
        ({"meters": {"energy": 1.5}}, "out_of_range", "meters.energy", "a number from 0 to 1; 1.5 was sent"),
        ({"meters": {"energy": 0}}, "out_of_range", "meters.energy", "above 0, for at that the episode"),
        ({"meters": {"money": -100}}, "out_of_range", "meters.money", "above -100, for at that the episode"),
        (
            {"meters": {"money": 100.5}},
            "out_of_range",
            "meters.money",
            "to 100 in this world; 100.5 was sent",
        ),
        ({"meters": {"mood": 0}}, "out_of_range", "meters.mood", "above 0"),
    ):
        client.say("set_start", **choice)
        error = await client.expect(Error)
        assert (error.code, error.command, error.field) == (code, "set_start", field)
        assert allowed in error.message
    client.say("reset")
    await client.skip_to(EpisodeStart)
    assert start_of(await client.expect(StateUpdate))[:2] == (6, 1)


async def test_another_world_takes_a_chosen_start_back_but_not_a_random_one(client: Client) -> None:
    usual = client.first_frame
    for random, kind in ((False, "usual"), (True, "random")):
        await begin(client, random=random, cell=[7, 7])
        client.say("set_world", world={"max_steps": 100 + random})
        assert (await client.skip_to(EpisodeStart)).start == kind
        moved = await client.expect(StateUpdate)
        assert (start_of(moved) == start_of(usual)) == (not random)


async def test_an_episode_from_a_chosen_start_is_rewound_bit_for_bit(client: Client) -> None:
    first = await begin(client, cell=[2, 5], meters={"energy": 0.3, "hygiene": 0.7})
    frames = await client.steps(4)
    for step, frame in ((0, first), (2, frames[1]), (4, frames[3])):
        if step == 0:
            _, shown = await client.rewind(step)
        else:
            shown = await client.seek(step)
        assert start_of(shown) == start_of(frame)
