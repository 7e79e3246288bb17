"""Members of rooms in memory."""

import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from hamlet_trio.connection import Permit, ReadBatch, permit_all
from hamlet_trio.protocol.errors import CloseCode
from hamlet_trio.room import RoomService, serve_member
from hamlet_trio.settings import Settings
from tests.patience import PATIENCE


class Member:
    """A member and its transport. `window` messages may wait for it to read them."""

    def __init__(self, window: float = math.inf) -> None:
        self._frames, self._incoming = trio.open_memory_channel[str | bytes | None](math.inf)
        self._to_client, self._messages = trio.open_memory_channel[str](window)
        self.code: CloseCode | None = None
        self.scope = trio.CancelScope()
        self.number = 0
        self._take: Callable[[str], bool] = lambda _: False

    async def receive(self) -> str | bytes | None:
        return await self._incoming.receive()

    async def send(self, text: str) -> None:
        await self._to_client.send(text)

    def send_nowait(self, text: str) -> bool:
        try:
            self._to_client.send_nowait(text)
        except trio.WouldBlock:
            return False
        return True

    def take_with(self, take: Callable[[str], bool], batch: ReadBatch) -> None:
        self._take = take

    def say(self, command: str, **fields: object) -> None:
        """Send a command."""
        text = json.dumps({"command": command, **fields})
        # As the server does it: only what finds the member's task at rest is offered.
        if not (self._frames.statistics().tasks_waiting_receive and self._take(text)):
            self._frames.send_nowait(text)

    def say_raw(self, frame: str | bytes | None) -> None:
        """Send a frame as it is."""
        self._frames.send_nowait(frame)

    async def heard(self) -> list[Any]:
        """Return all messages that wait, once nothing more happens."""
        await wait_all_tasks_blocked()
        found = []
        while True:
            try:
                found.append(json.loads(self._messages.receive_nowait()))
            except trio.WouldBlock:
                return found

    async def join(self, **fields: object) -> Any:
        """Join a room and return what is there."""
        self.say("join", **fields)
        (joined,) = [message for message in await self.heard() if message["type"] == "joined"]
        self.number = joined["you"]
        return joined

    async def expect(self, kind: str) -> Any:
        """Return the one message of this type that waits; others are dropped."""
        (found,) = [message for message in await self.heard() if message["type"] == kind]
        return found

    async def next(self) -> Any:
        """Wait for the next message."""
        with trio.fail_after(PATIENCE):
            return json.loads(await self._messages.receive())

    async def until(self, kind: str, **fields: object) -> Any:
        """Wait for a message of this type with these fields; others are dropped."""
        with trio.fail_after(PATIENCE):
            while True:
                message = json.loads(await self._messages.receive())
                if message["type"] == kind and fields.items() <= message.items():
                    return message

    async def refused(self, command: str, **fields: object) -> str:
        """Send a command that must be refused; return the code."""
        self.say(command, **fields)
        code: str = (await self.expect("error"))["code"]
        return code


@asynccontextmanager
async def member(
    service: RoomService,
    *,
    settings: Settings | None = None,
    draining: trio.Event | None = None,
    permit: Permit = permit_all,
    window: float = math.inf,
) -> AsyncIterator[Member]:
    """Connect a member; leaving disconnects it, unless it has ended before."""
    client = Member(window)

    async def serve() -> None:
        with client.scope:
            client.code = await serve_member(
                service,
                client,
                session_id="test",
                settings=settings or Settings(),
                draining=trio.Event() if draining is None else draining,
                permit=permit,
            )

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        yield client
        client.scope.cancel()
