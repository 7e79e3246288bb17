"""A member's life is seen by those who follow it, and by nobody else."""

import json

from hamlet_trio.connection import SharedSession, SharedSessions
from hamlet_trio.room import RoomService
from tests.room.support import Member, member

FRAME = '{"type":"state_update","step":3}'
PLAYBACK = '{"type":"playback","playing":true}'


async def share(who: Member, shared: SharedSession) -> None:
    """Say in the room that a session is one's own."""
    who.say("join", session="s", proof=shared.proof)
    await who.heard()


async def test_frames_reach_those_who_follow(sessions: SharedSessions, ann: Member, ben: Member) -> None:
    with sessions.share("s") as shared:
        await share(ann, shared)
        assert (await ben.expect("member_changed"))["member"]["has_session"]
        shared.publish(FRAME, is_frame=True)
        assert not shared.is_followed
        ben.say("follow", member=ann.number)
        following, shown = await ben.heard()
        assert (following["type"], following["follows"]) == ("following", ann.number)
        assert shown == {"type": "frame", "member": ann.number, "message": json.loads(FRAME)}
        shared.publish(PLAYBACK, is_frame=False)
        assert (await ben.expect("frame"))["message"] == json.loads(PLAYBACK)
        assert [each["type"] for each in await ann.heard()] == ["following"]
        ben.say("follow", member=None)
        await ben.heard()
        assert not shared.is_followed
        shared.publish(FRAME, is_frame=True)
        assert await ben.heard() == []


async def test_frames_that_come_directly_are_not_sent_until_they_do_not(
    sessions: SharedSessions, ann: Member, ben: Member
) -> None:
    with sessions.share("s") as shared:
        await share(ann, shared)
        ben.say("follow", member=ann.number)
        await ben.heard()
        ben.say("set_direct", member=ann.number, direct=True)
        assert await ann.heard() != []
        assert not shared.is_followed
        shared.publish(FRAME, is_frame=True)
        assert await ben.heard() == []
        ann.say("spotlight", member=ann.number)
        assert [each["type"] for each in await ben.heard()] == ["spotlight_set", "frame"]
        ann.say("spotlight", member=None)
        await ben.heard()
        ben.say("set_direct", member=ann.number, direct=False)
        assert (await ben.expect("frame"))["message"] == json.loads(FRAME)
        shared.publish(PLAYBACK, is_frame=False)
        assert (await ben.expect("frame"))["message"] == json.loads(PLAYBACK)
        ben.say("set_direct", member=ann.number, direct=True)
        ben.say("follow", member=None)
        await ben.heard()
        assert await ben.refused("set_direct", member=ann.number, direct=True) == "not_followed"
        ben.say("follow", member=ann.number)
        assert [each["type"] for each in await ben.heard()] == ["following", "frame"]


async def test_the_spotlight_is_seen_by_everybody_and_by_who_comes_later(
    rooms: RoomService, sessions: SharedSessions, ann: Member, ben: Member
) -> None:
    with sessions.share("s") as shared:
        await share(ann, shared)
        shared.publish(FRAME, is_frame=True)
        await ben.heard()
        ann.say("spotlight", member=ann.number)
        assert [each["type"] for each in await ben.heard()] == ["spotlight_set", "frame"]
        async with member(rooms) as late:
            late.say("join")
            joined, shown = await late.heard()
            assert (joined["spotlight"], shown["member"]) == (ann.number, ann.number)
            shared.publish(FRAME, is_frame=True)
            assert (await late.expect("frame"))["member"] == ann.number
        ann.say("spotlight", member=None)
        await ann.heard()
        assert not shared.is_followed


async def test_followers_are_told_when_the_session_or_the_member_ends(
    rooms: RoomService, sessions: SharedSessions, ben: Member
) -> None:
    async with member(rooms) as cat:
        await cat.join()
        with sessions.share("s") as shared:
            await share(cat, shared)
            ben.say("follow", member=cat.number)
            await ben.heard()
        ended = await ben.heard()
        assert [each["type"] for each in ended] == ["following", "member_changed"]
        assert ended[0]["follows"] is None
        with sessions.share("s") as shared:
            await share(cat, shared)
            ben.say("follow", member=cat.number)
            await ben.heard()
            cat.scope.cancel()
            left = await ben.heard()
            assert [each["type"] for each in left] == ["member_left", "following"]
            assert not shared.is_followed


async def test_a_session_is_shared_only_with_its_proof(
    sessions: SharedSessions, ann: Member, ben: Member
) -> None:
    with sessions.share("s") as shared:
        assert await ann.refused("join", session="s", proof="x" * 22) == "unproved_session"
        assert await ann.refused("join", session="s") == "unproved_session"
        assert await ann.refused("join", session="t", proof=shared.proof) == "unproved_session"
        assert await ben.refused("follow", member=ann.number) == "unknown_member"
        assert await ben.refused("spotlight", member=4711) == "unknown_member"
        shared.publish(FRAME, is_frame=True)
        assert await ben.heard() == []


async def test_a_new_session_takes_the_place_of_the_old_one(
    sessions: SharedSessions, ann: Member, ben: Member
) -> None:
    with sessions.share("s") as old, sessions.share("t") as new:
        await share(ann, old)
        ben.say("follow", member=ann.number)
        await ben.heard()
        ann.say("join", session="t", proof=new.proof)
        await ann.heard()
        await ben.heard()
        old.publish(FRAME, is_frame=True)
        assert await ben.heard() == []
        new.publish(FRAME, is_frame=True)
        assert (await ben.expect("frame"))["member"] == ann.number
