"""What a session sends to its client."""

from collections.abc import Mapping
from functools import partial
from typing import Final, Literal, TypeAlias

import trio
from msgspec import Struct

from hamlet_trio.connection import SharedSession, Transport
from hamlet_trio.inference.statistics import SessionCounters
from hamlet_trio.protocol.compact import SessionCompactor
from hamlet_trio.protocol.errors import BadMessageError
from hamlet_trio.protocol.messages import (
    EpisodeEnd,
    EpisodeStart,
    ModelLoaded,
    Playback,
    StateUpdate,
    WorldSet,
    encode,
)

MAX_UNSENT: Final = 8
_Unsent: TypeAlias = tuple[str, float | None]
"""A message, and of a frame when it was due."""

_SHARED: Final = (EpisodeStart, EpisodeEnd, ModelLoaded, Playback, WorldSet)
"""What those who follow a session are sent beside its frames; what is the client's own is not among it."""


class MessageSender:
    """Encode messages and send them in order.

    A message that the transport takes at once is sent before the call returns. One that it does not take
    waits for a task in `nursery`, which begins with the first such message, as do all after it. Bounds:
    `MAX_UNSENT` messages wait; with more, `send` waits, so a client that reads slowly slows its own session.

    Those who follow the session, if any, get the same through `shared`, with frames in full.

    `due` is when the next frames were due or asked for.
    """

    def __init__(
        self,
        transport: Transport,
        counters: SessionCounters,
        shared: SharedSession,
        nursery: trio.Nursery,
    ) -> None:
        self.due = trio.current_time()
        self._shared = shared
        self._transport = transport
        self._counters = counters
        self._nursery = nursery
        self._queue: trio.MemorySendChannel[_Unsent] | None = None
        self._unsent = 0
        self._compactor: SessionCompactor | None = None

    @property
    def proof(self) -> str:
        """What shows that the session is the client's own, for it alone."""
        return self._shared.proof

    async def send(self, message: Struct) -> None:
        """Encode a message and send it. Not always a checkpoint."""
        text = encode(message)
        if isinstance(message, _SHARED):
            self._shared.publish(text, is_frame=False)
        await self._put(text, None)

    async def refuse(self, error: BadMessageError) -> None:
        """Send an error, which is counted."""
        self._counters.errors[error.code] += 1
        await self.send(error.as_message())

    @property
    def frames(self) -> Literal["full", "compact"]:
        """The form in which frames are sent."""
        return "full" if self._compactor is None else "compact"

    @frames.setter
    def frames(self, form: Literal["full", "compact"]) -> None:
        if form != self.frames:
            self._compactor = None if form == "full" else SessionCompactor()

    def send_next_in_full(self) -> None:
        """Send the next frame in full, also where frames are compact."""
        if self._compactor is not None:
            self._compactor.begin_anew()

    async def send_frame(self, frame: StateUpdate, visits: Mapping[str, int]) -> None:
        """Send a frame, which is counted and timed. `visits` by cell "x,y" are those of its heat map."""
        self._counters.frames += 1
        if self._compactor is None:
            text = encode(frame)
            self._shared.publish(text, is_frame=True)
        else:
            text = self._compactor.encode(frame, visits)
            self._shared.publish_frame(partial(encode, frame))
        await self._put(text, self.due)

    async def _run(self, queued: trio.MemoryReceiveChannel[_Unsent]) -> None:
        """Send queued messages until cancelled."""
        async for text, due in queued:
            await self._transport.send(text)
            self._unsent -= 1
            self._observe_delay(due)

    async def _put(self, text: str, due: float | None) -> None:
        if not self._unsent and self._transport.send_nowait(text):
            self._observe_delay(due)
            return
        if self._queue is None:
            self._queue, queued = trio.open_memory_channel[_Unsent](MAX_UNSENT)
            self._nursery.start_soon(self._run, queued)
        self._unsent += 1
        await self._queue.send((text, due))

    def _observe_delay(self, due: float | None) -> None:
        if due is not None:
            self._counters.frame_seconds.observe(trio.current_time() - due)
