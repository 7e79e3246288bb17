"""One room over two real instances: a vote while one is killed, a life that is followed, and latecomers."""

import signal
from contextlib import AsyncExitStack

import trio

from tests.e2e.client import Message, Player, connected
from tests.e2e_redis.conftest import Pair

ROOM = "4827"
PUPILS = 30


async def enter(stack: AsyncExitStack, port: int, **fields: str) -> tuple[Player, Message]:
    """Join the room at an instance; return the connection, and what was there."""
    member = await stack.enter_async_context(connected(port, "/ws/room"))
    await member.send("join", room=ROOM, **fields)
    return member, await member.expect("joined")


def voter(number: int) -> dict[str, str]:
    """Return by what a pupil is known again."""
    return {"voter": f"the-pupil-number-{number:02}"}


async def test_a_vote_counts_each_once_though_an_instance_is_killed(pair: Pair) -> None:
    here, there = pair.ports
    async with AsyncExitStack() as stack:
        # The teacher's session is at one instance, her place in the room and a follower at the other one.
        session = await stack.enter_async_context(connected(there))
        greeting = await session.expect("connected")
        teacher, me = await enter(stack, here, session=greeting["session_id"], proof=greeting["proof"])
        await teacher.expect("member_changed")
        await teacher.send("draw", id="a", points=[[1, 1], [2, 2]])
        await teacher.send("ask", question="yes_or_no", choices=2)
        pupils = [
            (await enter(stack, pair.ports[number % 2], **voter(number)))[0] for number in range(PUPILS)
        ]
        for number in (0, 1):
            await pupils[number].send("follow", member=me["you"])
            await pupils[number].expect("following", follows=me["you"])
        await session.send("play")
        for number in (0, 1):
            frames = [(await pupils[number].expect("frame"))["message"] for _ in range(6)]
            assert {frame["type"] for frame in frames if "step" in frame} >= {"state_update"}
        for number, pupil in enumerate(pupils):
            await pupil.send("vote", choice=number % 2)
        # Some of these votes have been counted by now, and some have not.
        pair.servers[1].signal(signal.SIGKILL)
        await trio.to_thread.run_sync(pair.servers[1].wait)
        assert (await pupils[0].expect("following"))["follows"] is None
        for number in range(1, PUPILS, 2):
            again, _ = await enter(stack, here, **voter(number))
            await again.send("vote", choice=1)
        counts: list[int] = []
        while counts != [PUPILS // 2, PUPILS // 2]:
            counts = (await teacher.expect("vote_changed"))["vote"]["counts"]
            assert all(count <= PUPILS // 2 for count in counts)
        await teacher.send("close_vote")
        await trio.to_thread.run_sync(pair.mend)
        for port in (here, there):
            _, joined = await enter(stack, port)
            assert [stroke["id"] for stroke in joined["strokes"]] == ["a"]
            assert joined["vote"]["counts"] == [PUPILS // 2, PUPILS // 2]
            assert not joined["vote"]["open"]
