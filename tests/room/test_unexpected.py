"""Whatever a member sends, and whenever, gets one answer that names what is wrong; nobody else notices."""

import json
from contextlib import AsyncExitStack
from typing import Any, Final

import pytest
from trio.testing import MockClock

from hamlet_trio.protocol.errors import ErrorCode
from hamlet_trio.room import RoomService
from tests.room.support import Member, member

GONE: Final = 4711
# Every command that needs a room, as it may be sent.
VALID: Final[dict[str, dict[str, Any]]] = {
    "signal": {"to": GONE, "kind": "offer", "data": "v=0"},
    "cursor": {"at": [1, 1]},
    "draw": {"id": "a", "points": [[1, 1]]},
    "erase": {"id": "unknown"},
    "clear": {},
    "set_drawing": {"allowed": True},
    "follow": {"member": GONE},
    "set_direct": {"member": GONE, "direct": True},
    "spotlight": {"member": GONE},
    "ask": {"question": "yes_or_no", "choices": 2},
    "vote": {"choice": 0},
    "close_vote": {},
    "set_outcome": {"vote": 1, "action": 0, "by": "policy"},
    "make_groups": {"size": 2},
    "move_member": {"member": GONE, "room": "class-1"},
    "gather": {},
}
WRONG: Final[list[Any]] = [
    None,
    True,
    -1,
    0,
    1.5,
    2**40,
    1e300,
    "",
    "x" * 9000,
    [],
    [[]],
    [1],
    {},
    [[1e9, 0]],
]
NOTHING_TO_REFUSE: Final = {"cursor": [None], "follow": [None], "spotlight": [None]}


async def answers(who: Member) -> list[Any]:
    return [message for message in await who.heard() if message["type"] == "error"]


@pytest.mark.parametrize("command", VALID)
async def test_a_command_before_joining_is_refused_by_name(rooms: RoomService, command: str) -> None:
    async with member(rooms) as early:
        early.say(command, **VALID[command])
        (refused,) = await answers(early)
        assert (refused["code"], refused["command"]) == ("not_joined", command)


@pytest.mark.parametrize("command", [*VALID, "join"])
async def test_a_wrong_field_is_refused_by_name_and_nobody_else_notices(
    rooms: RoomService, ann: Member, ben: Member, command: str, mock_clock: MockClock
) -> None:
    fields = VALID.get(command, {"room": "class", "session": None, "proof": None, "voter": None})
    for name in fields:
        for value in WRONG:
            if value is None and (command == "join" or value in NOTHING_TO_REFUSE.get(command, [])):
                continue
            if (command == "set_drawing" and value is True) or (name == "direct" and value is True):
                continue
            ann.say(command, **fields | {name: value})
            told = await answers(ann)
            if not told:
                # It was an allowed value of another kind: a small number, a text, a place.
                assert value in (0, 1.5, True, "x" * 9000) or (command, name) == ("cursor", "at"), (
                    name,
                    value,
                )
                continue
            (refused,) = told
            assert refused["command"] == command, refused
            assert refused["field"] == name or refused["code"] in ("no_peers", "no_vote"), refused
            assert refused["code"] in [code.value for code in ErrorCode]
        ann.say_raw(json.dumps({"command": command, **{key: fields[key] for key in fields if key != name}}))
        await ann.heard()
    mock_clock.jump(60)
    await ben.heard()
    ann.say("draw", id="after", points=[[1, 1]])
    assert (await ben.heard())[-1]["type"] == "drawn"


async def test_a_stamp_has_one_place(ann: Member, ben: Member) -> None:
    ann.say("draw", id="a", points=[[1, 1], [2, 2]], stamp=0)
    (refused,) = await answers(ann)
    assert (refused["code"], refused["command"], refused["field"]) == ("out_of_range", "draw", "points")
    assert await ben.heard() == []


@pytest.mark.parametrize("command", ["follow", "spotlight", "move_member", "signal", "set_direct"])
async def test_who_is_not_there_is_named_by_the_field(rooms: RoomService, command: str) -> None:
    async with member(rooms) as ann, member(rooms) as ben:
        for one in (ann, ben):
            await one.join(room="class-1")
        ben.scope.cancel()
        await ann.heard()
        field = "to" if command == "signal" else "member"
        for number in (GONE, ben.number):
            ann.say(command, **VALID[command] | {field: number})
            (refused,) = await answers(ann)
            assert (refused["command"], refused["field"]) == (command, field)
            assert refused["code"] == ("not_followed" if command == "set_direct" else "unknown_member")


async def test_unknown_fields_and_commands_are_refused(ann: Member, ben: Member) -> None:
    ann.say("cursor", at=[1, 1], name="Ann")
    (refused,) = await answers(ann)
    assert (refused["code"], refused["command"], refused["field"]) == ("unknown_field", "cursor", "name")
    assert "Ann" not in json.dumps(await ben.heard())
    for raw in ("", "x", "[]", "1", "null", '{"command":1}', '{"command":"say"}', '{"at":[1,1]}', b"\x00"):
        ann.say_raw(raw)
        assert len(await answers(ann)) == 1, raw


async def test_what_is_said_twice_stays_as_it_is(ann: Member, ben: Member) -> None:
    for command in ("follow", "spotlight"):
        for _ in range(2):
            ann.say(command, member=None)
    for allowed in (False, False, True, True):
        ann.say("set_drawing", allowed=allowed)
    for _ in range(2):
        ann.say("clear")
        ann.say("gather")
        ann.say("close_vote")
    codes = [error["code"] for error in await answers(ann)]
    assert codes == ["no_vote", "no_vote"]
    await ben.heard()
    for _ in range(3):
        number = ann.number
        assert (await ann.join())["you"] == number
    # It stayed in the room, and did not come anew.
    assert {message["type"] for message in await ben.heard()} == {"member_changed"}


async def test_thirty_flood_and_the_others_go_on(
    rooms: RoomService, ann: Member, ben: Member, mock_clock: MockClock
) -> None:
    async with AsyncExitStack() as stack:
        floods = [await stack.enter_async_context(member(rooms)) for _ in range(30)]
        for flood in floods:
            await flood.join()
        for number, flood in enumerate(floods):
            for step in range(100):
                flood.say("cursor", at=[step % 8, number % 8])
                flood.say("signal", to=GONE, kind="candidate", data="x" * 8192)
            assert {error["code"] for error in await answers(flood)} == {"no_peers"}
        await ann.heard()
        ben.say("draw", id="b", points=[[1, 1]])
        assert (await ann.heard())[-1]["type"] == "drawn"


async def test_a_vote_belongs_to_one_connection_under_whatever_name(ann: Member, ben: Member) -> None:
    ann.say("ask", question="yes_or_no", choices=2)
    await ben.heard()
    for number in range(5):
        ben.say("join", voter=f"another-name-each-{number}")
        ben.say("vote", choice=1)
    votes = [message["vote"] for message in await ann.heard() if message["type"] == "vote_changed"]
    assert votes[-1]["counts"] == [0, 1]


async def test_a_vote_keeps_so_many_choices(rooms: RoomService, ann: Member) -> None:
    ann.say("ask", question="yes_or_no", choices=2)
    ann.say("vote", choice=0)
    for number in range(210):
        async with member(rooms) as again:
            again.say("join", voter=f"one-who-comes-again-{number}")
            again.say("vote", choice=1)
            await again.heard()
        votes = [message["vote"] for message in await ann.heard() if message["type"] == "vote_changed"]
    assert votes[-1]["counts"] == [1, 199]
