"""Who comes back is who it was: the same number, animal and colour, and its strokes are its own."""

import json
import random

from hamlet_trio.room import RoomService
from hamlet_trio.room.identities import MAX_REMEMBERED, Identities, Identity
from tests.room.support import Member, member


async def test_who_comes_back_is_who_it_was_and_owns_its_strokes(rooms: RoomService, ann: Member) -> None:
    mine = {"voter": "a-text-of-my-own"}
    async with member(rooms) as ben:
        before = (await ben.join(**mine))["members"][-1]
        ben.say("draw", id="b", points=[[1, 1], [2, 2]])
        # A tab that was duplicated has the same text.
        async with member(rooms) as double:
            assert (await double.join(**mine))["you"] != ben.number
    async with member(rooms) as stranger:
        assert (await stranger.join(voter="a-text-of-another"))["you"] != before["member"]
    async with member(rooms) as ben:
        joined = await ben.join(**mine)
        assert joined["members"][-1] == before
        ben.say("erase", id="b")
        assert (await ben.expect("erased"))["id"] == "b"
    # Nobody else is told the text by which one comes back.
    heard = json.dumps(await ann.heard())
    assert before["animal"] in heard
    assert mine["voter"] not in heard


def test_so_many_that_left_are_remembered_and_a_look_that_was_taken_is_not_given_again() -> None:
    identities = Identities(random.Random(1))
    first = identities.new(1)
    identities.leave(1)
    identities.remember(first, "first")
    identities.enter(Identity(2, first.animal, first.colour))
    back = identities.come_back("first")
    assert back is not None
    assert back.number == 1
    assert back[1:] != first[1:]
    identities.leave(2)
    for number in range(MAX_REMEMBERED + 1):
        identities.remember(first, str(number))
    assert identities.come_back("0") is None
    assert identities.come_back("1") == first
