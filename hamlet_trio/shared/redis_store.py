"""The one owner of the connection to Redis: opens it, watches it, drops it and opens it anew."""

import math
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, TypeVar

import trio
from coredis import Redis
from coredis.exceptions import ConnectionError as RedisConnectionError
from coredis.exceptions import RedisError
from coredis.retry import NoRetryPolicy

from hamlet_trio.common.backoff import Backoff
from hamlet_trio.common.descriptions import reason_of
from hamlet_trio.logs import get_logger

TIMEOUT: Final = 2.0
"""Seconds that anybody waits for Redis."""
_REFUSAL: Final = 10.0  # seconds for which a refusal counts, while Redis still answers what needs no room
_MAX_WAITING: Final = 1024
_CONNECTIONS: Final = 4

Result = TypeVar("Result")
Client = Redis[bytes]


def new_client(url: str, name: str, *, max_connections: int) -> Client:
    """Return a client that repeats nothing by itself and connects within `TIMEOUT` seconds."""
    return Redis.from_url(
        url,
        # It would repeat what timed out, and three times two seconds are six.
        retry_policy=NoRetryPolicy(),
        connect_timeout=TIMEOUT,
        max_connections=max_connections,
        client_name=name,
    )


def as_text(value: object) -> str:
    """Return what Redis answered as text."""
    return value.decode() if isinstance(value, bytes) else str(value)


class StoreUnavailableError(Exception):
    """Redis did not answer in time, or refused; the message is a sentence for the log."""


class _Request(Generic[Result]):
    """An operation that somebody waits for until `deadline`, on Trio's clock."""

    def __init__(
        self, operation: Callable[[Client], Awaitable[Result]], deadline: float, needs_room: bool
    ) -> None:
        self.operation: Final = operation
        self.deadline: Final = deadline
        self.needs_room: Final = needs_room
        self.done: Final = trio.Event()
        self.results: list[Result] = []
        self.refusal: str | None = None


class RedisStore:
    """Carry out operations on Redis one after another, in a task of its own.

    No other task ever speaks to Redis: it hands its operation over and waits for at most `TIMEOUT`. So an
    answer that never comes holds nobody up, and no cancellation of a session reaches a connection. After any
    failure of the connection the client is left and a new one is opened; operations that still have time are
    carried out again, so they must be such as may be done twice.

    Bounds: `_MAX_WAITING` operations wait; more are refused at once.

    Attributes:
        is_up: whether Redis answered last.
        problem: why Redis cannot be used, as a sentence; None while it can.
    """

    def __init__(self, url: str) -> None:
        self.is_up = False
        self.problem: str | None = None
        self._url: Final = url
        self._send, self._receive = trio.open_memory_channel[_Request[Any]](_MAX_WAITING)
        self._pending: _Request[Any] | None = None
        self._refused_until = -math.inf

    async def call(
        self, operation: Callable[[Client], Awaitable[Result]], *, needs_room: bool = False
    ) -> Result:
        """Carry out an operation that may be done twice. Raises `StoreUnavailableError`.

        `needs_room`: it adds something, so that its success shows that Redis is not full.
        """
        request: _Request[Result] = _Request(operation, trio.current_time() + TIMEOUT, needs_room)
        try:
            self._send.send_nowait(request)
        except trio.WouldBlock:
            raise StoreUnavailableError("Too many operations wait for Redis.") from None
        with trio.CancelScope(deadline=request.deadline):
            await request.done.wait()
        if request.results:
            return request.results[0]
        raise StoreUnavailableError(request.refusal or f"Redis did not answer within {TIMEOUT:g} s.")

    async def run(self) -> None:
        """Serve until cancelled. A connection that fails is logged once, and again when it works."""
        backoff = Backoff(first=0.3, longest=5.0, healthy_after=5.0)
        while True:
            try:
                await self._serve()
            except* (RedisError, OSError, trio.TooSlowError, trio.BrokenResourceError, EOFError) as errors:
                self._lost(reason_of(errors) or type(errors.exceptions[0]).__name__)
            await backoff.wait()

    async def _serve(self) -> None:
        """Open a client and use it until it fails."""
        client = new_client(self._url, "hamlet", max_connections=_CONNECTIONS)
        # The scope is outermost: a client whose connection is stuck is left by cancellation.
        with trio.CancelScope() as scope:
            scope.deadline = trio.current_time() + TIMEOUT
            async with client:
                await client.ping()
                scope.deadline = math.inf
                self._found()
                while True:
                    request = self._pending or await self._receive.receive()
                    self._pending = request
                    if request.deadline > trio.current_time():
                        scope.deadline = request.deadline
                        await self._carry_out(request, client)
                        scope.deadline = math.inf
                    self._pending = None
        raise trio.TooSlowError

    async def _carry_out(self, request: _Request[Any], client: Client) -> None:
        try:
            request.results.append(await request.operation(client))
            if request.needs_room or trio.current_time() >= self._refused_until:
                self._found()
        except RedisError as error:
            if isinstance(error, RedisConnectionError):
                raise
            # Redis answers, but does not do it: out of memory, read-only, still loading.
            request.refusal = f"Redis refused: {error}"
            self._refused_until = trio.current_time() + _REFUSAL
            self._lost(request.refusal)
        request.done.set()

    def _found(self) -> None:
        if self.problem is not None:
            get_logger().info("store_found")
        self.is_up, self.problem = True, None

    def _lost(self, reason: str) -> None:
        if self.problem is None:
            get_logger().warning("store_unavailable", reason=reason)
        self.is_up, self.problem = False, f"Redis cannot be used: {reason}"
