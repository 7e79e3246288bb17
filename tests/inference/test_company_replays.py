"""Episodes of several agents as recordings: what a replay shows, and of whom."""

import numpy as np
import pytest

from hamlet_trio.inference import InferenceService
from hamlet_trio.protocol.messages import EpisodeEnd, Life, ReplayEnded, StateUpdate, View
from hamlet_trio.recording.folder import RecordingFolder
from tests.inference.support import DOWN, RIGHT, connected, greeted, real_time_limit
from tests.inference.test_company import IDS, POOR, company, load


async def test_an_episode_is_recorded_and_replayed(
    service: InferenceService, recordings: RecordingFolder
) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            await company(client, world=POOR)
            await load(client, "relational.pt", agent="agent_1")
            live = [await client.step() for _ in range(3)]
            await client.expect(EpisodeEnd)
            info = await client.record()
            assert isinstance(info.agents, dict)
            assert list(info.agents) == IDS
            assert info.episode_return == pytest.approx(
                np.mean([result.total_reward for result in info.agents.values()])
            )
            assert {mark.agent for mark in info.markers} == set(IDS)
            kept = recordings.load(info.recording)
            assert kept.others[0].attention is not None
            assert kept.q_values is not None
            started = await client.load_recording(info.recording)
            assert started.num_agents == 3
            last = await client.seek(3)
            assert last.agents == live[2].agents
            assert last.grid == live[2].grid
            assert (last.done, last.info) == (live[2].done, live[2].info)
        async with connected(service) as other:
            await other.greeting()
            started = await other.load_recording(info.recording)
            assert not started.can_branch
            assert (await other.seek(2)).agents == live[1].agents


async def test_every_agent_of_a_replay_is_followed_whatever_the_session_has(
    service: InferenceService,
) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            await company(client)
            await load(client, "down.pt", agent="agent_2")
            await client.step()
            info = await client.record()
        async with greeted(service) as other:
            await other.load_recording(info.recording)
            other.say("set_view", q_values=True, agent="agent_2")
            view = await other.skip_to(View)
            assert view.agent == "agent_2"
            assert np.argmax(view.current_q_values) == DOWN  # type: ignore[arg-type]
            assert (await other.seek(1)).view_agent == "agent_2"
            other.say("get_life")
            assert (await other.skip_to(Life)).agent == "agent_2"
            assert await other.refusal("set_view", agent="agent_3") == "out_of_range"
            # The session's own agent is followed again behind it.
            other.say("leave_replay")
            await other.skip_to(ReplayEnded)
            await other.skip_to(StateUpdate)
            frame = await other.step()
            assert np.argmax(frame.q_values) == RIGHT  # type: ignore[arg-type]
