"""Admission by measured load: new sessions are refused before those that play are late."""

import math
import time
from collections.abc import Callable
from typing import Final

import trio

from hamlet_trio.connection import OverloadedError
from hamlet_trio.inference.fair_share import FairShare

WINDOW_SECONDS: Final = 1.0
"""The least time over which load is measured."""
SMOOTHING_SECONDS: Final = 2.0
"""After this long, 1/e of an average is still from before."""
LATE_SECONDS: Final = 0.05
"""Sessions are late when they are woken this much after they were due, on average."""
BUSY_WHILE_LATE: Final = 0.6
"""With less load than this, sessions are late because of something else, and refusing others helps nobody.
It admits those who come all at once from an instance that ended: to be late for a second is better than to
be refused."""
ALWAYS_ADMITTED: Final = 10
"""This many sessions are admitted whatever was measured."""
RETRY_AFTER_SECONDS: Final = 10

_LONGEST_LAG: Final = 0.5  # of one wake-up, so that one pause is no lateness
_LONGEST_WEIGHT: Final = 0.1  # seconds that one wake-up counts for, however long nobody was woken before


class Admission:
    """Measure how much of the server's time sessions need, and decide whether there is room for one more.

    The load is the busy share of the event loop's thread or of the policy engine, whichever is more, as far
    as sessions are entitled to it: what they do beyond `GUARANTEED_PER_SECOND` gives way when others come,
    and is left out. Over `max_load` new sessions are refused; so they are while sessions are late. 0 refuses
    nobody.

    `batch_seconds` returns the processor seconds of the engine so far; `spent` those of the calling thread,
    which is the event loop's. Time that something else takes from them is no load: to refuse sessions would
    not bring it back.
    """

    def __init__(
        self,
        max_load: float,
        work: FairShare,
        batch_seconds: Callable[[], float],
        spent: Callable[[], float] = time.thread_time,
    ) -> None:
        self.refused = 0
        self._max_load = max_load
        self._work = work
        self._clocks = (spent, batch_seconds)
        self._load = self._lateness = 0.0
        self._woken = -math.inf
        self._began: float | None = None
        self._then = (0.0, 0.0)
        self._units = self._guaranteed = 0.0

    @property
    def load(self) -> float:
        """The share of its time that the server needs for what sessions are entitled to, 0 to 1."""
        self._measure(trio.current_time())
        return self._load

    @property
    def lateness(self) -> float:
        """How late sessions were woken lately, in seconds on average; it fades while none is woken."""
        silent = trio.current_time() - self._woken - _LONGEST_WEIGHT
        return self._lateness * math.exp(-max(silent, 0.0) / SMOOTHING_SECONDS)

    @property
    def is_overloaded(self) -> bool:
        """Whether there is no room for one more session."""
        if not self._max_load:
            return False
        load = self.load
        return load > self._max_load or (load > BUSY_WHILE_LATE and self.lateness > LATE_SECONDS)

    def check(self, sessions: int, returning: int) -> None:
        """Raise `OverloadedError` if a session beside these must not begin.

        `returning` sessions have lost their connection a moment ago: what comes may be one of them, which
        would take up what it did before.
        """
        if sessions < ALWAYS_ADMITTED or returning or not self.is_overloaded:
            return
        self.refused += 1
        raise OverloadedError(self._load, "HAMLET_MAX_LOAD", RETRY_AFTER_SECONDS)

    def observe(self, lag: float) -> None:
        """Take note of a wake-up that was `lag` seconds late."""
        now = trio.current_time()
        weight = _weight(min(now - self._woken, _LONGEST_WEIGHT))
        faded = self.lateness
        self._lateness = faded + weight * (min(lag, _LONGEST_LAG) - faded)
        self._woken = now
        self._measure(now)

    def _measure(self, now: float) -> None:
        """Take the time since the last measurement into account, if it is long enough."""
        if self._began is not None and now - self._began < WINDOW_SECONDS:
            return
        clocks = (self._clocks[0](), self._clocks[1]())
        if self._began is not None:
            seconds = now - self._began
            busy = max(after - before for after, before in zip(clocks, self._then, strict=True)) / seconds
            units = self._work.units - self._units
            entitled = (self._work.guaranteed - self._guaranteed) / units if units else 0.0
            self._load += _weight(seconds) * (min(busy, 1.0) * entitled - self._load)
        self._began, self._then = now, clocks
        self._units, self._guaranteed = self._work.units, self._work.guaranteed


def _weight(seconds: float) -> float:
    return 1.0 - math.exp(-seconds / SMOOTHING_SECONDS)
