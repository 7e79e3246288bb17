"""Wake session controllers at their deadlines, many at once where many are due."""

import heapq
import math
from collections.abc import Callable
from typing import Final

import trio

COALESCING_SECONDS: Final = 0.01
"""The least time between two wake-ups; timers due in between go off together at the second."""
_CANCELLED_KEPT: Final = 64
_MARGIN: Final = 1e-8
"""Seconds by which groups lie behind the deadline that their spacing began with; without it rounding would
decide in which group that timer falls the next time, a whole number of groups later."""


class Timer:
    """One future wake-up. `wake` is called once, at `deadline` or a little later.

    It is None afterwards, and once the timer is cancelled.
    """

    __slots__ = ("deadline", "wake")

    def __init__(self, deadline: float, wake: Callable[[], None]) -> None:
        self.deadline = deadline
        self.wake: Callable[[], None] | None = wake

    def __lt__(self, other: "Timer") -> bool:
        return self.deadline < other.deadline


class Timers:
    """Wake all sessions with one heap and one sleeping task, instead of a cancel scope for every wait.

    A lone timer goes off at its deadline. Timers closer together than `COALESCING_SECONDS` go off in groups
    that far apart, so that the work they start (a forward pass, a step of the worlds) is done for many
    sessions at once. The groups are evenly spaced: a session due every tenth of a second is in every tenth
    group, late by the same small amount each time, so its own pace stays even.

    Memory: one entry for each timer that is set, and at most about as many cancelled ones.
    """

    def __init__(self, on_wake: Callable[[float], None] = lambda lag: None) -> None:
        """`on_wake` is told with each group how late it is, in seconds."""
        self._on_wake = on_wake
        self._heap: list[Timer] = []
        self._cancelled = 0
        self._earliest = -math.inf
        self._pause = trio.CancelScope()

    def set(self, deadline: float, wake: Callable[[], None]) -> Timer:
        """Call `wake` at this time on Trio's clock; it must not raise."""
        timer = Timer(deadline, wake)
        heapq.heappush(self._heap, timer)
        if self._heap[0] is timer:
            self._pause.deadline = self._next()
        return timer

    def cancel(self, timer: Timer) -> None:
        """Cancel a timer; does nothing if it has gone off."""
        if timer.wake is None:
            return
        timer.wake = None
        self._cancelled += 1
        if self._cancelled > _CANCELLED_KEPT + len(self._heap) // 2:
            self._heap = [kept for kept in self._heap if kept.wake is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def _next(self) -> float:
        """Return when the next group is due."""
        while self._heap and self._heap[0].wake is None:
            heapq.heappop(self._heap)
            self._cancelled -= 1
        return max(self._heap[0].deadline, self._earliest) if self._heap else math.inf

    async def run(self) -> None:
        """Wake sessions until cancelled."""
        while True:
            with trio.CancelScope(deadline=self._next()) as self._pause:
                await trio.sleep_forever()
            until, now = self._next(), trio.current_time()
            if until > now:
                continue  # the timer was cancelled
            self._on_wake(now - until)
            if now - until > COALESCING_SECONDS:
                until = now
            elif until > self._earliest:
                until += _MARGIN
            # Counted from when the group was due, not from when it went off, so groups do not drift.
            self._earliest = until + COALESCING_SECONDS
            heap = self._heap
            while heap and heap[0].deadline <= until:
                timer = heapq.heappop(heap)
                wake, timer.wake = timer.wake, None
                if wake is None:
                    self._cancelled -= 1
                else:
                    wake()
