"""A session goes on on another connection of the same instance, to the very step."""

import msgspec
import pytest
import trio
from trio.testing import MockClock

from hamlet_trio.inference import InferenceService
from hamlet_trio.inference.session_keeper import session_name
from hamlet_trio.inference.session_snapshot import decode_snapshot
from hamlet_trio.protocol.messages import (
    Branched,
    EpisodeStart,
    Error,
    Playback,
    ReplayStarted,
    SessionResumed,
    StateUpdate,
    View,
)
from hamlet_trio.recording.file import Recording
from tests.inference.support import (
    DOWN,
    RIGHT,
    UP,
    Client,
    advance,
    connected,
    free_slots,
    greeted,
    real_time_limit,
    uses,
)


async def resume(client: Client, secret: str | None, **seen: object) -> tuple[SessionResumed, Playback]:
    """Go on with another connection's session; return what is told of it up to its `playback`."""
    client.say("resume_session", resume=secret, **seen)
    return await client.expect(SessionResumed), await client.expect(Playback)


async def test_a_session_goes_on_where_its_connection_ended(
    service: InferenceService, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with greeted(service) as first:
            await first.ask("set_speed", speed=2.5)
            await first.steps(3)
            first.say("take_control")
            await first.expect(Playback)
            first.say("act", action=DOWN)
            last = await first.expect(StateUpdate)
        assert (free_slots(service.engine), uses(service.policies)) == (4, 0)
        async with greeted(service) as second:
            resumed, playback = await resume(second, first.connected.resume)
            assert resumed.session_id == first.connected.session_id
            assert (resumed.episode, resumed.step, resumed.missed) == (1, 4, 0)
            assert resumed.model_name == "trained_agent.pt"
            assert playback == Playback(False, 2.5, "human")
            assert await second.expect(StateUpdate) == last
            second.say("act", action=UP)
            frame = await second.expect(StateUpdate)
            assert frame.step == 5
            assert frame.cumulative_reward == last.cumulative_reward + frame.reward
            assert (await second.record()).steps == 5


async def test_it_is_the_life_of_a_connection_that_was_never_lost(
    service: InferenceService, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with greeted(service) as undisturbed:
            expected = await undisturbed.steps(40)
        frames: list[StateUpdate] = []
        secret = None
        for _ in range(8):
            async with greeted(service) as client:
                if secret is None:
                    secret = client.connected.resume
                else:
                    await resume(client, secret)
                    assert await client.expect(StateUpdate) == frames[-1]
                frames += await client.steps(5)
    assert frames == expected


async def test_a_session_that_played_plays_on(service: InferenceService, mock_clock: MockClock) -> None:
    with real_time_limit():
        async with greeted(service) as first:
            await first.ask("play")
            await advance(mock_clock, 0.1)
            await first.expect(StateUpdate)
        async with greeted(service) as second:
            _, playback = await resume(second, first.connected.resume)
            assert playback.playing
            assert (await second.expect(StateUpdate)).step == 1
            await advance(mock_clock, 0.1)
            assert (await second.expect(StateUpdate)).step == 2


async def test_after_the_grace_it_is_forgotten(service: InferenceService, mock_clock: MockClock) -> None:
    with real_time_limit():
        async with greeted(service) as first:
            await first.step()
        assert service.keeper.left == 1
        await advance(mock_clock, 10)
        assert service.keeper.left == 0
        async with greeted(service) as second:
            assert await second.refusal("resume_session", resume=first.connected.resume) == "unknown_session"
            assert (await second.step()).step == 1, "the fresh session goes on"


async def test_without_a_grace_nothing_is_kept(service: InferenceService, mock_clock: MockClock) -> None:
    service.keeper._grace = 0
    with real_time_limit():
        async with greeted(service) as first:
            await first.step()
        assert first.connected.resume is None
        assert service.keeper.left == 0


async def test_no_more_are_kept_than_sessions_have_places(
    service: InferenceService, mock_clock: MockClock
) -> None:
    with real_time_limit():
        secrets = []
        for _ in range(6):
            async with greeted(service) as client:
                secrets.append(client.connected.resume)
        assert service.keeper.left == 4
        async with greeted(service) as client:
            assert await client.refusal("resume_session", resume=secrets[1]) == "unknown_session"
        async with greeted(service) as client:
            await resume(client, secrets[5])


async def test_the_later_claim_wins_and_the_other_connection_gets_4409(
    service: InferenceService, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with greeted(service) as first, greeted(service) as second:
            await first.steps(2)
            await resume(second, first.connected.resume)
            assert (await second.expect(StateUpdate)).step == 2
            await first.ended.wait()
            assert first.code == 4409
            async with greeted(service) as third:
                await resume(third, first.connected.resume)
                await second.ended.wait()
                assert second.code == 4409
                assert free_slots(service.engine) == 3


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"resume": "guessed-guessed-guesse"}, "unknown_session"),
        ({"resume": ""}, "out_of_range"),
        ({}, "missing_field"),
        ({"resume": "x", "actions": [5]}, "out_of_range"),
        ({"resume": "x", "actions": [0] * 513}, "out_of_range"),
        ({"resume": "x", "step": -1}, "out_of_range"),
    ],
)
async def test_a_bad_claim_is_refused_and_the_fresh_session_goes_on(
    service: InferenceService, command: dict[str, object], code: str
) -> None:
    with real_time_limit():
        async with greeted(service) as client:
            assert await client.refusal("resume_session", **command) == code
            assert (await client.step()).step == 1


