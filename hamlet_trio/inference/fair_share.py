"""Fair sharing of the server's work among sessions once there is more of it than the server can do."""

import heapq
import itertools
import math
from typing import Final

import trio

from hamlet_trio.inference.awaited import Awaited

ROUND_SECONDS: Final = 0.01
LAG_SECONDS: Final = 0.01
"""The server is overloaded while it wakes sessions later than this, on average over some wake-ups."""
GUARANTEED_PER_SECOND: Final = 20.0
"""Units of each session that never wait: its steps at speed 1, and some commands."""

_GUARANTEED_USE: Final = GUARANTEED_PER_SECOND / math.log(2)  # the recent use that this rate amounts to
_LEAST: Final = 4.0  # units a round
_LEAST_OF_PEAK: Final = 0.5  # the server may be late for other reasons: no limit makes much less of it
_PEAK_FADES: Final = 0.999
_SMOOTHING: Final = 0.15
_LONGEST_LAG: Final = 0.05  # of one wake-up, so that a single pause is no overload
_SHRINK: Final = 0.9
_GROW: Final = 1.05
_UNLIMITED: Final = 1000.0  # units a round; no server does so many


class RecentUse:
    """A sum that halves every `half_life` seconds on Trio's clock."""

    def __init__(self, half_life: float) -> None:
        self._half_life = half_life
        self._sum = 0.0
        self._updated = trio.current_time()

    def add(self, amount: float) -> float:
        """Add to the sum; return what it was before."""
        now = trio.current_time()
        before = self._sum * math.exp2((self._updated - now) / self._half_life)
        self._sum = before + amount
        self._updated = now
        return before

    @property
    def rank(self) -> float:
        """A number that orders sums by size; it stays comparable with other ranks while time passes."""
        return math.log2(self._sum) + self._updated / self._half_life if self._sum > 0 else -math.inf


class Share:
    """What one session has used recently: units of work, and steps played out for replays and recordings."""

    def __init__(self) -> None:
        self.units = RecentUse(half_life=1.0)
        self.played_out = RecentUse(half_life=10.0)


class _Waiter(Awaited):
    __slots__ = ("rank",)

    def __init__(self, rank: tuple[float, int]) -> None:
        super().__init__()
        self.rank = rank

    def __lt__(self, other: "_Waiter") -> bool:
        return self.rank < other.rank


class FairShare:
    """Admit units of work, which are a session's turns and commands, each of about a frame's cost.

    While the server keeps up, every unit is admitted at once. When it wakes sessions late (`observe_lag`), it
    limits how many are admitted in a round of `ROUND_SECONDS`; those beyond wait, and the sessions that have
    used least go first. `GUARANTEED_PER_SECOND` units of each session never wait, so high speeds and floods
    of commands share what is left after everybody's steps at speed 1. The limit stays above half of what the
    server was seen to do.

    Bounds: a session has one unit waiting, so there are at most as many as sessions.

    Attributes:
        deferred: units that had to wait.
        units: units admitted.
        guaranteed: how many of them sessions were entitled to; of a fast session's a part.
    """

    def __init__(self) -> None:
        self.deferred = 0
        self._limit = math.inf
        self._lag = 0.0
        self._peak = 0.0
        self.units = 0
        self.guaranteed = 0.0
        self._units_then = 0
        self._observed = -math.inf
        self._round_end = -math.inf
        self._admitted = 0
        self._last: Share | None = None
        self._is_shared = False
        self._waiting: list[_Waiter] = []
        self._order = itertools.count()
        self._overflow = trio.lowlevel.ParkingLot()

    @property
    def limit(self) -> float:
        """How many units are admitted in a round; infinity while the server keeps up."""
        return self._limit

    async def admit(self, share: Share) -> bool:
        """Wait until the session may do one unit of work; return whether it had to wait."""
        now = trio.current_time()
        if now >= self._round_end and not self._waiting:
            self._begin_round(now)
        used = share.units.add(1.0)
        is_free = used < _GUARANTEED_USE
        self.guaranteed += min(1.0, _GUARANTEED_USE / max(used, 1.0))
        # A session that has the round to itself takes nothing from anybody.
        is_alone = not self._is_shared and (self._last is None or self._last is share)
        waits = not is_free and (bool(self._waiting) or (self._admitted >= self._limit and not is_alone))
        if waits:
            self.deferred += 1
            await self._wait(share)
        else:
            self._admitted += 1
        self._is_shared = self._is_shared or not (self._last is None or self._last is share)
        self._last = share
        self.units += 1
        return waits

    def observe_lag(self, lag: float) -> None:
        """Take note of how late sessions were woken, in seconds, and adapt the limit."""
        now = trio.current_time()
        rate = (self.units - self._units_then) * ROUND_SECONDS / max(now - self._observed, ROUND_SECONDS)
        self._units_then, self._observed = self.units, now
        self._peak = max(_PEAK_FADES * self._peak, rate)
        self._lag += _SMOOTHING * (min(lag, _LONGEST_LAG) - self._lag)
        if self._lag > LAG_SECONDS:
            self._limit = max(_SHRINK * min(self._limit, rate), _LEAST, _LEAST_OF_PEAK * self._peak)
        elif self._limit < math.inf:
            self._limit *= _GROW
            if self._limit > _UNLIMITED:
                self._limit = math.inf

    async def run(self) -> None:
        """Admit those who wait, round by round, until cancelled."""
        while True:
            if not self._waiting:
                await self._overflow.park()
            await trio.sleep_until(self._round_end)
            self._begin_round(trio.current_time())
            while self._waiting and self._admitted < self._limit:
                waiter = heapq.heappop(self._waiting)
                if waiter.task is not None:
                    self._admitted += 1
                    waiter.wake()

    def _begin_round(self, now: float) -> None:
        self._round_end = now + ROUND_SECONDS
        self._admitted = 0
        self._is_shared = bool(self._waiting)
        self._last = None

    async def _wait(self, share: Share) -> None:
        waiter = _Waiter((share.units.rank, next(self._order)))
        heapq.heappush(self._waiting, waiter)
        self._overflow.unpark()
        await waiter.wait()
