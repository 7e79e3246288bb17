"""A life is followed wherever its session, its member and its followers are, over a real Redis."""

import json
import signal
from contextlib import ExitStack

import trio

from hamlet_trio.connection import SharedSession
from hamlet_trio.shared.redis_log import ALIVE
from tests.patience import PATIENCE
from tests.room.support import Member, member
from tests.shared.redis_server import RedisServer
from tests.shared.room_instances import instance, join


def frame(step: int) -> str:
    """Return the text of a frame, as a session publishes it."""
    return json.dumps({"type": "state_update", "step": step})


async def shown(who: Member, step: int) -> None:
    """Wait for the frame of this step."""
    while (await who.until("frame"))["message"] != json.loads(frame(step)):
        pass


async def settled(*members: Member) -> None:
    """Wait until the instances of these members have carried out all that was ordered so far."""
    for one in members:
        one.say("erase", id="unknown")
        assert (await one.until("error"))["code"] == "unknown_stroke"


async def shared_by(who: Member, *, has: bool = True) -> None:
    """Wait until a member hears that its own session can be followed, or no more."""
    with trio.fail_after(PATIENCE):
        while True:
            changed = await who.until("member_changed")
            if changed["member"]["member"] == who.number and changed["member"]["has_session"] == has:
                return


async def test_the_session_may_be_at_another_instance_than_member_and_followers(redis: RedisServer) -> None:
    async with (
        instance(redis) as first,
        instance(redis) as second,
        member(second) as ann,
        member(first) as ben,
        member(second) as cat,
    ):
        with first.sessions.share("s") as session:
            await join(ann, session="s", proof=session.proof)
            await shared_by(ann)
            await join(ben)
            joined = await join(cat)
            assert [each["has_session"] for each in joined["members"]] == [True, False, False]
            session.publish(frame(1), is_frame=True)
            assert not session.is_followed
            assert redis.ask("KEYS", "test:rooms:frames:*") == b"*0\r\n", "nobody follows"
            # At the session's own instance, and at the other one: the newest frame comes at once.
            for one in (ben, cat):
                one.say("follow", member=ann.number)
                await one.until("following", member=one.number, follows=ann.number)
                await shown(one, 1)
            session.publish('{"type":"playback"}', is_frame=False)
            session.publish(frame(2), is_frame=True)
            for one in (ben, cat):
                assert (await one.until("frame"))["message"] == {"type": "playback"}
                await shown(one, 2)
            # Directly, and over the server again.
            cat.say("set_direct", member=ann.number, direct=True)
            ben.say("follow", member=None)
            await cat.until("following", member=ben.number, follows=None)
            # Redis has one order: the other instance hears of the last one before this answer comes.
            await settled(ann, ben)
            assert not session.is_followed
            session.publish(frame(3), is_frame=True)
            cat.say("set_direct", member=ann.number, direct=False)
            await shown(cat, 3)
            # Everybody, and who comes later to an instance that begins later.
            cat.say("follow", member=None)
            ann.say("spotlight", member=ann.number)
            await shown(ben, 3)
            async with instance(redis) as third, member(third) as late:
                assert (await join(late))["spotlight"] == ann.number
                await shown(late, 3)
        await shared_by(ann, has=False)
        assert (await ben.until("spotlight_set"))["member"] is None


async def test_a_session_of_another_instance_is_shared_only_with_its_proof(redis: RedisServer) -> None:
    async with (
        instance(redis) as first,
        instance(redis) as second,
        member(first) as ann,
        member(second) as ben,
    ):
        with first.sessions.share("s"):
            await join(ben)
            await join(ann)
            ann.say("join", room="4827", session="s", proof="x" * 22)
            refused = await ann.until("error")
            assert (refused["code"], refused["field"]) == ("unproved_session", "proof")
            ben.say("join", room="4827", session="s", proof="x" * 22)
            refused = await ben.until("error")
            assert (refused["code"], refused["command"]) == ("unproved_session", "join")
            ann.say("follow", member=ben.number)
            refused = await ann.until("error")
            assert (refused["code"], refused["field"]) == ("unknown_member", "member")


async def follow(session: SharedSession, ann: Member, ben: Member) -> None:
    """Have the first member's session "s" followed by the second; both are at another instance than it."""
    await join(ann, session="s", proof=session.proof)
    await shared_by(ann)
    await join(ben)
    ben.say("follow", member=ann.number)
    await ben.until("following", follows=ann.number)
    session.publish(frame(1), is_frame=True)
    await shown(ben, 1)


async def test_followers_are_told_that_redis_is_away_and_go_on_afterwards(redis: RedisServer) -> None:
    async with (
        instance(redis) as first,
        instance(redis) as second,
        member(second) as ann,
        member(second) as ben,
    ):
        with first.sessions.share("s") as session:
            await follow(session, ann, ben)
            redis.signal(signal.SIGSTOP)
            assert (await ben.until("error"))["code"] == "store_unavailable"
            for step in range(2, 200):
                session.publish(frame(step), is_frame=True)
            # Longer than an instance without a sign counts as alive.
            await trio.sleep(ALIVE + 1)
            redis.signal(signal.SIGCONT)
            with trio.move_on_after(PATIENCE):
                while not await _reads(ben, 500):
                    session.publish(frame(500), is_frame=True)
            assert (ann.code, ben.code) == (None, None)
            ben.say("follow", member=None)
            assert (await ben.until("following"))["follows"] is None


async def _reads(who: Member, step: int) -> bool:
    """Return whether the frame of this step comes within a tenth of a second."""
    with trio.move_on_after(0.1):
        await shown(who, step)
        return True
    return False


async def test_a_life_is_over_for_its_followers_when_its_instance_is_killed(redis: RedisServer) -> None:
    async with instance(redis) as second, member(second) as ann, member(second) as ben:
        with ExitStack() as stack:
            async with instance(redis) as first:
                await follow(stack.enter_context(first.sessions.share("s")), ann, ben)
            assert (await ben.until("following", member=ben.number))["follows"] is None
            await shared_by(ann, has=False)
            assert (ann.code, ben.code) == (None, None)
            # The session goes on at the other instance, and is claimed there.
            with second.sessions.share("s") as session:
                ann.say("join", room="4827", session="s", proof=session.proof)
                await shared_by(ann)
