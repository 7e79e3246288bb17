"""Track the connections that were opened with a token, and end them with it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import trio

from hamlet_trio.web.access.tokens import Tokens


class TokenConnections:
    """Hold the open connections of each token. Memory: one entry for each connection."""

    def __init__(self) -> None:
        self._held: dict[trio.CancelScope, str] = {}

    def __len__(self) -> int:
        return len(self._held)

    @contextmanager
    def hold(self, token_id: str, tokens: Tokens) -> Iterator[trio.CancelScope]:
        """Yield a scope around one connection that is cancelled when its token expires or is revoked."""
        with trio.CancelScope() as scope:
            self._held[scope] = token_id
            _limit(scope, token_id, tokens)
            try:
                yield scope
            finally:
                del self._held[scope]

    def apply(self, tokens: Tokens) -> None:
        """End connections whose token is gone; the others end when their token expires."""
        for scope, token_id in self._held.items():
            _limit(scope, token_id, tokens)


def _limit(scope: trio.CancelScope, token_id: str, tokens: Tokens) -> None:
    token = tokens.by_id(token_id)
    if token is None:
        scope.cancel()
    elif token.expires is None:
        scope.deadline = math.inf
    else:
        scope.deadline = trio.current_time() + (token.expires - datetime.now(UTC)).total_seconds()
