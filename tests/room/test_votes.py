"""Everybody votes once, and sees the same life and the same result."""

from contextlib import AsyncExitStack

from hamlet_trio.connection import SharedSessions
from hamlet_trio.room import RoomService
from tests.room.support import Member, member


async def test_everybody_votes_once_and_may_change_it(rooms: RoomService, ann: Member) -> None:
    assert await ann.refused("vote", choice=0) == "no_vote"
    ann.say("ask", question="which_action", choices=5)
    async with AsyncExitStack() as stack:
        voters = [await stack.enter_async_context(member(rooms)) for _ in range(29)]
        for voter in voters:
            assert (await voter.join())["vote"]["question"] == "which_action"
        for index, voter in enumerate((ann, *voters)):
            voter.say("vote", choice=index % 5)
            voter.say("vote", choice=(index + 1) % 5)
        await ann.heard()
        assert await ann.refused("vote", choice=5) == "out_of_range"
        ann.say("close_vote")
        result = (await ann.expect("vote_changed"))["vote"]
        assert result == {"number": 1, "question": "which_action", "counts": [6] * 5, "open": False}
        assert await voters[0].refused("vote", choice=0) == "no_vote"
    async with member(rooms) as late:
        assert (await late.join())["vote"] == result
    ann.say("ask", question="yes_or_no", choices=2)
    assert (await ann.expect("vote_changed"))["vote"]["number"] == 2


async def test_a_vote_on_a_life_is_again_about_it_when_its_member_comes_back(
    rooms: RoomService, sessions: SharedSessions, ben: Member
) -> None:
    join = {"session": "s", "voter": "one-who-comes-back"}
    with sessions.share("s") as shared:
        join["proof"] = shared.proof
        async with member(rooms) as cat:
            await cat.join(**join)
            number = cat.number
            ben.say("ask", question="which_action", choices=5, member=number, agent="agent_1")
            heard = await ben.heard()
            vote = heard[-1]["vote"]
            assert (vote["member"], vote["agent"], heard[-2]["member"]) == (number, "agent_1", number)
            assert await cat.refused("set_outcome", vote=1, action=2, by="policy") == "no_vote"
            # The vote shows it even where the spotlight does not.
            ben.say("spotlight", member=None)
            await ben.heard()
            shared.publish('{"type":"state_update"}', is_frame=True)
            assert (await ben.expect("frame"))["member"] == number
            ben.say("spotlight", member=number)
        await ben.heard()
        async with member(rooms) as cat:
            assert (await cat.join(**join))["you"] == number
            assert (await ben.expect("spotlight_set"))["member"] == number
            ben.say("close_vote")
            await ben.heard()
            assert await ben.refused("set_outcome", vote=1, action=2, by="policy") == "no_vote"
            cat.say("set_outcome", vote=1, action=2, by="policy")
            result = (await ben.expect("vote_changed"))["vote"]
            assert result["outcome"] == {"action": 2, "by": "policy"}
            assert (await cat.heard())[-1]["vote"] == result
            assert await cat.refused("set_outcome", vote=1, action=3, by="human") == "no_vote"
        assert await ben.refused("ask", question="which_action", choices=5, member=number) == "unknown_member"


async def test_a_vote_stays_when_its_voter_leaves(rooms: RoomService, ann: Member) -> None:
    ann.say("ask", question="yes_or_no", choices=2)
    async with member(rooms) as ben:
        await ben.join()
        ben.say("vote", choice=1)
        await ben.heard()
    ann.say("close_vote")
    assert (await ann.heard())[-1]["vote"]["counts"] == [0, 1]


async def test_who_comes_back_has_one_vote(rooms: RoomService, ann: Member) -> None:
    ann.say("ask", question="yes_or_no", choices=2)
    for choice in (0, 1):
        async with member(rooms) as ben:
            await ben.join(voter="the-same-one-again")
            ben.say("vote", choice=choice)
            await ben.heard()
    votes = [message["vote"] for message in await ann.heard() if message["type"] == "vote_changed"]
    assert votes[-1]["counts"] == [0, 1]
    assert await ann.refused("join", voter="short") == "out_of_range"


async def test_a_connection_votes_once_under_whatever_voter(rooms: RoomService, ann: Member) -> None:
    async with member(rooms) as cat, member(rooms) as ben:
        await cat.join(room="5101")
        cat.say("ask", question="yes_or_no", choices=2)
        for number in range(3):
            await ben.join(room="5101", voter=f"another-name-each-{number}")
            ben.say("vote", choice=1)
            await ben.join(room="5102")
        votes = [message["vote"] for message in await cat.heard() if message["type"] == "vote_changed"]
    assert votes[-1]["counts"] == [0, 1]
