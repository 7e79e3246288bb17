"""What a session sends."""

from typing import TypeAlias

import trio
from msgspec import Struct

from hamlet_trio.inference.statistics import SessionCounters
from hamlet_trio.protocol.messages import StateUpdate, encode

Parcel: TypeAlias = tuple[str, float | None]
"""The text of a message and, of a frame, when it was due or asked for."""


class Outgoing:
    """Messages on their way to the client. When it reads slowly, whoever sends waits.

    `due` is when the frames that are sent next were due or asked for.
    """

    def __init__(self, channel: trio.MemorySendChannel[Parcel], counters: SessionCounters) -> None:
        self.due = trio.current_time()
        self._channel = channel
        self._counters = counters

    async def send(self, message: Struct) -> None:
        """Encode a message and send it, when there is room."""
        await self._put((encode(message), None))

    async def show(self, frame: StateUpdate) -> None:
        """The same for a frame, which is counted."""
        self._counters.frames += 1
        await self._put((encode(frame), self.due))

    async def _put(self, parcel: Parcel) -> None:
        try:
            # First without waiting: it spares a switch of tasks, which costs as much as the text.
            self._channel.send_nowait(parcel)
        except trio.WouldBlock:
            await self._channel.send(parcel)
