"""What waits to be sent to one viewer: bounded, in order; frames conflate, events do not."""

from collections import deque
from typing import NamedTuple

import trio


class OutboxFullError(Exception):
    """More events wait than the outbox holds: the viewer is too slow and must be closed with 1013."""


class OutboxStatistics(NamedTuple):
    """How much waits, and how many frames were dropped since the start."""

    events: int
    frames: int
    dropped_frames: int


class Outbox:
    """A queue between a broadcaster, which never waits, and one sender task, which does.

    When it is full: a new frame pushes out the oldest waiting frame, which is counted; a new event raises
    `OutboxFullError`. Memory is bounded by `max_events` + `max_frames` texts, each shared by all viewers.

    One task takes from it. Closing is the owner's: cancel that task.
    """

    def __init__(self, *, max_events: int, max_frames: int) -> None:
        self._events: deque[tuple[int, str]] = deque()
        self._frames: deque[tuple[int, str]] = deque(maxlen=max_frames)
        self._max_events = max_events
        self._count = 0
        self._dropped = 0
        self._filled = trio.Event()

    def put_event(self, text: str) -> None:
        """Queue what must arrive; raises `OutboxFullError` if `max_events` wait already."""
        if len(self._events) >= self._max_events:
            raise OutboxFullError(f"{self._max_events} events wait to be sent")
        self._put(self._events, text)

    def put_frame(self, text: str) -> None:
        """Queue a frame, in place of the oldest one where `max_frames` wait already."""
        if len(self._frames) == self._frames.maxlen:
            self._dropped += 1
        self._put(self._frames, text)

    def _put(self, queue: deque[tuple[int, str]], text: str) -> None:
        self._count += 1
        queue.append((self._count, text))
        self._filled.set()

    async def get(self) -> str:
        """The next text in the order of putting; waits for one."""
        while not (self._events or self._frames):
            self._filled = trio.Event()
            await self._filled.wait()
        await trio.lowlevel.checkpoint_if_cancelled()
        if not self._frames or (self._events and self._events[0] < self._frames[0]):
            return self._events.popleft()[1]
        return self._frames.popleft()[1]

    def statistics(self) -> OutboxStatistics:
        """What waits now and what was dropped so far."""
        return OutboxStatistics(len(self._events), len(self._frames), self._dropped)
