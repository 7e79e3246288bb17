"""Waking playheads at their deadlines: many at once where many are due."""

import heapq
import math
from collections.abc import Callable
from typing import Final

import trio

COALESCING_SECONDS: Final = 0.01
"""The least time between two wake-ups; what falls due in between is woken together at the second."""
_FEW: Final = 64
_HAIR: Final = 1e-8
"""Seconds by which groups lie behind the deadline that their spacing began with: else rounding would decide
in which group that timer is the next time, a whole number of groups later."""


class Timer:
    """One wake-up to come.

    `wake` is called once, at `deadline` or a little later; None afterwards, and once it is cancelled.
    """

    __slots__ = ("deadline", "wake")

    def __init__(self, deadline: float, wake: Callable[[], None]) -> None:
        self.deadline = deadline
        self.wake: Callable[[], None] | None = wake

    def __lt__(self, other: "Timer") -> bool:
        return self.deadline < other.deadline


class Timers:
    """One heap and one sleeping task for all sessions, in place of a cancel scope for every wait.

    A lone timer goes off at its deadline. Where they lie closer together than `COALESCING_SECONDS`, they go
    off in groups that far apart, so that what they start (a forward pass, a step of the worlds) is done for
    many sessions at once. The groups are evenly spaced, so a session that is due every tenth of a second is
    in every tenth group, the same little later each time: its own pace stays even.

    Memory: one entry for each timer that is set, and no more of cancelled ones than that.
    """

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._cancelled = 0
        self._earliest = -math.inf
        self._pause = trio.CancelScope()

    def set(self, deadline: float, wake: Callable[[], None]) -> Timer:
        """Have `wake` called at this time on the clock of Trio; it must not raise."""
        timer = Timer(deadline, wake)
        heapq.heappush(self._heap, timer)
        if self._heap[0] is timer:
            self._pause.deadline = self._next()
        return timer

    def cancel(self, timer: Timer) -> None:
        """Forget a timer; does nothing for one that went off."""
        if timer.wake is None:
            return
        timer.wake = None
        self._cancelled += 1
        if self._cancelled > _FEW + len(self._heap) // 2:
            self._heap = [kept for kept in self._heap if kept.wake is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def _next(self) -> float:
        """When the next group is due."""
        while self._heap and self._heap[0].wake is None:
            heapq.heappop(self._heap)
            self._cancelled -= 1
        return max(self._heap[0].deadline, self._earliest) if self._heap else math.inf

    async def run(self) -> None:
        """Wake until cancelled."""
        while True:
            with trio.CancelScope(deadline=self._next()) as self._pause:
                await trio.sleep_forever()
            until, now = self._next(), trio.current_time()
            if until > now:
                continue  # what this was for is cancelled
            if now - until > COALESCING_SECONDS:
                until = now
            elif until > self._earliest:
                until += _HAIR
            # Counted from when the group was to be, not from when it was, so groups neither drift nor change.
            self._earliest = until + COALESCING_SECONDS
            heap = self._heap
            while heap and heap[0].deadline <= until:
                timer = heapq.heappop(heap)
                wake, timer.wake = timer.wake, None
                if wake is None:
                    self._cancelled -= 1
                else:
                    wake()
