"""One receiver of a broadcast: a bounded queue, whether it is too slow, and the tasks of its connection."""

from collections.abc import Awaitable, Callable
from typing import Final

import trio
from msgspec import Struct

from hamlet_trio.connection.message_queue import MessageQueue, QueueFullError
from hamlet_trio.connection.transport import Transport
from hamlet_trio.protocol.errors import CloseCode
from hamlet_trio.protocol.messages import encode


class Closing:
    """Why a connection is to be closed; the first reason counts, and cancels `scope`."""

    def __init__(self) -> None:
        self.code: CloseCode | None = None
        self.scope: Final = trio.CancelScope()

    def give(self, code: CloseCode) -> None:
        """Give a reason."""
        if self.code is None:
            self.code = code
        self.scope.cancel()

    async def give_when(self, event: trio.Event, code: CloseCode) -> None:
        """Give a reason once an event happens."""
        await event.wait()
        self.give(code)


class Subscriber:
    """Queue what one connection is sent, without ever waiting for it.

    Once `too_slow` is set nothing more is queued, and the connection must be closed with 1013.
    """

    def __init__(self, session_id: str, queue: MessageQueue[str]) -> None:
        self.session_id: Final = session_id
        self.queue: Final = queue
        self.too_slow: Final = trio.Event()

    def tell(self, message: Struct) -> None:
        """Queue a message for this receiver alone; never waits, never drops."""
        self.put_event(encode(message))

    def put_event(self, text: str) -> None:
        """Queue a text that must arrive; a receiver whose queue is full is too slow."""
        if self.too_slow.is_set():
            return
        try:
            self.queue.put(text)
        except QueueFullError:
            self.too_slow.set()

    def put_frame(self, text: str) -> None:
        """Queue a frame, in place of the oldest one if too many wait."""
        if not self.too_slow.is_set():
            self.queue.put_droppable(text)

    def texts(self, queued: str) -> tuple[str, ...]:
        """Return what to send of a queued text."""
        return (queued,)

    async def serve(
        self,
        transport: Transport,
        receive: Callable[[], Awaitable[None]],
        closing: Closing,
        draining: trio.Event,
    ) -> None:
        """Receive commands and send what is queued, until there is a reason to close the connection.

        1012 when the server drains and 1013 when the receiver is too slow are given here.
        """
        with closing.scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive)
                nursery.start_soon(self._send, transport)
                nursery.start_soon(closing.give_when, draining, CloseCode.SERVICE_RESTART)
                nursery.start_soon(closing.give_when, self.too_slow, CloseCode.TRY_AGAIN_LATER)

    async def _send(self, transport: Transport) -> None:
        while True:
            for text in self.texts(await self.queue.get()):
                if not transport.send_nowait(text):
                    await transport.send(text)
