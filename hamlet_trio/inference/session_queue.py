"""The queue from which a session controller takes its events, and waits until its next deadline."""

import math
from typing import Final, Generic, TypeVar

import trio

from hamlet_trio.inference.timers import Timer, Timers

Event = TypeVar("Event")


class SessionQueue(Generic[Event]):
    """An ordered queue of at most `limit` events, with one consumer.

    When it is full, a command is not queued but counted, so that the reader never waits: the consumer
    answers it with an error later. An event that must not be lost waits for room instead.
    """

    def __init__(self, limit: int, timers: Timers) -> None:
        self.limit: Final = limit
        self._send, self._receive = trio.open_memory_channel[Event](limit)
        self._overflow = 0
        self._timers = timers
        self._timer: Timer | None = None
        self._consumer: trio.lowlevel.Task | None = None

    def put(self, event: Event) -> None:
        """Queue a command, or count it if there is no room."""
        try:
            self._send.send_nowait(event)
        except trio.WouldBlock:
            self._overflow += 1
        self._wake()

    async def put_when_room(self, event: Event) -> None:
        """Queue an event that must not be lost; waits for room."""
        await self._send.send(event)
        self._wake()

    async def get(self, deadline: float) -> Event | None:
        """Return the next event, or None at `deadline` if there is none. Not always a checkpoint."""
        while True:
            try:
                # First without waiting: a session that is behind its deadlines must still hear its client.
                return self._receive.receive_nowait()
            except trio.WouldBlock:
                pass
            # A timer that waits for its group goes off with it, whatever came meanwhile: turns stay even.
            if deadline <= trio.current_time() and not self._waits_until(deadline):
                return None
            self._set_timer(deadline)
            self._consumer = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._stop_waiting)

    def take_overflow(self) -> int:
        """Return how many commands have found no room since the last call."""
        overflow, self._overflow = self._overflow, 0
        return overflow

    def _set_timer(self, deadline: float) -> None:
        """Set a timer for this deadline, unless the one of the previous wait still stands for it."""
        if self._timer is not None:
            if self._waits_until(deadline):
                return
            self._timers.cancel(self._timer)
        self._timer = None if deadline == math.inf else self._timers.set(deadline, self._wake)

    def _waits_until(self, deadline: float) -> bool:
        """Return whether a timer for this deadline is set and has not gone off."""
        return self._timer is not None and self._timer.wake is not None and self._timer.deadline == deadline

    def _wake(self) -> None:
        if self._consumer is not None:
            task, self._consumer = self._consumer, None
            trio.lowlevel.reschedule(task)

    def _stop_waiting(self, _: object) -> trio.lowlevel.Abort:
        self._consumer = None
        self._set_timer(math.inf)
        return trio.lowlevel.Abort.SUCCEEDED
