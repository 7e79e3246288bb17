"""Keep the snapshots of sessions in Redis, where any instance can claim them."""

import math
from collections.abc import Iterable
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

import trio

from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.shared.redis_store import Client, RedisStore, StoreUnavailableError

INTERVAL: Final = 2.0
"""Seconds between two writings of all changed sessions: 200 steps at speed 10; clients bring 512."""
BATCH: Final = 64
"""Sessions in one script."""

PUT: Final = """
-- KEYS: up to 64 sessions. ARGV: seconds, form, then epoch, data and owner of each.
-- Answers the numbers of those which another instance has claimed meanwhile.
local lost = {}
for i, key in ipairs(KEYS) do
  local at = 3 * i
  local held = redis.call('HGET', key, 'e')
  if held and tonumber(held) > tonumber(ARGV[at]) then lost[#lost + 1] = i
  else
    redis.call('HSET', key, 'e', ARGV[at], 'd', ARGV[at + 1], 'w', ARGV[at + 2], 'v', ARGV[2])
    redis.call('EXPIRE', key, ARGV[1])
  end
end
return lost
"""
_CLAIM: Final = """
-- KEYS: a session. ARGV: who asks, and the newest form that they read.
-- Raises the epoch, so that whoever had the session is refused from now on.
local held = redis.call('HMGET', KEYS[1], 'd', 'w', 'v')
if not held[1] or held[2] ~= ARGV[1] or tonumber(held[3]) > tonumber(ARGV[2]) then return false end
return {redis.call('HINCRBY', KEYS[1], 'e', 1), held[1]}
"""


class ShelvedSession(Protocol):
    """A session to keep: one that a connection has, or what is left of one."""

    name: str
    epoch: int
    is_lost: bool

    @property
    def owner(self) -> str:
        """The id of the token that its client logged in with, or ""."""
        ...

    @property
    def contents(self) -> dict[str, bytes]:
        """The files of the models that the snapshot names, by their SHA-256."""
        ...

    def encode(self) -> bytes | None:
        """Return the snapshot; None while there is nothing to keep."""
        ...

    def lose(self) -> None:
        """End the connection, because another instance has the session."""
        ...


class StoredSession(NamedTuple):
    """What a claim finds: the epoch, raised by it, and the snapshot."""

    epoch: int
    data: bytes


