"""The bounded queue between a task that never waits and the one that sends."""

from collections import deque
from typing import Generic, NamedTuple, TypeVar

import trio

Item = TypeVar("Item")


class QueueFullError(Exception):
    """Raised when the queue holds as many items as it may: its consumer is too slow."""


class QueueStatistics(NamedTuple):
    """Items that wait now, and the droppable ones that were dropped since the start."""

    kept: int
    droppable: int
    dropped: int


class MessageQueue(Generic[Item]):
    """A bounded first-in, first-out queue; putting never waits, and one task takes.

    Items of two sorts keep their common order. When `max_kept` items that must arrive wait, another one
    raises `QueueFullError`. When `max_droppable` items that newer ones outdate wait, such as frames, another
    one pushes out the oldest of them, which is counted. Memory: `max_kept` + `max_droppable` items.

    Resource handling: there is nothing to close; cancel the task that takes.
    """

    def __init__(self, *, max_kept: int, max_droppable: int) -> None:
        self._kept: deque[tuple[int, Item]] = deque()
        self._droppable: deque[tuple[int, Item]] = deque(maxlen=max_droppable)
        self._max_kept = max_kept
        self._count = 0
        self._dropped = 0
        self._filled = trio.Event()

    def put(self, item: Item) -> None:
        """Queue an item that must arrive; raises `QueueFullError` if `max_kept` wait already."""
        if len(self._kept) >= self._max_kept:
            raise QueueFullError(f"{self._max_kept} messages wait to be sent")
        self._append(self._kept, item)

    def put_droppable(self, item: Item) -> None:
        """Queue an item, in place of the oldest droppable one if `max_droppable` wait already."""
        if len(self._droppable) == self._droppable.maxlen:
            self._dropped += 1
        self._append(self._droppable, item)

    def _append(self, queue: deque[tuple[int, Item]], item: Item) -> None:
        self._count += 1
        queue.append((self._count, item))
        self._filled.set()

    async def get(self) -> Item:
        """Take the oldest item; waits for one."""
        while not (self._kept or self._droppable):
            self._filled = trio.Event()
            await self._filled.wait()
        await trio.lowlevel.checkpoint_if_cancelled()
        if not self._droppable or (self._kept and self._kept[0][0] < self._droppable[0][0]):
            return self._kept.popleft()[1]
        return self._droppable.popleft()[1]

    def statistics(self) -> QueueStatistics:
        """Return how many items wait now and how many were dropped so far."""
        return QueueStatistics(len(self._kept), len(self._droppable), self._dropped)
