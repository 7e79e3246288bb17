"""Instances that share rooms over a real Redis, and members who join there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from hamlet_trio.connection import SharedSessions
from hamlet_trio.room import ReplicatedRooms
from hamlet_trio.settings import Settings
from hamlet_trio.shared import RedisLog, RedisStore
from tests.patience import PATIENCE
from tests.room.support import Member
from tests.shared.redis_server import RedisServer


@asynccontextmanager
async def instance(redis: RedisServer) -> AsyncIterator[ReplicatedRooms]:
    """Run the rooms of one instance; leaving is a kill: nothing more is told to the others."""
    store = RedisStore(redis.url)
    rooms = ReplicatedRooms(Settings(), SharedSessions(), RedisLog(store, redis.url, "test"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.run)
        nursery.start_soon(rooms.run)
        yield rooms
        nursery.cancel_scope.cancel()


async def join(who: Member, room: str = "4827", **fields: object) -> Any:
    """Join a room, once Redis answers; what comes before is dropped."""
    who.say("join", room=room, **fields)
    with trio.fail_after(PATIENCE):
        while True:
            message = await who.next()
            if message["type"] == "joined":
                who.number = message["you"]
                return message
            if message["type"] == "error":
                assert message["code"] == "store_unavailable"
                await trio.sleep(0.1)
                who.say("join", room=room, **fields)