async def test_it_is_the_first_command_or_none(service: InferenceService, mock_clock: MockClock) -> None:
    with real_time_limit():
        async with greeted(service) as first:
            await first.step()
        secret = first.connected.resume
        async with greeted(service) as second:
            await second.ask("status")
            assert await second.refusal("resume_session", resume=secret) == "session_busy"
        async with greeted(service) as third:
            third.say("resume_session", resume=secret)
            third.say("resume_session", resume=secret)
            await third.expect(SessionResumed)
            await third.expect(Playback)
            await third.expect(StateUpdate)
            assert (await third.expect(Error)).code == "session_busy"


async def test_another_login_gets_nothing(service: InferenceService) -> None:
    with real_time_limit():
        async with greeted(service) as first, greeted(service) as second:
            for kept in service.keeper._live.values():
                if kept.resume == first.connected.resume:
                    kept.owner = "somebody"  # type: ignore[misc]
            assert await second.refusal("resume_session", resume=first.connected.resume) == "unknown_session"
            assert (await first.step()).step == 1


async def test_the_clients_last_actions_are_played_out(
    service: InferenceService, mock_clock: MockClock
) -> None:
    """As after a kill: the snapshot is older than what was on the screen."""
    actions = [UP, UP, RIGHT, DOWN, 4, 4, RIGHT, UP]
    with real_time_limit():
        async with greeted(service) as first:
            await first.ask("take_control")
            kept = service.keeper._live[session_name(first.connected.resume or "")]
            frames = []
            for number, action in enumerate(actions):
                if number == 3:
                    old = kept.encode()
                first.say("act", action=action)
                frames.append(await first.expect(StateUpdate))
            assert old is not None
        left = service.keeper._left[kept.name]
        for brought, reached in ((actions, 8), (actions[2:], 8), (actions[3:], 8), (actions[4:], 3), ([], 3)):
            left.data = old
            service.keeper._left[kept.name] = left
            async with greeted(service) as client:
                resumed, _ = await resume(client, first.connected.resume, episode=1, step=8, actions=brought)
                assert (resumed.step, resumed.missed) == (reached, reached - 3)
                assert await client.expect(StateUpdate) == frames[reached - 1]


