"""Members point, draw and vote; everybody sees the same, and nobody can harm the others."""

from contextlib import AsyncExitStack, suppress

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from hamlet_trio.connection import SharedSessions
from hamlet_trio.protocol.errors import BadMessageError, CloseCode, ErrorCode
from hamlet_trio.protocol.room_commands import room_commands
from hamlet_trio.room import RoomService
from hamlet_trio.room.room import MAX_STROKE_BYTES, MAX_STROKES
from hamlet_trio.room.service import MAX_EMPTY_ROOMS
from hamlet_trio.settings import Settings
from tests.room.support import Member, member


async def advance(clock: MockClock, seconds: float) -> None:
    clock.jump(seconds)
    await trio.testing.wait_all_tasks_blocked()


async def test_who_joins_sees_who_is_there_and_the_others_hear_of_it(rooms: RoomService, ann: Member) -> None:
    async with member(rooms) as ben:
        joined = await ben.join()
        assert [each["member"] for each in joined["members"]] == [ann.number, ben.number]
        looks = {(each["animal"], each["colour"]) for each in joined["members"]}
        assert len(looks) == 2
        told = await ann.expect("member_joined")
        assert told["member"] == joined["members"][1]
        assert told["seq"] == joined["seq"]
    assert (await ann.expect("member_left"))["member"] == ben.number


async def test_nobody_is_taken_for_another(rooms: RoomService) -> None:
    async with AsyncExitStack() as stack:
        looks = set()
        for _ in range(40):
            one = await stack.enter_async_context(member(rooms))
            joined = await one.join()
            looks.add((joined["members"][-1]["animal"], joined["members"][-1]["colour"]))
        assert len(looks) == 40
        assert len({animal for animal, _ in looks}) == 16


async def test_commands_before_joining_are_refused(rooms: RoomService) -> None:
    async with member(rooms) as early:
        assert await early.refused("cursor", at=[1, 2]) == "not_joined"
        assert await early.refused("vote", choice=0) == "not_joined"
        assert (await early.join())["room"] == "class"


async def test_cursors_are_sent_ten_times_a_second_and_only_the_newest(
    rooms: RoomService, ann: Member, ben: Member, mock_clock: MockClock
) -> None:
    ann.say("cursor", at=[0.5, 0.5])
    (first,) = await ben.heard()
    assert first == {"type": "cursors", "cursors": {str(ann.number): [0.5, 0.5]}}
    for step in range(20):
        ann.say("cursor", at=[step, 1])
        assert await ben.heard() == []
    ben.say("cursor", at=None)
    await advance(mock_clock, 0.1)
    both = {str(ann.number): [19, 1], str(ben.number): None}
    assert [message["cursors"] for one in (ann, ben) for message in await one.heard()] == [both, both]
    await advance(mock_clock, 5)
    assert await ben.heard() == [], "nothing moves, so nothing is sent"


async def test_a_latecomer_sees_every_stroke(rooms: RoomService, ann: Member, ben: Member) -> None:
    ann.say("draw", id="a", points=[[1, 1], [2, 2.5]], ink=3)
    ben.say("draw", id="a", points=[[4, 4]], stamp=2)
    drawn = [message for message in await ann.heard() if message["type"] == "drawn"]
    async with member(rooms) as late:
        joined = await late.join()
        assert joined["strokes"] == [message["stroke"] for message in drawn]
        assert {stroke["member"] for stroke in joined["strokes"]} == {ann.number, ben.number}


async def test_a_stroke_is_replaced_and_erased_by_its_owner_alone(ann: Member, ben: Member) -> None:
    ann.say("draw", id="a", points=[[1, 1]])
    assert (await ben.expect("drawn"))["stroke"]["id"] == "a"
    assert await ben.refused("erase", id="a") == "unknown_stroke"
    ann.say("draw", id="a", points=[[2, 2]])
    ann.say("erase", id="a")
    await ann.heard()
    ann.say("erase", id="a")
    refused = await ann.expect("error")
    assert (refused["code"], refused["command"], refused["field"]) == ("unknown_stroke", "erase", "id")
    drawn, erased = await ben.heard()
    assert drawn["stroke"]["points"] == [[2, 2]]
    assert (erased["member"], erased["id"], erased["seq"]) == (ann.number, "a", drawn["seq"] + 1)


async def test_the_oldest_strokes_go_when_there_are_too_many(rooms: RoomService, ann: Member) -> None:
    for number in range(MAX_STROKES + 5):
        ann.say("draw", id=f"s{number}", points=[[1, 1]])
        await ann.heard()
    async with member(rooms) as late:
        strokes = (await late.join())["strokes"]
        assert [stroke["id"] for stroke in strokes] == [f"s{number}" for number in range(5, MAX_STROKES + 5)]
        for number in range(100):
            ann.say("draw", id=f"long{number}", points=[[1, 1]] * 64)
        await ann.heard()
        erased = [message for message in await late.heard() if message["type"] == "erased"]
        assert len(erased) >= MAX_STROKES
    async with member(rooms) as later:
        strokes = (await later.join())["strokes"]
        assert sum(16 * len(stroke["points"]) for stroke in strokes) <= MAX_STROKE_BYTES


