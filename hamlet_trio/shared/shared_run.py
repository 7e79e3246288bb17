"""One instance's part in the run that all instances have: it tells the run, or follows it."""

import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import msgspec
import trio

from hamlet_trio.logs import get_logger
from hamlet_trio.shared.redis_store import TIMEOUT, RedisStore, StoreUnavailableError
from hamlet_trio.shared.run_log import (
    BEAT,
    BeatResult,
    Lease,
    News,
    Portion,
    RunBoard,
    RunLog,
    SentAnswer,
    SentOrder,
    ToldEvent,
    ToldFrame,
)
from hamlet_trio.shared.run_reader import RunReader

MAX_WAITING: Final = 20_000
"""Events that wait for Redis at most; past them the oldest go, and the others are told the whole state."""
_MAX_FRAMES: Final = 8
_PORTION: Final = 1_000  # events told at once
# Seconds between two portions, each of which costs half a millisecond of processor time: at more than ten
# frames a second several come at once, and a chart may be a little late.
_PAUSE: Final = 0.1
_PAUSE_WITHOUT_FRAMES: Final = 0.2
_SNAPSHOT_EVERY: Final = 2_000  # events
_AGAIN: Final = 0.5  # seconds until what Redis refused is tried again
_ANSWER_SECONDS: Final = 5.0
_FAREWELL: Final = 2.0


