"""The run in Redis: who trains it, what happens in it, who watches, and the orders of viewers elsewhere."""

import secrets
import socket
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from coredis.response.types import StreamEntry
from coredis.tokens import PureToken

from hamlet_trio.shared.redis_store import Client, RedisStore, as_text

BEAT: Final = 1.0
"""Seconds between two renewals, and between two signs of life of an instance."""
_PRESENT: Final = 3.0  # seconds for which the viewers of an instance count after its last sign of life
_KEPT_EVENTS: Final = 20_000
_KEPT_FRAMES: Final = 64
_KEPT_ORDERS: Final = 1_000
_ANSWERS_SECONDS: Final = 60
_BOARD_SECONDS: Final = 3600
"""Seconds after which a run whose instances are all gone is left to be resumed by a person."""

Fields = dict[str | bytes, str | bytes | int | float]

_TAKE: Final = """
-- KEYS: lock, fence, events. ARGV: instance, milliseconds, least fence, id of the last event read, or "*".
-- Answers the fence; -1 if another instance holds the lock, -2 if there are events that were not read.
local held = redis.call('GET', KEYS[1])
if held then
  local own = ARGV[1] .. '#'
  if string.sub(held, 1, #own) ~= own then return -1 end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return tonumber(string.sub(held, #own + 1))
end
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)
if ARGV[4] ~= '*' and last[1] and last[1][1] ~= ARGV[4] then return -2 end
local fence = math.max(tonumber(redis.call('GET', KEYS[2]) or '0'), tonumber(ARGV[3])) + 1
redis.call('SET', KEYS[2], fence)
redis.call('SET', KEYS[1], ARGV[1] .. '#' .. fence, 'PX', ARGV[2])
return fence
"""
_GIVE: Final = """
-- KEYS: lock. ARGV: lease.
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""
_BEAT: Final = """
-- KEYS: lock, instances, board, events. ARGV: lease or "", milliseconds of it, instance, its viewers,
-- milliseconds for which they count, seconds for which the board is kept. Answers the holder, the viewers
-- at the other instances, the number of instances, 1 if Redis is full, and the id of the last event. The
-- lease is renewed first, and not lost where Redis is full.
local held = redis.call('GET', KEYS[1]) or ''
if held ~= '' and held == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('EXPIRE', KEYS[3], ARGV[6])
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local put = redis.pcall('HSET', KEYS[2], ARGV[3], string.format('%s %.0f', ARGV[4], now + tonumber(ARGV[5])))
redis.call('PEXPIRE', KEYS[2], ARGV[5])
local entries, viewers, instances = redis.call('HGETALL', KEYS[2]), 0, 0
for i = 1, #entries, 2 do
  local count, until_then = string.match(entries[i + 1], '^(%d+) (%d+)$')
  if not count or tonumber(until_then) < now then redis.call('HDEL', KEYS[2], entries[i])
  else
    instances = instances + 1
    if entries[i] ~= ARGV[3] then viewers = viewers + tonumber(count) end
  end
end
local last = redis.call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', 1)
local is_full = type(put) == 'table' and put['err'] and 1 or 0
return {held, viewers, instances, is_full, last[1] and last[1][1] or '0-0'}
"""
_TELL: Final = """
-- KEYS: lock, board, events, frames. ARGV: lease, source, number of the portion, events and frames to keep,
-- seconds to keep the board, snapshot or "", 1 to give the lease back, number of events, (number, time, text)
-- of each, number of the last event so far, (events before it, text) of each frame.
-- Answers the ids of the last event and frame; nothing if the lease is lost. A portion is told once.
local told = redis.call('HMGET', KEYS[2], 'source', 'portion', 'event', 'frame')
local event, frame = told[3] or '0-0', told[4] or '0-0'
local is_told = told[1] == ARGV[2] and tonumber(told[2]) >= tonumber(ARGV[3])
local is_last = ARGV[8] == '1'
-- Whoever has told the last portion, and heard no answer, no longer has the lease.
if redis.call('GET', KEYS[1]) ~= ARGV[1] and not (is_last and is_told) then return false end
if is_told then return {event, frame} end
local number, at = tonumber(ARGV[9]), 10
for i = 1, number do
  event = redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], '*', 's', ARGV[2], 'n', ARGV[at], 'a',
    ARGV[at + 1], 't', ARGV[at + 2])
  at = at + 3
