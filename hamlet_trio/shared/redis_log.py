"""One ordered log for all instances in Redis: what one appends, each reads, itself included, in one order."""

import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeVar

import trio
from coredis.exceptions import RedisError
from coredis.tokens import PureToken

from hamlet_trio.common.descriptions import reason_of
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.shared.redis_store import TIMEOUT, Client, RedisStore, StoreUnavailableError
from hamlet_trio.shared.stream_reading import Answer, read_streams

ALIVE: Final = 3
"""Seconds after which an instance that gives no sign is gone."""
_KEPT: Final = 4096
_LASTS: Final = 86_400  # seconds after the last instance
_COUNT: Final = 256
_KEPT_SENT: Final = 16
"""Portions that wait for an instance to read them: less than two seconds of frames."""
_SENT_LASTS: Final = 60  # seconds

_GIVE_SIGN: Final = """
-- KEYS: sign of the instance, then what all keep. ARGV: seconds of the sign, seconds of the others.
-- Answers whether there was a sign.
for i = 2, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[2]) end
if redis.call('EXPIRE', KEYS[1], ARGV[1]) == 1 then return 1 end
redis.call('SET', KEYS[1], '1', 'EX', ARGV[1])
return 0
"""

Result = TypeVar("Result")


class RedisLog:
    """Append to the log and read it; it keeps about the newest 4,096 entries, for a day at most without use.

    What one instance sends to another is a stream of that one, of the newest 16 portions.

    Appending goes over the store's connection, reading over one of its own, because it waits for entries.
    Every method raises `BadMessageError` with `store_unavailable` when Redis does not answer.
    """

    def __init__(self, store: RedisStore, url: str, prefix: str) -> None:
        self.instance = secrets.token_hex(8)
        self._store = store
        self._url: Final = url
        self._log: Final = f"{prefix}:rooms:log"
        self._state: Final = f"{prefix}:rooms:state"
        self._signs: Final = f"{prefix}:rooms:alive:"
        self._sent: Final = f"{prefix}:rooms:frames:"
        self._sent_position = b"0"

    def renew(self) -> None:
        """Take a new name: the others have declared the one before gone, or will."""
        self.instance, self._sent_position = secrets.token_hex(8), b"0"

    async def append(self, entry: bytes) -> None:
        """Append an entry, perhaps twice."""
        await self._call(partial(_append, key=self._log, entry=entry))

    async def save(self, position: bytes, state: bytes) -> None:
        """Keep the state after the entry at a position, for instances that begin later."""
        await self._call(partial(_save, key=self._state, data=position + b" " + state))

    async def load(self) -> tuple[bytes, bytes | None]:
        """Return a position and the state there; 0 and None at first."""
        found = await self._call(partial(_load, key=self._state))
        if found is None:
            return b"0", None
        position, _, state = found.partition(b" ")
        return position, state

    async def holds(self, position: bytes) -> bool:
        """Return whether the log still has everything after a position."""
        first = await self._call(partial(_first, key=self._log))
        return first is not None and _order(first) <= _order(position)

    async def read(
        self, position: bytes, take: Callable[[bytes, bytes], None], take_sent: Callable[[bytes], None]
    ) -> None:
        """Hand on each entry after a position, with its own position, and what is sent here, until Redis
        does not answer.
        """
        reason: str | None = f"no answer within {TIMEOUT:g} s"
        sent = self._sent + self.instance

        def streams() -> dict[str, str | bytes]:
            return {self._log: position, sent: self._sent_position}

        async def pass_on(answer: Answer) -> None:
            nonlocal position
            # All bytes, which the client's types leave open.
            entries: Any = answer.get(self._log.encode(), ())
            for entry in entries:
                position = entry.identifier
                take(position, entry.field_values[b"e"])
            entries = answer.get(sent.encode(), ())
            for entry in entries:
                self._sent_position = entry.identifier
                take_sent(entry.field_values[b"e"])

        try:
            await read_streams(self._url, "hamlet-rooms", streams, pass_on, count=_COUNT)
        except* trio.TooSlowError:
            pass
        except* (RedisError, OSError, trio.BrokenResourceError, EOFError) as errors:
            reason = reason_of(errors)
        raise _unavailable(reason or "the connection failed")

    async def send(self, instance: str, data: bytes) -> None:
        """Send something to one instance, perhaps twice, outside the log."""
        await self._call(partial(_send, key=self._sent + instance, data=data))

    async def give_sign(self) -> bool:
        """Give a sign of life; return False if this instance had given none for too long, or never."""
        keys = [self._signs + self.instance, self._log, self._state]
        return await self._call(partial(_give_sign, keys=keys))

    async def missing(self, instances: set[str]) -> set[str]:
        """Return those of these instances that give no sign."""
        names = sorted(instances - {self.instance})
        if not names:
            return set()
        signs = await self._call(partial(_find_signs, keys=[self._signs + name for name in names]))
        return {name for name, sign in zip(names, signs, strict=True) if sign is None}

    async def _call(self, operation: Callable[[Client], Awaitable[Result]]) -> Result:
        try:
            return await self._store.call(operation)
        except StoreUnavailableError as error:
            raise _unavailable(str(error)) from error


def _unavailable(reason: str) -> BadMessageError:
    return BadMessageError(
        ErrorCode.STORE_UNAVAILABLE, f"Rooms wait for Redis, and nothing was changed: {reason}"
    )


async def _append(client: Client, key: str, entry: bytes) -> None:
    await client.xadd(
        key,
        field_values={"e": entry},
        trim_strategy=PureToken.MAXLEN,
        threshold=_KEPT,
        trim_operator=PureToken.APPROXIMATELY,
    )


async def _send(client: Client, key: str, data: bytes) -> None:
    await client.xadd(key, field_values={"e": data}, trim_strategy=PureToken.MAXLEN, threshold=_KEPT_SENT)
    await client.expire(key, _SENT_LASTS)


async def _first(client: Client, key: str) -> bytes | None:
    entries: Any = await client.xrange(key, count=1)
    return entries[0].identifier if entries else None


def _order(position: bytes) -> tuple[int, ...]:
    """Return what positions are compared by."""
    return tuple(int(part) for part in position.split(b"-"))


async def _save(client: Client, key: str, data: bytes) -> bool:
    return bool(await client.set(key, data))


async def _load(client: Client, key: str) -> bytes | None:
    return await client.get(key)


async def _give_sign(client: Client, keys: list[str]) -> bool:
    known: Any = await client.register_script(_GIVE_SIGN)(keys=keys, args=[ALIVE, _LASTS])
    return bool(known)


async def _find_signs(client: Client, keys: list[str]) -> list[Any]:
    return list(await client.mget(keys))
