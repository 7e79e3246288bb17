"""What a session sends."""

from typing import Final

import trio
from msgspec import Struct

from hamlet_trio.connection import Transport
from hamlet_trio.inference.statistics import SessionCounters
from hamlet_trio.protocol.messages import StateUpdate, encode

MAX_OUTGOING: Final = 8


class MessageSender:
    """Messages on their way to the client. When it reads slowly, whoever sends waits.

    What the transport takes at once is gone before the call returns. What it does not take waits for `run`,
    as does all that comes after it, so that the order stays. Bounds: `MAX_OUTGOING` messages wait, then
    whoever sends waits.

    `due` is when the frames that are sent next were due or asked for.
    """

    def __init__(self, transport: Transport, counters: SessionCounters) -> None:
        self.due = trio.current_time()
        self._transport = transport
        self._counters = counters
        self._queue, self._queued = trio.open_memory_channel[tuple[str, float | None]](MAX_OUTGOING)
        self._waiting = 0

    async def send(self, message: Struct) -> None:
        """Encode a message and send it, when there is room. Not always a checkpoint."""
        await self._put(encode(message), None)

    async def show(self, frame: StateUpdate) -> None:
        """The same for a frame, which is counted."""
        self._counters.frames += 1
        await self._put(encode(frame), self.due)

    async def run(self) -> None:
        """Send what is queued until cancelled."""
        async for text, due in self._queued:
            await self._transport.send(text)
            self._waiting -= 1
            self._note_sent(due)

    async def _put(self, text: str, due: float | None) -> None:
        if not self._waiting and self._transport.send_nowait(text):
            self._note_sent(due)
            return
        self._waiting += 1
        await self._queue.send((text, due))

    def _note_sent(self, due: float | None) -> None:
        if due is not None:
            self._counters.frame_seconds.observe(trio.current_time() - due)