async def test_drawing_can_be_ended(ann: Member, ben: Member) -> None:
    ann.say("draw", id="a", points=[[1, 1]])
    ann.say("clear")
    ann.say("set_drawing", allowed=False)
    kinds = [message["type"] for message in await ben.heard()]
    assert kinds == ["drawn", "erased", "drawing_set"]
    assert await ben.refused("draw", id="b", points=[[1, 1]]) == "drawing_ended"
    # Whoever ended it goes on.
    ann.say("draw", id="c", points=[[1, 1]])
    assert (await ben.heard())[-1]["stroke"]["member"] == ann.number
    ann.say("set_drawing", allowed=True)
    await ann.heard()
    ben.say("draw", id="b", points=[[1, 1]])
    assert (await ben.heard())[-1]["type"] == "drawn"


async def test_signals_go_to_one_member_of_the_group_unread(rooms: RoomService, ann: Member) -> None:
    async with member(rooms) as ben, member(rooms) as cat:
        for one in (ann, ben):
            await one.join(room="class-1")
        await cat.join(room="class-2")
        await ann.heard()
        offer = {"kind": "offer", "data": "v=0"}
        ann.say("signal", to=ben.number, **offer)
        assert await ben.expect("signal") == {"type": "signal", "sender": ann.number, **offer}
        ann.say("signal", to=cat.number, **offer)
        refused = await ann.expect("error")
        assert (refused["code"], refused["command"], refused["field"]) == ("unknown_member", "signal", "to")
        assert await ann.refused("signal", to=ben.number, kind="offer", data="x" * 8193) == "out_of_range"
        assert await ann.refused("signal", to=ben.number, kind="offer", data="") == "out_of_range"
        assert await ann.refused("signal", to=ben.number, kind="text", data="hello") == "out_of_range"
        assert [each["type"] for each in await cat.heard()].count("signal") == 0


async def test_there_are_no_signals_outside_groups_or_where_peers_are_off(
    ann: Member, ben: Member, sessions: SharedSessions
) -> None:
    offer = {"kind": "offer", "data": "v=0"}
    assert await ann.refused("signal", to=ben.number, **offer) == "no_peers"
    relayed = RoomService(Settings(room_peers=False), sessions)
    async with member(relayed) as cat, member(relayed) as dan:
        await cat.join(room="class-1")
        assert not (await dan.join(room="class-1"))["peers"]
        await cat.heard()
        assert await cat.refused("signal", to=dan.number, **offer) == "no_peers"


async def test_a_flood_of_signals_is_refused_and_the_other_stays(
    rooms: RoomService, mock_clock: MockClock
) -> None:
    async with member(rooms) as ann, member(rooms) as ben:
        for one in (ann, ben):
            await one.join(room="class-1")
        for _ in range(90):
            ann.say("signal", to=ben.number, kind="candidate", data="x" * 8192)
        refused = [message for message in await ann.heard() if message["type"] == "error"]
        assert {error["code"] for error in refused} == {"rate_limited"}
        assert len(await ben.heard()) + len(refused) == 90
        assert len(refused) >= 40
        mock_clock.jump(0.1)
        ann.say("signal", to=ben.number, kind="candidate", data="x")
        assert len(await ben.heard()) == 1


async def test_groups_are_made_by_lot_and_end(rooms: RoomService) -> None:
    async with AsyncExitStack() as stack:
        members = [await stack.enter_async_context(member(rooms)) for _ in range(10)]
        for one in members:
            await one.join()
        # Who sits in a group already is shared out with the others, and none is put onto those who sit there.
        await members[9].join(room="class-1")
        members[0].say("make_groups", size=4)
        groups: dict[str, int] = {}
        for one in members:
            room = (await one.expect("moved"))["room"]
            groups[room] = groups.get(room, 0) + 1
            assert (await one.join(room=room))["room"] == room
        assert groups == {"class-1": 4, "class-2": 3, "class-3": 3}
        assert rooms.statistics().rooms == 3
        members[0].say("gather")
        for one in members:
            assert (await one.expect("moved"))["room"] == "class"
            await one.join()
        assert rooms.statistics().rooms == 1


async def test_rooms_keep_what_was_drawn_while_somebody_is_in_one_of_them(rooms: RoomService) -> None:
    async with member(rooms) as ann, member(rooms) as ben:
        for one, place in ((ann, "4827"), (ben, "4827"), (ben, "4827-1"), (ann, "4827-1"), (ann, "4827")):
            await one.join(room=place)
            one.say("draw", id=place, points=[[1, 1]])
        ben.say("ask", question="yes_or_no", choices=2)
        ben.say("vote", choice=1)
        await ben.join(room="4827")
        # The group is empty, and was not forgotten; nor is the room when its last member goes there.
        assert [stroke["id"] for stroke in (await ann.join(room="4827-1"))["strokes"]] == ["4827-1"] * 2
        joined = await ben.join(room="4827-1")
        assert (joined["vote"]["counts"], joined["choice"]) == ([0, 1], 1)
        assert len((await ann.join(room="4827"))["strokes"]) == 2
        assert (await ann.join(room="4827-2"))["choice"] is None
        await ben.join(room="class")
        await ann.join(room="class")
        # All have left.
        for place in ("4827", "4827-1"):
            assert (await ann.join(room=place))["strokes"] == []