async def test_actions_that_contradict_the_snapshot_are_left_out(
    service: InferenceService, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with greeted(service) as first:
            await first.steps(2)
        async with greeted(service) as second:
            resumed, _ = await resume(
                second, first.connected.resume, episode=1, step=4, actions=[UP, UP, UP, UP]
            )
            assert (resumed.step, resumed.missed) == (2, 0)


async def test_the_policy_plays_what_a_script_does_not_bring_and_the_next_episode_begins(
    service: InferenceService, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with greeted(service) as undisturbed:
            await undisturbed.play_out()
            undisturbed.say("reset")
            await undisturbed.expect(EpisodeStart)
            await undisturbed.expect(StateUpdate)
            expected = (await undisturbed.steps(3))[-1]
        async with greeted(service) as first:
            await first.steps(5)
        async with greeted(service) as second:
            resumed, _ = await resume(second, first.connected.resume, episode=2, step=3)
            assert (resumed.episode, resumed.step) == (2, 3)
            assert await second.expect(StateUpdate) == expected


async def test_a_random_start_is_the_one_that_would_have_come(
    service: InferenceService, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with greeted(service) as first:
            first.say("set_start", random=True)
            await first.skip_to(StateUpdate)
            await first.steps(2)
            kept = service.keeper._live[session_name(first.connected.resume or "")]
            old = kept.encode()
            assert old is not None
            upcoming = decode_snapshot(old).episode.next_start
            first.say("reset")
            started = await first.skip_to(StateUpdate)
            last = await first.step()
            assert upcoming is not None
            assert (started.grid.agents[0].x, started.grid.agents[0].y) == upcoming.positions[0]
        assert service.keeper._left[kept.name].data != old
        async with greeted(service) as second:
            await resume(second, first.connected.resume)
            assert await second.expect(StateUpdate) == last


async def test_a_replay_goes_on_too(
    service: InferenceService, kept: Recording, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with greeted(service) as first:
            await first.steps(2)
            started = await first.load_recording(kept.info.recording)
            shown = await first.seek(4)
        async with greeted(service) as second:
            second.say("resume_session", resume=first.connected.resume)
            await second.expect(SessionResumed)
            assert await second.expect(ReplayStarted) == started
            assert (await second.expect(Playback)).controller == "recording"
            assert await second.expect(StateUpdate) == shown
            second.say("leave_replay")
            assert (await second.skip_to(StateUpdate)).step == 2


async def test_a_rewound_and_a_branched_episode_go_on(
    service: InferenceService, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with greeted(service) as first:
            await first.steps(6)
            _, shown = await first.rewind(3)
        async with greeted(service) as second:
            second.say("resume_session", resume=first.connected.resume)
            await second.expect(SessionResumed)
            await second.expect(ReplayStarted)
            await second.expect(Playback)
            assert await second.expect(StateUpdate) == shown
            second.say("play")
            assert (await second.skip_to(Branched)).step == 3
            assert (await second.expect(Playback)).playing
            assert not (await second.ask("pause")).playing
        async with greeted(service) as third:
            resumed, playback = await resume(third, first.connected.resume)
            assert (resumed.episode, resumed.step, playback.playing) == (2, 3, False)
            frame = await third.expect(StateUpdate)
            assert msgspec.structs.replace(frame, episode=1) == shown


async def test_a_chosen_world_and_view_go_on(service: InferenceService, mock_clock: MockClock) -> None:
    with real_time_limit():
        async with greeted(service) as first:
            first.say("set_view", q_values=True)
            await first.expect(View)
            first.say("set_world", world={"max_steps": 7})
            await first.skip_to(StateUpdate)
            await first.steps(2)
        async with greeted(service) as second:
            resumed, _ = await resume(second, first.connected.resume)
            assert resumed.world.changes == {"max_steps": 7}
            await second.expect(StateUpdate)
            frames = await second.steps(5)
            assert frames[-1].done
            assert frames[-1].q_values is not msgspec.UNSET
            assert service.engine.groups == 1


async def test_what_a_slow_command_would_have_changed_is_as_before(
    service: InferenceService, mock_clock: MockClock
) -> None:
    """A connection that ends in the middle of a command leaves the session as it was before it."""
    with real_time_limit():
        async with connected(service, window=6) as first:
            await first.greeting()
            await first.steps(6)
            for _ in range(20):
                first.say("reset")
            await trio.testing.wait_all_tasks_blocked()
        async with greeted(service) as second:
            resumed, _ = await resume(second, first.connected.resume)
            frame = await second.expect(StateUpdate)
            assert (frame.episode, frame.step) == (resumed.episode, resumed.step)
            assert (await second.step()).step == resumed.step + 1


async def test_several_agents_with_models_of_their_own_go_on(
    service: InferenceService, mock_clock: MockClock
) -> None:
    with real_time_limit():
        async with greeted(service) as first:
            first.say("set_world", num_agents=3, contention=True)
            await first.skip_to(StateUpdate)
            first.say("load_model", model="down.pt", agent="agent_1")
            await first.skip_to(StateUpdate)
            first.say("take_control", agent="agent_2")
            await first.expect(Playback)
            kept = service.keeper._live[session_name(first.connected.resume or "")]
            frames = []
            for number, action in enumerate([UP, UP, 4, RIGHT, UP]):
                if number == 3:
                    old = kept.encode()
                first.say("act", action=action)
                frames.append(await first.expect(StateUpdate))
        left = service.keeper._left[kept.name]
        for data, missed in ((left.data, 0), (old, 2)):
            assert data is not None
            left.data = data
            service.keeper._left[kept.name] = left
            rows = [[RIGHT, DOWN, action] for action in (4, RIGHT, UP)]
            async with greeted(service) as second:
                resumed, playback = await resume(
                    second, first.connected.resume, episode=frames[-1].episode, step=5, actions=rows
                )
                assert (resumed.step, resumed.missed, resumed.num_agents) == (5, missed, 3)
                assert resumed.models == {
                    "agent_0": "trained_agent.pt", "agent_1": "down.pt", "agent_2": "trained_agent.pt"
                }  # fmt: skip
                assert (playback.controller, playback.agent) == ("human", "agent_2")
                assert await second.expect(StateUpdate) == frames[-1]
                second.say("act", action=UP)
                assert (await second.expect(StateUpdate)).step == 6
        assert uses(service.policies) == 0
