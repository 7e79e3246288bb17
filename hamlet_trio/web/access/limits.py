"""Limits for each client: how often, and how many at once, in memory that is bounded."""

import math
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from hamlet_trio.connection import TokenBucket
from hamlet_trio.logs import Logger
from hamlet_trio.web.access.addresses import counted_as

MAX_CLIENTS: Final = 10_000


class ClientRate:
    """A token bucket for each client.

    Memory: at most `MAX_CLIENTS` buckets. When one more is needed, that of the client which was seen least
    recently is dropped, and it begins anew with a full one: an attacker would need as many addresses.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    @property
    def retry_after(self) -> str:
        """Seconds until one is allowed again, as `Retry-After` wants them: whole ones."""
        return str(max(1, math.ceil(1 / self._rate)))

    def take(self, client: str) -> bool:
        """Take one, if this client has one left."""
        return self._bucket(client).take()

    def has(self, client: str) -> bool:
        """Whether this client has one left."""
        return self._bucket(client).has

    def give_back(self, client: str) -> None:
        """Undo a take."""
        self._bucket(client).give_back()

    def _bucket(self, client: str) -> TokenBucket:
        name = counted_as(client)
        if name not in self._buckets:
            if len(self._buckets) >= MAX_CLIENTS:
                self._buckets.popitem(last=False)
            self._buckets[name] = TokenBucket(self._rate, self._burst)
        self._buckets.move_to_end(name)
        return self._buckets[name]


class SparingLog:
    """Warnings that anybody can cause: `burst` at once and `rate` a second in the long run are written.

    The next one that is tells, as `left_out`, how many were not since the one before.
    """

    def __init__(self, log: Logger, rate: float, burst: int) -> None:
        self._log = log
        self._rate = rate
        self._burst = burst
        self._bucket: TokenBucket | None = None  # made with the first use, for it asks Trio's clock
        self._left_out = 0

    def warning(self, event: str, **fields: object) -> None:
        """Write a warning, or count it."""
        if self._bucket is None:
            self._bucket = TokenBucket(self._rate, self._burst)
        if not self._bucket.take():
            self._left_out += 1
            return
        if self._left_out:
            fields["left_out"], self._left_out = self._left_out, 0
        self._log.warning(event, **fields)


class ClientFullError(Exception):
    """One client has all the places it may have; the handshake is answered with 503 and `Retry-After`."""

    def __init__(self, what: str, limit: int, setting: str) -> None:
        super().__init__(
            f"Your address has all {limit} {what} that one address may have ({setting}); "
            "close one, or try again in a few seconds."
        )


class ClientPlaces:
    """Places for connections of one kind, counted for each client. Memory: one number a connected client."""

    def __init__(self, what: str, limit: int, setting: str) -> None:
        self._what = what
        self._limit = limit
        self._setting = setting
        self._taken: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._taken)

    @contextmanager
    def admit(self, client: str) -> Iterator[None]:
        """Hold a place for one connection; raises `ClientFullError` when the client has as many as it may."""
        name = counted_as(client)
        if self._taken[name] >= self._limit:
            raise ClientFullError(self._what, self._limit, self._setting)
        self._taken[name] += 1
        try:
            yield
        finally:
            self._taken[name] -= 1
            if not self._taken[name]:
                del self._taken[name]