async def test_only_so_many_empty_groups_are_kept(rooms: RoomService, ann: Member, ben: Member) -> None:
    for number in range(1, MAX_EMPTY_ROOMS + 3):
        await ben.join(room=f"class-{number}")
        ben.say("draw", id="a", points=[[1, 1]])
    await ben.join()
    # A look at the first, which is gone, costs the third its place.
    for number, kept in ((1, 0), (4, 1), (MAX_EMPTY_ROOMS + 2, 1)):
        assert len((await ben.join(room=f"class-{number}"))["strokes"]) == kept


async def test_a_teacher_sends_a_member_to_a_group_and_sees_how_many_are_there(
    ann: Member, ben: Member
) -> None:
    ann.say("move_member", member=ben.number, room="class-2")
    assert (await ben.expect("moved"))["room"] == "class-2"
    await ann.heard()
    assert (await ben.join(room="class-2"))["peers"]
    assert (await ann.expect("groups"))["groups"] == {"class-2": 1}
    await ben.join(room="4827")
    assert (await ann.expect("groups"))["groups"] == {}
    assert await ann.refused("move_member", member=ben.number, room="class-1") == "unknown_member"


async def test_a_full_group_refuses_and_the_member_stays(rooms: RoomService, ann: Member) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(8):
            one = await stack.enter_async_context(member(rooms))
            await one.join(room="class-1")
        await ann.heard()
        assert await ann.refused("join", room="class-1") == "room_full"
        # Whoever sends a member there is told, and the member nothing.
        async with member(rooms) as ben:
            await ben.join()
            assert await ann.refused("move_member", member=ben.number, room="class-1") == "room_full"
            assert [each for each in await ben.heard() if each["type"] == "moved"] == []
        ann.say("draw", id="a", points=[[1, 1]])
        assert (await ann.heard())[-1]["type"] == "drawn"


async def test_more_members_than_allowed_are_refused(sessions: SharedSessions) -> None:
    rooms = RoomService(Settings(max_room_members=2), sessions)
    with (
        rooms.admit(),
        rooms.admit(),
        pytest.raises(Exception, match="HAMLET_MAX_ROOM_MEMBERS"),
        rooms.admit(),
    ):
        pass


async def test_only_a_teacher_leads(rooms: RoomService) -> None:
    def permit(command: object) -> BadMessageError | None:
        wanted = type(command).__name__
        leads = ("Clear", "SetDrawing", "Spotlight", "Ask", "CloseVote", "MakeGroups", "MoveMember", "Gather")
        return BadMessageError(ErrorCode.FORBIDDEN, "no") if wanted in leads else None

    async with member(rooms, permit=permit) as student, member(rooms) as teacher:
        await student.join()
        described = (await teacher.join())["members"]
        assert [each["teacher"] for each in described] == [False, True]
        assert await student.refused("ask", question="yes_or_no", choices=2) == "forbidden"
        assert await student.refused("clear") == "forbidden"
        student.say("draw", id="a", points=[[1, 1]])
        assert (await student.heard())[-1]["type"] == "drawn"


async def test_who_does_not_read_is_closed_and_nobody_else_notices(
    rooms: RoomService, ann: Member, ben: Member
) -> None:
    async with member(rooms, window=2) as slow:
        slow.say("join")
        for number in range(700):
            ann.say("draw", id=f"s{number % 50}", points=[[1, 1]])
            if number % 20 == 0:
                await ann.heard()
        await ann.heard()
        assert slow.code == CloseCode.TRY_AGAIN_LATER
    assert len([each for each in await ben.heard() if each["type"] == "drawn"]) == 700


async def test_a_flood_ends_with_1008(rooms: RoomService, ann: Member, mock_clock: MockClock) -> None:
    async with member(rooms) as flood:
        for _ in range(3100):
            flood.say("cursor", at=[1, 1])
        await flood.heard()
        assert flood.code == CloseCode.POLICY_VIOLATION
    ann.say("draw", id="a", points=[[1, 1]])
    assert (await ann.heard())[-1]["type"] == "drawn"


async def test_a_server_that_drains_says_so(rooms: RoomService) -> None:
    draining = trio.Event()
    async with member(rooms, draining=draining) as one:
        await one.join()
        draining.set()
        await one.heard()
        assert one.code == CloseCode.SERVICE_RESTART


@given(st.one_of(st.text(max_size=80), st.binary(max_size=20)))
def test_whatever_is_sent_is_a_command_or_refused(frame: str | bytes) -> None:
    with suppress(BadMessageError):
        room_commands.decode(frame)
