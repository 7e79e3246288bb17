"""Wait longer after each failure in a row."""

from typing import Final

import trio


class Backoff:
    """Wait between attempts: `first` seconds, then twice as long each time, up to `longest`.

    An attempt that lasted `healthy_after` seconds starts over with `first`, as does `reset`.
    """

    def __init__(self, first: float = 0.5, longest: float = 30.0, healthy_after: float = 60.0) -> None:
        self._first: Final = first
        self._longest: Final = longest
        self._healthy_after: Final = healthy_after
        self._next = first
        self._attempted_at: float | None = None

    def reset(self) -> None:
        """Start over with the first wait."""
        self._next = self._first

    async def wait(self) -> None:
        """Wait until the next attempt should begin."""
        now = trio.current_time()
        if self._attempted_at is not None and now - self._attempted_at >= self._healthy_after:
            self.reset()
        await trio.sleep(self._next)
        self._next = min(2 * self._next, self._longest)
        self._attempted_at = trio.current_time()
