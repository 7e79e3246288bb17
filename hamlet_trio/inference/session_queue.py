"""What waits for a session's playhead."""

import math
from typing import Generic, TypeVar

import trio

from hamlet_trio.inference.timers import Timer, Timers

SessionEvent = TypeVar("SessionEvent")


class SessionQueue(Generic[SessionEvent]):
    """An ordered queue of `limit` pieces of mail, with one taker.

    When it is full, a command is not queued but counted, so that the reader never waits: the taker answers it
    with an error once it gets round to it. SessionEvent that must not be lost waits for room instead.
    """

    def __init__(self, limit: int, timers: Timers) -> None:
        self._send, self._receive = trio.open_memory_channel[SessionEvent](limit)
        self._surplus = 0
        self._timers = timers
        self._timer: Timer | None = None
        self._taker: trio.lowlevel.Task | None = None

    def put(self, mail: SessionEvent) -> None:
        """Queue a command, or count it where there is no room."""
        try:
            self._send.send_nowait(mail)
        except trio.WouldBlock:
            self._surplus += 1
        self._wake()

    async def put_when_room(self, mail: SessionEvent) -> None:
        """Queue mail that must not be lost; waits for room."""
        await self._send.send(mail)
        self._wake()

    async def get(self, deadline: float) -> SessionEvent | None:
        """The next mail, or None once it is `deadline` and there is none. Not always a checkpoint."""
        while True:
            try:
                # First without waiting: a session that lags behind its deadlines must still hear its client.
                return self._receive.receive_nowait()
            except trio.WouldBlock:
                pass
            if deadline <= trio.current_time():
                return None
            self._set_timer(deadline)
            self._taker = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._give_up)

    def take_surplus(self) -> int:
        """How many commands found no room since the last call."""
        surplus, self._surplus = self._surplus, 0
        return surplus

    def close(self) -> None:
        """Forget the deadline of the last wait."""
        self._set_timer(math.inf)

    def _set_timer(self, deadline: float) -> None:
        """Have one timer for this deadline; the one of the last wait goes on where it is the same."""
        if self._timer is not None:
            if self._timer.wake is not None and self._timer.deadline == deadline:
                return
            self._timers.cancel(self._timer)
        self._timer = None if deadline == math.inf else self._timers.set(deadline, self._wake)

    def _wake(self) -> None:
        if self._taker is not None:
            task, self._taker = self._taker, None
            trio.lowlevel.reschedule(task)

    def _give_up(self, _: object) -> trio.lowlevel.Abort:
        self._taker = None
        self.close()
        return trio.lowlevel.Abort.SUCCEEDED
