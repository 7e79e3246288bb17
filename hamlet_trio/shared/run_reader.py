"""Read the streams of the run over a connection of its own, on which commands may block."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

import trio
from coredis.exceptions import RedisError
from coredis.response.types import StreamEntry

from hamlet_trio.common.backoff import Backoff
from hamlet_trio.common.decoding import decode_json
from hamlet_trio.common.descriptions import reason_of
from hamlet_trio.logs import get_logger
from hamlet_trio.shared.redis_store import StoreUnavailableError, as_text
from hamlet_trio.shared.run_log import (
    News,
    Places,
    RunBoard,
    RunLog,
    SentAnswer,
    SentOrder,
    ToldEvent,
    ToldFrame,
)
from hamlet_trio.shared.stream_reading import Answer, read_streams

_COUNT: Final = 500  # entries of a stream at most in one answer

OnNews = Callable[[News], Awaitable[None]]
Read = TypeVar("Read")


class RunReader:
    """Pass on what is added to the streams, from the newest snapshot of the run on.

    When Redis does not answer, another client reads on where the one before was. Memory: one answer, thus at
    most `_COUNT` entries of each stream.

    Attributes:
        places: up to where everything has been passed on; None before the first answer of Redis.
        skips_run: leave out events and frames, because this instance tells them itself.
    """

    def __init__(self, url: str, log: RunLog) -> None:
        self.places: Places | None = None
        self.skips_run = False
        self._url: Final = url
        self._log: Final = log

    def told(self, events: str, frames: str) -> None:
        """Take note of what this instance added itself."""
        assert self.places is not None, "only an instance that reads takes the lease"
        self.places = self.places._replace(events=events, frames=frames)

    def has_read(self, event: str) -> bool:
        """Return whether everything up to this event, given by its id, has been passed on."""
        return self.places is not None and _order(self.places.events) >= _order(event)

    async def run(self, on_news: OnNews) -> None:
        """Read until cancelled."""
        backoff = Backoff(first=0.3, longest=2.0, healthy_after=5.0)
        while True:
            try:
                await self._begin(on_news)
                await self._read(on_news)
            except* StoreUnavailableError:
                pass  # the store has logged it
            except* (RedisError, OSError, trio.TooSlowError, trio.BrokenResourceError, EOFError) as errors:
                reason = reason_of(errors) or type(errors.exceptions[0]).__name__
                get_logger().info("run_streams_lost", reason=reason)
            await backoff.wait()

    async def begin(self) -> RunBoard | None:
        """Begin to read after the newest snapshot, which is returned if there is one."""
        board, self.places = await self._log.start()
        return board

    async def past_events(self) -> list[ToldEvent]:
        """Return all events that Redis still has, oldest first."""
        found, place = list[ToldEvent](), "0-0"
        while entries := await self._log.events_after(place, _COUNT):
            found += map(_event, entries)
            place = _id(entries[-1])
        return found

    async def _begin(self, on_news: OnNews) -> None:
        """Begin if that is still to be done, or again with whole streams where Redis has lost its data."""
        if self.places is None:
            board = await self.begin()
            await on_news(News(board, (), (), (), ()))
        elif _order(await self._log.last_event()) < _order(self.places.events):
            self.places = Places("0-0", "0-0", "0-0", "0-0")

    async def _read(self, on_news: OnNews) -> None:
        async def take(answer: Answer) -> None:
            await self._pass_on(answer, on_news)

        await read_streams(self._url, "hamlet-run", self._streams, take, count=_COUNT)

    def _streams(self) -> dict[str, str | bytes]:
        assert self.places is not None
        log, places = self._log, self.places
        streams: dict[str, str | bytes] = {log.orders: places.orders, log.answers: places.answers}
        if not self.skips_run:
            streams |= {log.events: places.events, log.frames: places.frames}
        return streams

    async def _pass_on(self, answer: Answer, on_news: OnNews) -> None:
        found = {name.decode(): entries for name, entries in answer.items()}
        log = self._log
        events, frames, orders, answers = (
            found.get(name, ()) for name in (log.events, log.frames, log.orders, log.answers)
        )
        await on_news(
            News(
                None,
                _read_each(_event, events),
                _read_each(_frame, frames),
                _read_each(_sent_order, orders),
                _read_each(_answer, answers),
            )
        )
        assert self.places is not None
        # Not what this instance has told itself meanwhile.
        self.places = Places(
            *(
                max((place, *(_id(entry) for entry in entries[-1:])), key=_order)
                for place, entries in zip(self.places, (events, frames, orders, answers), strict=True)
            )
        )


def _order(place: str) -> tuple[int, int]:
    """Return what ids are compared by."""
    milliseconds, _, number = place.partition("-")
    return int(milliseconds), int(number)


def _id(entry: StreamEntry) -> str:
    return as_text(entry.identifier)


def _read_each(read: Callable[[StreamEntry], Read], entries: Iterable[StreamEntry]) -> list[Read]:
    """Read entries; one that cannot be read is left out, as one that Redis has lost is."""
    found: list[Read] = []
    for entry in entries:
        try:
            found.append(read(entry))
        except (KeyError, ValueError):
            get_logger().warning("unreadable_run_entry", id=_id(entry))
    return found


def _field(entry: StreamEntry, name: bytes) -> str:
    return as_text(entry.field_values[name])


def _event(entry: StreamEntry) -> ToldEvent:
    return ToldEvent(
        _field(entry, b"s"), int(_field(entry, b"n")), float(_field(entry, b"a")), _field(entry, b"t")
    )


def _frame(entry: StreamEntry) -> ToldFrame:
    return ToldFrame(_field(entry, b"s"), int(_field(entry, b"n")), _field(entry, b"t"))


def _sent_order(entry: StreamEntry) -> SentOrder:
    return SentOrder(_field(entry, b"i"), int(_field(entry, b"n")), _field(entry, b"v"), _field(entry, b"c"))


def _answer(entry: StreamEntry) -> SentAnswer:
    return SentAnswer(int(_field(entry, b"n")), decode_json(_field(entry, b"t"), list[str]))
