"""One room over several instances and a real Redis: members, votes, strokes, and an instance that dies."""

import signal
from contextlib import AsyncExitStack

import pytest
import trio

from tests.patience import PATIENCE
from tests.room.support import member
from tests.shared.redis_server import RedisServer
from tests.shared.room_instances import instance, join


async def test_members_of_two_instances_are_in_one_room(redis: RedisServer) -> None:
    async with instance(redis) as first, instance(redis) as second:
        async with member(first) as ann, member(second) as ben:
            await join(ann)
            joined = await join(ben)
            assert [each["member"] for each in joined["members"]] == [ann.number, ben.number]
            assert (await ann.until("member_joined"))["member"]["member"] == ben.number
            ann.say("draw", id="a", points=[[1, 1], [2, 2]])
            assert (await ben.until("drawn"))["stroke"]["member"] == ann.number
            ben.say("cursor", at=[3, 4])
            assert (await ann.until("cursors"))["cursors"] == {str(ben.number): [3, 4]}
            ben.say("vote", choice=0)
            assert (await ben.until("error"))["code"] == "no_vote"
            ann.say("make_groups", size=2)
            for one in (ann, ben):
                await join(one, (await one.until("moved"))["room"])
            ben.say("signal", to=ann.number, kind="offer", data="v=0")
            assert (await ann.until("signal"))["sender"] == ben.number
        async with member(second) as late:
            assert (await join(late))["members"][0]["member"] == late.number


async def test_each_vote_counts_once_though_an_instance_is_killed(redis: RedisServer) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(instance(redis))
        teacher = await stack.enter_async_context(member(first))
        await join(teacher)
        here = [await stack.enter_async_context(member(first)) for _ in range(15)]
        for number, one in enumerate(here):
            await join(one, voter=f"pupil-of-first-{number:02}")
        async with AsyncExitStack() as killed:
            second = await killed.enter_async_context(instance(redis))
            there = [await killed.enter_async_context(member(second)) for _ in range(15)]
            for number, one in enumerate(there):
                await join(one, voter=f"pupil-of-second-{number:02}")
            teacher.say("draw", id="a", points=[[1, 1]])
            teacher.say("ask", question="yes_or_no", choices=2)
            for one in there:
                await one.until("vote_changed")
            for one in here:
                one.say("vote", choice=0)
            for one in there:
                one.say("vote", choice=1)
            while (await teacher.until("vote_changed"))["vote"]["counts"] != [15, 15]:
                pass
        # The second instance is gone; its pupils come to the first, and some of them vote again.
        for number in range(15):
            one = await stack.enter_async_context(member(first))
            joined = await join(one, voter=f"pupil-of-second-{number:02}")
            assert joined["vote"]["counts"] == [15, 15]
            one.say("vote", choice=1)
            assert (await one.until("vote_changed"))["vote"]["counts"] == [15, 15]
        # Those who did not come back have left, and a latecomer sees who is there and what was drawn.
        third = await stack.enter_async_context(instance(redis))
        late = await stack.enter_async_context(member(third))
        for _ in range(15):
            await teacher.until("member_left")
        joined = await join(late)
        assert len(joined["members"]) == 32
        assert [stroke["id"] for stroke in joined["strokes"]] == ["a"]
        assert joined["vote"]["counts"] == [15, 15]


async def test_who_begins_late_reads_what_was_kept_and_what_came_since(redis: RedisServer) -> None:
    async with instance(redis) as first, member(first) as ann:
        await join(ann)
        for number in range(300):
            ann.say("draw", id=f"s{number}", points=[[1, 1]])
            await ann.until("drawn")
        with trio.fail_after(PATIENCE):
            while b"state" not in redis.ask("KEYS", "*rooms:state"):  # noqa: ASYNC110 - another task writes it
                await trio.sleep(0.01)
        ann.say("draw", id="last", points=[[1, 1]])
        await ann.until("drawn")
        redis.ask("XTRIM", "test:rooms:log", "MAXLEN", "60")
        async with instance(redis) as second, member(second) as late:
            joined = await join(late)
            ids = [stroke["id"] for stroke in joined["strokes"]]
            assert ids == [*(f"s{number}" for number in range(101, 300)), "last"]
            assert [each["member"] for each in joined["members"]] == [ann.number, late.number]


async def test_without_redis_nothing_changes_and_it_goes_on_afterwards(redis: RedisServer) -> None:
    async with instance(redis) as rooms, member(rooms) as ann:
        await join(ann)
        redis.signal(signal.SIGSTOP)
        ann.say("draw", id="a", points=[[1, 1]])
        assert (await ann.until("error"))["code"] == "store_unavailable"
        redis.signal(signal.SIGCONT)
        with trio.fail_after(PATIENCE):
            while ann.code is None:
                ann.say("draw", id="b", points=[[1, 1]])
                if (await ann.next())["type"] == "drawn":
                    break
                await trio.sleep(0.1)


async def test_a_state_that_could_not_be_kept_is_kept_once_redis_takes_it(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hamlet_trio.room.replication._SAVE_EVERY", 4)
    async with instance(redis) as rooms, member(rooms) as ann:
        await join(ann)
        redis.ask("ACL", "SETUSER", "default", "-set")  # entries are appended, and no state is kept
        for number in range(8):
            ann.say("draw", id=f"s{number}", points=[[1, 1]])
            await ann.until("drawn")
        with trio.fail_after(PATIENCE):
            while b"cmdstat_set:" not in redis.ask("INFO", "commandstats"):  # noqa: ASYNC110 - another process
                await trio.sleep(0.1)
        assert redis.ask("EXISTS", "test:rooms:state") == b":0\r\n"
        redis.ask("ACL", "SETUSER", "default", "+set")
        with trio.fail_after(PATIENCE):
            # Nothing more is drawn.
            while redis.ask("EXISTS", "test:rooms:state") != b":1\r\n":  # noqa: ASYNC110 - another process
                await trio.sleep(0.1)


async def test_an_empty_group_keeps_its_drawings_at_an_instance_that_begins_late(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hamlet_trio.room.replication._SAVE_EVERY", 4)
    async with instance(redis) as first, member(first) as ann, member(first) as ben:
        await join(ann)
        await join(ben, "4827-1")
        for number in range(8):
            ben.say("draw", id=f"s{number}", points=[[1, 1]])
            await ben.until("drawn")
        await join(ben)
        with trio.fail_after(PATIENCE):
            # Until a state is kept in which the group is empty.
            state = b""
            while b'"s7"' not in state or b'"room":"4827-1"' in state:
                ann.say("draw", id="a", points=[[1, 1]])
                await ann.until("drawn")
                state = redis.ask("GET", "test:rooms:state")
        async with instance(redis) as second, member(second) as late:
            assert len((await join(late, "4827-1"))["strokes"]) == 8


async def test_a_kept_state_or_an_entry_that_cannot_be_read_ends_nothing(redis: RedisServer) -> None:
    redis.ask("SET", "test:rooms:state", '0-1 {"rooms": "\\ud800 [[[')
    redis.ask("XADD", "test:rooms:log", "*", "e", '{"type": "entered", "number": "[[[')
    async with instance(redis) as rooms, member(rooms) as ann:
        await join(ann)
        ann.say("draw", id="a", points=[[1, 1]])
        assert (await ann.until("drawn"))["stroke"]["member"] == ann.number