class SharedRun:
    """Tell the run of this instance to the others, and pass on what they tell.

    The lease decides who tells. `begin` starts telling after `take`; `end` gives the lease back with the last
    that is told. Events wait while Redis is away, at most `MAX_WAITING`; frames do not.

    Attributes:
        takes_part: the lease is held, or was and is taken again when Redis is back.
        lag: seconds from the telling of the last event that was read until it was read.
        instances: the number of instances that are there, as far as known.
    """

    def __init__(self, store: RedisStore, url: str, *, prefix: str, port: int, lease: float) -> None:
        self.takes_part = False
        self.lag = 0.0
        self.instances = 0
        self._log: Final = RunLog(store, prefix=prefix, port=port, lease=lease)
        self._reader: Final = RunReader(url, self._log)
        self._logger = get_logger(service="shared_run")
        self._lease: Lease | None = None
        self._source = ""
        self._events: deque[ToldEvent] = deque(maxlen=MAX_WAITING)
        self._frames: deque[ToldFrame] = deque(maxlen=_MAX_FRAMES)
        self._portion: Portion | None = None
        self._portions = self._number = self._since_snapshot = self._fence = 0
        self._snapshot_due = False
        self._is_hurried = False  # the last portion had frames, or not all events that wait
        self._make_snapshot: Callable[[], bytes] = bytes
        self._is_ending = False
        self._all_told = trio.Event()
        self._wake = trio.Event()
        self._viewers = 0
        self._viewers_changed = trio.Event()
        self._orders = 0
        self._answers: dict[int, tuple[trio.Event, list[str]]] = {}

    @property
    def lease(self) -> float:
        """Seconds from the last renewal of a lease until another instance may take it."""
        return self._log.lease

    @property
    def waiting(self) -> int:
        """The number of events that wait for Redis."""
        return len(self._events) + (0 if self._portion is None else len(self._portion.events))

    # --- telling ---------------------------------------------------------------------------------------

    async def take(self) -> bool | None:
        """Take the lease; False if another instance has it, or tells what was not read yet.

        None if Redis does not answer.
        """
        if self._is_leaving:
            with trio.move_on_after(TIMEOUT):
                await self._all_told.wait()
        if self.takes_part:  # the run before is still being told
            self._is_ending = False
            if self._portion is not None:
                self._portion = self._portion._replace(is_last=False)
            return True
        if self._reader.places is None:
            return None
        try:
            lease = await self._log.take(self._fence, self._reader.places.events)
        except StoreUnavailableError:
            return None
        if lease is None:
            return False
        self._lease, self._source = lease, lease.value
        self._fence = lease.fence
        self._events.clear()
        self._frames.clear()
        self._portion = None
        self._portions = self._number = 0
        return True

    def begin(self, make_snapshot: Callable[[], bytes]) -> None:
        """Tell from now on; `make_snapshot` returns the state with all that has been told."""
        if not self.takes_part:
            self._all_told = trio.Event()
        self._make_snapshot = make_snapshot
        self._snapshot_due = True
        self.takes_part = self._reader.skips_run = True
        self._is_ending = False
        self._wake.set()

    def tell_event(self, text: str) -> None:
        """Tell a lifecycle message, if this instance tells the run; never waits."""
        if not self.takes_part or self._is_leaving:
            return
        if len(self._events) == MAX_WAITING:
            self._snapshot_due = True
        self._number += 1
        self._events.append(ToldEvent(self._source, self._number, time.time(), text))
        self._wake.set()

    def tell_frame(self, text: str) -> None:
        """Tell a frame, if this instance tells the run, in place of the oldest one if too many wait."""
        if self.takes_part and not self._is_leaving:
            self._frames.append(ToldFrame(self._source, self._number, text))
            self._wake.set()

    async def give(self) -> None:
        """Give back a lease with which nothing was begun."""
        if self.takes_part:  # the run before is still being told
            self.end()
        elif self._lease is not None:
            lease, self._lease = self._lease, None
            with suppress(StoreUnavailableError):  # then it runs out by itself
                await self._log.give(lease)

    def end(self) -> None:
        """Give the lease back with the last that is to be told."""
        self._is_ending = True
        self._wake.set()

    async def leave(self) -> None:
        """Tell what waits and give the lease back, as far as Redis allows within `_FAREWELL` seconds."""
        if self.takes_part:
            self.end()
            with trio.move_on_after(_FAREWELL, shield=True):
                await self._all_told.wait()

    async def _tell_all(self, on_lost: Callable[[], Awaitable[None]]) -> None:
        while True:
            waits = self._portion is not None or self._events or self._frames or self._snapshot_due
            if not self.takes_part or not (waits or self._is_ending):
                await self._wake.wait()
                self._wake = trio.Event()
            elif not waits:
                self._stop_telling()
                await self.give()
            elif not await self._tell_some():
                await on_lost()
            await trio.sleep(_PAUSE if self._is_hurried else _PAUSE_WITHOUT_FRAMES)

    @property
    def _is_leaving(self) -> bool:
        """Whether the last portion is being told, with which the lease is given back."""
        return self._portion is not None and self._portion.is_last

    def _stop_telling(self) -> None:
        self.takes_part = self._reader.skips_run = False
        self._all_told.set()

    async def _tell_some(self) -> bool:
        """Tell a portion, or try to; return whether the run is still this instance's to tell."""
        portion = self._portion = self._portion or self._next_portion()
        try:
            if self._lease is None:
                self._lease = await self._log.take(self._fence, "*")
                if self._lease is None:
                    self._lose()
                    return False
                self._fence = self._lease.fence
            ids = await self._log.tell(self._lease, portion)
        except StoreUnavailableError:
            self._snapshot_due = True
            await trio.sleep(_AGAIN)
            return True
        if ids is None:
            self._lease = None  # it ran out; perhaps nobody has taken it
            self._snapshot_due = True
            return True
        self._portion = None
        self._reader.told(*ids)
        if portion.is_last:
            self._lease = None  # given back
            if self._is_ending:
                self._stop_telling()
            else:  # another run began before this was known
                self._snapshot_due = True
        return True

    def _next_portion(self) -> Portion:
        events = [self._events.popleft() for _ in range(min(_PORTION, len(self._events)))]
        frames, self._frames = list(self._frames), deque(maxlen=_MAX_FRAMES)
        self._is_hurried = bool(frames or self._events)
        self._portions += 1
        self._since_snapshot += len(events)
        is_last = self._is_ending and not self._events
        snapshot = b""
        is_due = self._snapshot_due or is_last or self._since_snapshot >= _SNAPSHOT_EVERY
        if is_due and not self._events:
            snapshot = self._make_snapshot()
            self._snapshot_due, self._since_snapshot = False, 0
        last = self._events[0].number - 1 if self._events else self._number
        return Portion(self._source, self._portions, events, frames, last, snapshot, is_last)

    def _lose(self) -> None:
        self._logger.warning("run_lost", reason="Another instance has taken the run over.")
        self._stop_telling()
        self._events.clear()
        self._frames.clear()
        self._portion = None
        self._snapshot_due = False

    # --- following -------------------------------------------------------------------------------------

    def has_read(self, event: str) -> bool:
        """Return whether everything up to this event, given by its id, has been passed on."""
        return self._reader.has_read(event)

    async def board(self) -> RunBoard | None:
        """Return the newest snapshot of the run; None if there is none, or Redis does not answer."""
        try:
            return await self._log.board()
        except StoreUnavailableError:
            return None

    async def order(self, session_id: str, command: str) -> list[str] | None:
        """Have the instance that trains carry out a viewer's command; return what it answers the sender.

        None if no answer comes within `_ANSWER_SECONDS`.
        """
        self._orders += 1
        number, answered, texts = self._orders, trio.Event(), list[str]()
        self._answers[number] = answered, texts
        try:
            with trio.move_on_after(_ANSWER_SECONDS):
                await self._log.order(SentOrder(self._log.instance, number, session_id, command))
                await answered.wait()
                return texts
        except StoreUnavailableError:
            pass
        finally:
            del self._answers[number]
        return None

    async def answer(self, order: SentOrder, texts: list[str]) -> None:
        """Answer an order; without Redis its sender hears that none came."""
        with suppress(StoreUnavailableError):
            await self._log.answer(order, msgspec.json.encode(texts))

    def _answered(self, answer: SentAnswer) -> None:
        if answer.number in self._answers:
            event, texts = self._answers[answer.number]
            if not event.is_set():  # an answer may come twice
                texts += answer.texts
                event.set()

    # --- the service's life ----------------------------------------------------------------------------

    def set_viewers(self, number: int) -> None:
        """Tell the others how many viewers this instance has."""
        self._viewers = number
        self._viewers_changed.set()

    async def open(self) -> RunBoard | None:
        """Begin to follow here; return the state that was told last, if Redis answers and has one."""
        try:
            return await self._reader.begin()
        except StoreUnavailableError:
            return None

    async def told_before(self) -> list[ToldEvent]:
        """Return all events that Redis still has, oldest first; none if it does not answer."""
        try:
            return await self._reader.past_events()
        except StoreUnavailableError:
            return []

    async def run(
        self,
        on_news: Callable[[News], Awaitable[None]],
        on_beat: Callable[[BeatResult | None], Awaitable[None]],
        on_lost: Callable[[], Awaitable[None]],
    ) -> None:
        """Tell and follow until cancelled.

        `on_news` returns once the news have been dealt with; `on_beat` hears each second who trains and
        watches, or None while Redis does not answer; `on_lost` that another instance has this one's run.
        """

        async def pass_on(news: News) -> None:
            for answer in news.answers:
                self._answered(answer)
            # A read that waited when this instance began to tell still returns what it told.
            news = news._replace(
                events=[event for event in news.events if event.source != self._source],
                frames=[frame for frame in news.frames if frame.source != self._source],
            )
            if news.events:
                self.lag = max(0.0, time.time() - news.events[-1].at)
            if any((news.board, news.events, news.frames, news.orders)):
                await on_news(news)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._reader.run, pass_on)
            nursery.start_soon(self._tell_all, on_lost)
            nursery.start_soon(self._beat, on_beat)

    async def _beat(self, on_beat: Callable[[BeatResult | None], Awaitable[None]]) -> None:
        while True:
            lease = self._lease
            try:
                beat = await self._log.beat(self._viewers, lease)
            except StoreUnavailableError:
                await on_beat(None)
            else:
                self.instances = beat.instances
                if lease is not None and lease is self._lease and beat.holder != lease.value:
                    # It ran out. Whoever tells takes it again, or finds that another instance has it.
                    self._lease = None
                    self._snapshot_due = self.takes_part
                    self._wake.set()
                await on_beat(beat)
            await trio.sleep(_PAUSE)
            with trio.move_on_after(BEAT):
                await self._viewers_changed.wait()
            self._viewers_changed = trio.Event()