class RedisShelf:
    """Write changed sessions to Redis every `INTERVAL` seconds, and claim them from there.

    A session's task only notes that it has changed; the snapshot is made when it is written, at most once an
    interval for each, or at once where the change is `urgent`. What a client has done since then, it brings
    itself. Of the models that kept sessions play, the files are kept too, because a file in the models folder
    may be replaced.

    Bounds: one entry for each session, and at most `capacity` for sessions that no connection has any more;
    with more, while Redis is away, the oldest of those go and are counted in `given_up`.

    Attributes:
        written: snapshots written since the start.
        given_up: sessions without a connection that were not written, because too many waited.
    """

    def __init__(self, store: RedisStore, *, prefix: str, seconds: int, capacity: int, form: int) -> None:
        """`seconds` is how long a session is kept after it was written last, `form` that of snapshots."""
        self.written = 0
        self.given_up = 0
        self._store = store
        self._prefix: Final = prefix
        self._seconds: Final = seconds
        self._capacity: Final = capacity
        self._form: Final = form
        self._changed: dict[ShelvedSession, None] = {}
        self._left: dict[ShelvedSession, None] = {}  # those of them that no connection has, the oldest first
        self._urgent: dict[ShelvedSession, None] = {}
        self._weights: dict[str, float] = {}  # when each was written, on Trio's clock
        self._wake = trio.Event()

    def put(self, session: ShelvedSession, *, urgent: bool = False, is_left: bool = False) -> None:
        """Note that a session has changed; `is_left` if no connection has it any more."""
        self._changed[session] = None
        if urgent:
            self._urgent[session] = None
        if is_left:
            self._left[session] = None
            if len(self._left) > self._capacity:
                self.forget(next(iter(self._left)))
                self.given_up += 1
        if urgent or len(self._changed) == 1:
            self._wake.set()

    @property
    def waiting(self) -> int:
        """The number of sessions that have changed since they were written."""
        return len(self._changed)

    def forget(self, session: ShelvedSession) -> None:
        """Write nothing more of a session."""
        for waiting in (self._changed, self._left, self._urgent):
            waiting.pop(session, None)

    async def run(self) -> None:
        """Write until cancelled."""
        due = trio.current_time()
        while True:
            with trio.CancelScope(deadline=due if self._changed else math.inf):
                await self._wake.wait()
            self._wake = trio.Event()
            if self._changed and trio.current_time() >= due:
                is_written = await self.flush()
                due = trio.current_time() + INTERVAL
            else:
                is_written = await self._write_all(list(self._urgent))
            if not is_written:
                # Redis is away: all of it is tried again together.
                self._urgent.clear()
                due = trio.current_time() + INTERVAL

    async def flush(self) -> bool:
        """Write all sessions that have changed; return whether all were written."""
        return await self._write_all(list(self._changed))

    async def _write_all(self, sessions: list[ShelvedSession]) -> bool:
        for start in range(0, len(sessions), BATCH):
            try:
                await self._write(sessions[start : start + BATCH])
            except StoreUnavailableError:
                return False
        return True

    async def _write(self, sessions: list[ShelvedSession]) -> None:
        entries: list[tuple[ShelvedSession, bytes]] = []
        contents: dict[str, bytes] = {}
        left = [session for session in sessions if session in self._left]
        for session in sessions:
            # Before it is written: what changes meanwhile is written the next time.
            self.forget(session)
            if not session.is_lost and (data := session.encode()) is not None:
                entries.append((session, data))
                contents |= session.contents
        if not entries:
            return
        keys = [self._key(session.name) for session, _ in entries]
        arguments: list[bytes | str | int] = [self._seconds, self._form]
        for session, data in entries:
            arguments += (session.epoch, data, session.owner)
        try:
            await self._write_weights(contents)
            put = partial(_put, keys=keys, arguments=arguments)
            lost = await self._store.call(put, needs_room=True)
        except StoreUnavailableError:
            for session, _ in entries:
                self._changed.setdefault(session)
                if session in left:
                    self._left.setdefault(session)
            raise
        self.written += len(entries) - len(lost)
        for number in lost:
            entries[number - 1][0].lose()

    async def _write_weights(self, contents: dict[str, bytes]) -> None:
        """Keep the files of models as long as the sessions that play them."""
        now = trio.current_time()
        for digest, data in contents.items():
            if now - self._weights.get(digest, -math.inf) >= self._seconds / 4:
                key = self._weights_key(digest)
                await self._store.call(partial(_set, key=key, data=data, seconds=self._seconds))
                self._weights[digest] = now
        self._weights = {name: at for name, at in self._weights.items() if now - at < self._seconds}

    async def claim(self, name: str, owner: str) -> StoredSession | None:
        """Take a session over from whoever has it; None if it is not kept, or another login's.

        Raises `BadMessageError` with `store_unavailable` if Redis does not answer.
        """
        key, form = self._key(name), self._form
        try:
            found = await self._store.call(partial(_claim, key=key, owner=owner, form=form))
        except StoreUnavailableError as error:
            get_logger().info("claim_failed", reason=str(error))
            raise BadMessageError(
                ErrorCode.STORE_UNAVAILABLE,
                "The session cannot be found now, because Redis does not answer; the new one goes on.",
                command="resume_session",
            ) from error
        return found

    async def fetch_weights(self, digest: str) -> bytes | None:
        """Return a model's file by its SHA-256; None if it is not there, or Redis does not answer."""
        key = self._weights_key(digest)
        try:
            return await self._store.call(partial(_get, key=key))
        except StoreUnavailableError:
            return None

    def _key(self, name: str) -> str:
        return f"{self._prefix}:session:{name}"

    def _weights_key(self, digest: str) -> str:
        return f"{self._prefix}:weights:{digest}"


async def _put(client: Client, keys: list[str], arguments: Iterable[bytes | str | int]) -> list[int]:
    lost: Any = await client.register_script(PUT)(keys=keys, args=list(arguments))
    return [int(number) for number in lost]


async def _claim(client: Client, key: str, owner: str, form: int) -> StoredSession | None:
    found: Any = await client.register_script(_CLAIM)(keys=[key], args=[owner, form])
    if not found:
        return None
    epoch, data = found
    return StoredSession(int(epoch), bytes(data))


async def _set(client: Client, key: str, data: bytes, seconds: int) -> bool:
    return bool(await client.set(key, data, ex=seconds))


async def _get(client: Client, key: str) -> bytes | None:
    return await client.get(key)
