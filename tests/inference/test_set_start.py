"""set_start: where a session's episodes begin."""

from hamlet_trio.protocol.messages import EpisodeEnd, EpisodeStart, StateUpdate
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
