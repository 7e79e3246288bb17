"""Wait for what is added to streams of Redis, over a connection of its own."""

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NoReturn

import trio
from coredis.response.types import StreamEntry

from hamlet_trio.shared.redis_store import TIMEOUT, new_client

_BLOCK: Final = 1.0  # seconds that Redis waits for news before it answers that there are none

Answer = Mapping[bytes, tuple[StreamEntry, ...]]


async def read_streams(
    url: str,
    name: str,
    streams: Callable[[], Mapping[str, str | bytes]],
    take: Callable[[Answer], Awaitable[None]],
    *,
    count: int,
) -> NoReturn:
    """Hand on what comes after the places that `streams` returns, at most `count` entries of each at once.

    A blocking command is never cancelled: it would cost a place in the pool of connections for good. The
    whole client is left instead. Raises `trio.TooSlowError` when Redis does not answer within `TIMEOUT`
    seconds, and what the client raises when the connection fails.
    """
    client = new_client(url, name, max_connections=1)
    # The scope is outermost: a client whose connection is stuck is left by cancellation.
    with trio.CancelScope() as scope:
        scope.deadline = trio.current_time() + TIMEOUT
        async with client:
            while True:
                scope.deadline = trio.current_time() + _BLOCK + TIMEOUT
                answer = await client.xread(streams(), count=count, block=round(1000 * _BLOCK))
                scope.deadline = math.inf
                if answer:
                    await take(answer)
    raise trio.TooSlowError