end
if ARGV[7] ~= '' then
  redis.call('HSET', KEYS[2], 'snapshot', ARGV[7], 'number', ARGV[at], 'author', ARGV[2], 'place', event)
end
at = at + 1
while ARGV[at] do
  frame = redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[5], '*', 's', ARGV[2], 'n', ARGV[at], 't',
    ARGV[at + 1])
  at = at + 2
end
redis.call('HSET', KEYS[2], 'source', ARGV[2], 'portion', ARGV[3], 'event', event, 'frame', frame)
redis.call('EXPIRE', KEYS[2], ARGV[6])
if is_last then redis.call('DEL', KEYS[1]) end
return {event, frame}
"""


class Lease(NamedTuple):
    """The right to train and to tell; whoever has a greater `fence` had it later."""

    instance: str
    fence: int

    @property
    def value(self) -> str:
        """What the lock holds."""
        return f"{self.instance}#{self.fence}"


class ToldEvent(NamedTuple):
    """One lifecycle message of the run: the `number`-th that this `source` told, at this time."""

    source: str
    number: int
    at: float
    text: str


class ToldFrame(NamedTuple):
    """One frame, which comes after this many events of its source."""

    source: str
    after: int
    text: str


class SentOrder(NamedTuple):
    """A command of a viewer at another instance, as it came, and by which number to answer it."""

    instance: str
    number: int
    session_id: str
    command: str


class SentAnswer(NamedTuple):
    """The messages for the sender of an order alone."""

    number: int
    texts: list[str]


class RunBoard(NamedTuple):
    """The state of the run after this many events of its source, for instances that did not hear them."""

    source: str
    number: int
    snapshot: bytes


class Places(NamedTuple):
    """How far the streams have been read: an id in each."""

    events: str
    frames: str
    orders: str
    answers: str


class BeatResult(NamedTuple):
    """Who holds the lease, or "", the viewers at other instances, the number of instances.

    `is_full`: Redis answers, and takes nothing more. `last_event` is the id of the last event told so far.
    """

    holder: str
    viewers: int
    instances: int
    is_full: bool
    last_event: str


class Portion(NamedTuple):
    """What is told at once. `number` grows from one to the next; `last` is that of the last event so far.

    With one that `is_last` the lease is given back: whoever hears that a run is over can start the next one.
    """

    source: str
    number: int
    events: Sequence[ToldEvent]
    frames: Sequence[ToldFrame]
    last: int
    snapshot: bytes
    is_last: bool = False


class News(NamedTuple):
    """What has come since the last news; `board` where this instance has just begun to read."""

    board: RunBoard | None
    events: Sequence[ToldEvent]
    frames: Sequence[ToldFrame]
    orders: Sequence[SentOrder]
    answers: Sequence[SentAnswer]


class RunLog:
    """Carry out the operations on the run's keys, each of which may be done twice.

    All of them raise `StoreUnavailableError`. What is lost with Redis harms no file: a holder takes the lease
    again and tells the whole state. `lease` is the number of seconds from the last renewal of a lease until
    another instance may take it.
    """

    def __init__(self, store: RedisStore, *, prefix: str, port: int, lease: float) -> None:
        self.lease: Final = lease
        self.instance: Final = f"{socket.gethostname()}:{port}:{secrets.token_hex(4)}"
        self._store: Final = store
        self._run: Final = f"{prefix}:run"
        self.events: Final = self._key("events")
        self.frames: Final = self._key("frames")
        self.orders: Final = self._key("orders")
        self.answers: Final = self._key(f"answers:{self.instance}")

    def _key(self, name: str) -> str:
        return f"{self._run}:{name}"

    async def take(self, least: int, last_read: str) -> Lease | None:
        """Take the lease, if nobody holds it and all events have been read ("*": whatever was read).

        Its fence is above `least`, also where Redis was emptied.
        """
        keys = [self._key("lock"), self._key("fence"), self.events]
        arguments = [self.instance, _milliseconds(self.lease), least, last_read]
        fence = int(await self._script(_TAKE, keys, arguments))
        return Lease(self.instance, fence) if fence > 0 else None

    async def give(self, lease: Lease) -> None:
        """Give the lease back; no change if another instance holds it by now."""
        await self._script(_GIVE, [self._key("lock")], [lease.value])

    async def beat(self, viewers: int, lease: Lease | None) -> BeatResult:
        """Renew the lease, if there is one, and tell how many viewers this instance has."""
        keys = [self._key("lock"), self._key("instances"), self._key("board"), self.events]
        own = "" if lease is None else lease.value
        arguments = [
            own,
            _milliseconds(self.lease),
            self.instance,
            viewers,
            _milliseconds(_PRESENT),
            _BOARD_SECONDS,
        ]
        holder, others, instances, is_full, last = await self._script(_BEAT, keys, arguments)
        return BeatResult(as_text(holder), int(others), int(instances), bool(is_full), as_text(last))

    async def tell(self, lease: Lease, portion: Portion) -> tuple[str, str] | None:
        """Append events and frames; return the ids of the last ones, None if the lease is lost."""
        keys = [self._key("lock"), self._key("board"), self.events, self.frames]
        arguments: list[bytes | str | int | float] = [lease.value, portion.source, portion.number]
        arguments += [_KEPT_EVENTS, _KEPT_FRAMES, _BOARD_SECONDS, portion.snapshot]
        arguments += [int(portion.is_last), len(portion.events)]
        for event in portion.events:
            arguments += [event.number, event.at, event.text]
        arguments.append(portion.last)
        for frame in portion.frames:
            arguments += [frame.after, frame.text]
        ids = await self._script(_TELL, keys, arguments, needs_room=True)
        return (as_text(ids[0]), as_text(ids[1])) if ids else None

    async def board(self) -> RunBoard | None:
        """Return the newest snapshot of the run, if there is one."""
        board, _ = await self._store.call(self._fetch_board)
        return board

    async def start(self) -> tuple[RunBoard | None, Places]:
        """Return the newest snapshot, and the places in the streams from which to read on."""
        return await self._store.call(self._start)

    async def order(self, order: SentOrder) -> None:
        """Send an order to the holder."""
        fields: Fields = {"i": order.instance, "n": order.number, "v": order.session_id, "c": order.command}
        await self._store.call(partial(_append, key=self.orders, fields=fields))

    async def answer(self, order: SentOrder, texts: bytes) -> None:
        """Answer an order with a JSON list of messages."""
        key = self._key(f"answers:{order.instance}")
        fields: Fields = {"n": order.number, "t": texts}
        await self._store.call(partial(_append, key=key, fields=fields, seconds=_ANSWERS_SECONDS))

    async def _script(
        self, script: str, keys: list[str], arguments: Sequence[Any], *, needs_room: bool = False
    ) -> Any:
        operation = partial(_run_script, script=script, keys=keys, arguments=arguments)
        return await self._store.call(operation, needs_room=needs_room)

    async def _fetch_board(self, client: Client) -> tuple[RunBoard | None, str]:
        names = ["author", "number", "snapshot", "place"]
        source, number, snapshot, place = await client.hmget(self._key("board"), names)
        if source is None or number is None or snapshot is None or place is None:
            return None, "0-0"
        return RunBoard(as_text(source), int(number), bytes(snapshot)), as_text(place)

    async def _start(self, client: Client) -> tuple[RunBoard | None, Places]:
        board, events = await self._fetch_board(client)
        if board is None:
            events = await _last_id(client, self.events)
        frames, orders = await _last_id(client, self.frames), await _last_id(client, self.orders)
        return board, Places(events, frames, orders, "0-0")

    async def events_after(self, place: str, count: int) -> tuple[StreamEntry, ...]:
        """Return the first events after an id that Redis still has, at most so many."""
        return await self._store.call(partial(_entries_after, key=self.events, place=place, count=count))

    async def last_event(self) -> str:
        """Return the id of the last event."""
        return await self._store.call(partial(_last_id, key=self.events))


async def _run_script(client: Client, script: str, keys: list[str], arguments: Sequence[Any]) -> Any:
    return await client.register_script(script)(keys=keys, args=list(arguments))


async def _last_id(client: Client, key: str) -> str:
    entries = await client.xrevrange(key, count=1)
    return as_text(entries[0].identifier) if entries else "0-0"


async def _entries_after(client: Client, key: str, place: str, count: int) -> tuple[StreamEntry, ...]:
    return await client.xrange(key, start=f"({place}", end="+", count=count)


async def _append(client: Client, key: str, fields: Fields, seconds: int | None = None) -> bool:
    await client.xadd(key, field_values=fields, trim_strategy=PureToken.MAXLEN, threshold=_KEPT_ORDERS)
    return seconds is None or bool(await client.expire(key, seconds))


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)
