"""Limit each client's rates and simultaneous connections, in bounded memory."""

import math
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from hamlet_trio.connection import TokenBucket
from hamlet_trio.logs import Logger
from hamlet_trio.web.access.addresses import limit_key

MAX_CLIENTS: Final = 10_000


class ClientRate:
    """Hold a token bucket for each client.

    Memory: at most `MAX_CLIENTS` buckets. One more evicts the least recently used; that client starts over
    with a full bucket, which an attacker can exploit only with as many addresses.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    @property
    def retry_after(self) -> str:
        """Return the whole seconds until the next one is allowed, for `Retry-After`."""
        return str(max(1, math.ceil(1 / self._rate)))

    def take(self, client: str) -> bool:
        """Take a token and return True if this client has one left."""
        return self._bucket(client).take()

    def has(self, client: str) -> bool:
        """Return whether this client has a token left."""
        return self._bucket(client).has

    def give_back(self, client: str) -> None:
        """Return a token that was taken."""
        self._bucket(client).give_back()

    def _bucket(self, client: str) -> TokenBucket:
        name = limit_key(client)
        if name not in self._buckets:
            if len(self._buckets) >= MAX_CLIENTS:
                self._buckets.popitem(last=False)
            self._buckets[name] = TokenBucket(self._rate, self._burst)
        self._buckets.move_to_end(name)
        return self._buckets[name]


class RateLimitedLog:
    """Log warnings that any client can cause: `burst` at once and `rate` per second in the long run.

    The next warning written carries, as `left_out`, how many were suppressed before it.
    """

    def __init__(self, log: Logger, rate: float, burst: int) -> None:
        self._log = log
        self._rate = rate
        self._burst = burst
        self._bucket: TokenBucket | None = None  # made at the first use, because it needs Trio's clock
        self._left_out = 0

    def warning(self, event: str, **fields: object) -> None:
        """Write a warning, or count it as left out."""
        if self._bucket is None:
            self._bucket = TokenBucket(self._rate, self._burst)
        if not self._bucket.take():
            self._left_out += 1
            return
        if self._left_out:
            fields["left_out"], self._left_out = self._left_out, 0
        self._log.warning(event, **fields)


class ClientFullError(Exception):
    """One client holds all its places; the handshake is answered with 503 and `Retry-After`."""

    def __init__(self, what: str, limit: int, setting: str) -> None:
        super().__init__(
            f"Your address already has the {limit} {what} allowed for one address ({setting}); "
            "close one, or try again in a few seconds."
        )


class ClientPlaces:
    """Count the places that each client holds. Memory: one number per connected client."""

    def __init__(self, what: str, limit: int, setting: str) -> None:
        self._what = what
        self._limit = limit
        self._setting = setting
        self._taken: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._taken)

    @contextmanager
    def admit(self, client: str) -> Iterator[None]:
        """Hold a place for one connection; raise `ClientFullError` if the client has none left."""
        name = limit_key(client)
        if self._taken[name] >= self._limit:
            raise ClientFullError(self._what, self._limit, self._setting)
        self._taken[name] += 1
        try:
            yield
        finally:
            self._taken[name] -= 1
            if not self._taken[name]:
                del self._taken[name]
