"""Track the connections that were opened with a token or a login, and end them with it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import trio

from hamlet_trio.web.access.tokens import Tokens


class TokenConnections:
    """Hold the open connections of each token. Memory: one entry for each connection."""

    def __init__(self) -> None:
        self._held: dict[trio.CancelScope, tuple[str, datetime | None]] = {}

    def __len__(self) -> int:
        return len(self._held)

    @contextmanager
    def hold(self, token_id: str, tokens: Tokens, ends: datetime | None = None) -> Iterator[trio.CancelScope]:
        """Yield a scope around one connection, cancelled when its token or, at `ends`, its login ends."""
        with trio.CancelScope() as scope:
            self._held[scope] = token_id, ends
            _limit(scope, token_id, ends, tokens)
            try:
                yield scope
            finally:
                del self._held[scope]

    def apply(self, tokens: Tokens) -> None:
        """End the connections whose token is gone, and set the deadlines of the others by the wall clock."""
        for scope, (token_id, ends) in self._held.items():
            _limit(scope, token_id, ends, tokens)


def _limit(scope: trio.CancelScope, token_id: str, ends: datetime | None, tokens: Tokens) -> None:
    token = tokens.by_id(token_id)
    if token is None:
        scope.cancel()
        return
    ends = min((end for end in (ends, token.expires) if end is not None), default=None)
    left = math.inf if ends is None else (ends - datetime.now(UTC)).total_seconds()
    scope.deadline = trio.current_time() + left
