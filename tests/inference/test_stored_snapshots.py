"""Whatever a store hands over instead of a snapshot harms neither the session that asks nor others."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from trio.testing import MockClock

from hamlet_trio.inference import InferenceService
from hamlet_trio.inference.session_keeper import session_name
from hamlet_trio.inference.session_snapshot import SessionSnapshot, decode_snapshot, encode_snapshot
from hamlet_trio.protocol.frames import PolicyView
from hamlet_trio.protocol.messages import EpisodeStart, Error, Playback, SessionResumed, StateUpdate
from tests.inference.support import DOWN, RIGHT, UP, greeted, real_time_limit

SPOILT = 80


def spoil(data: bytes, chance: random.Random) -> bytes:
    """Return the snapshot with up to four of its bytes changed, or cut off."""
    spoilt = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        spoilt[chance.randrange(len(spoilt))] = chance.choice(
            (0, 1, 2, 5, 9, 127, 192, 255, chance.randrange(256))
        )
    return bytes(spoilt[: chance.randint(1, len(spoilt))] if chance.random() < 0.1 else spoilt)


def with_last_step(snapshot: SessionSnapshot, **changes: Any) -> SessionSnapshot:
    episode = snapshot.episode
    return replace(snapshot, episode=replace(episode, last=replace(episode.last, **changes)))


@pytest.mark.parametrize(
    "spoil_part",
    [
        lambda whole: with_last_step(whole, actions=[5, 0, 0]),
        lambda whole: with_last_step(whole, components=[[1.0], None, None]),
        lambda whole: with_last_step(whole, waiting_for=[3, -1, -1]),
        lambda whole: replace(whole, human=3),
        lambda whole: replace(whole, view=PolicyView(agent=-1)),
        lambda whole: replace(whole, episode=replace(whole.episode, actions=b"\0\0\7")),
    ],
    ids=["action", "components", "waiting_for", "human", "view", "actions"],
)
async def test_numbers_without_a_meaning_are_refused(
    service: InferenceService, mock_clock: MockClock, spoil_part: Callable[[SessionSnapshot], SessionSnapshot]
) -> None:
    with real_time_limit():
        async with greeted(service) as first:
            first.say("set_world", num_agents=3, contention=True)
            await first.skip_to(StateUpdate)
        left = service.keeper._left[session_name(first.connected.resume or "")]
        left.data = encode_snapshot(spoil_part(decode_snapshot(left.data)))
        async with greeted(service) as client:
            client.say("resume_session", resume=first.connected.resume)
            assert isinstance(await client.hear(), Error)
            client.say("reset")
            await client.skip_to(EpisodeStart)


async def test_whatever_is_stored_is_read_or_refused(
    service: InferenceService, mock_clock: MockClock
) -> None:
    chance = random.Random(19)
    counts = {SessionResumed: 0, Error: 0}
    with real_time_limit():
        for agents in (1, 3):
            async with greeted(service) as first:
                first.say("set_start", random=True)
                await first.skip_to(StateUpdate)
                if agents > 1:
                    first.say("set_world", num_agents=agents, contention=True)
                    await first.skip_to(StateUpdate)
                await first.ask("take_control")
                for action in (UP, UP, 4, RIGHT, DOWN):
                    first.say("act", action=action)
                    await first.expect(StateUpdate)
            name = session_name(first.connected.resume or "")
            left = service.keeper._left[name]
            data = left.data
            for number in range(SPOILT):
                left.data = spoil(data, chance) if number else data
                service.keeper._left[name] = left
                async with greeted(service) as client:
                    client.say("resume_session", resume=first.connected.resume)
                    answer = await client.hear()
                    assert isinstance(answer, SessionResumed | Error), (number, answer)
                    counts[type(answer)] += 1
                    client.say("reset")
                    await client.skip_to(EpisodeStart)
                    await client.skip_to(StateUpdate)
                    for command in ("release_control", "pause"):
                        client.say(command)
                        await client.skip_to(Playback)
                    assert (await client.step()).step == 1
    assert all(count > 10 for count in counts.values()), counts
