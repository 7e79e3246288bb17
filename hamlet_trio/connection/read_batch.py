"""Read several connections together, so that a stream of small messages does not wake a task for each."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

import trio

ReadNow: TypeAlias = Callable[[], bool]
"""Read what has arrived on one connection without waiting; return whether to go on reading it together."""


class ReadBatch:
    """Hold the connections that wait to be read together, by `read`.

    A connection comes here once it has handed all its input to a function that neither waits nor raises, and
    leaves as soon as a turn finds nothing on it, or something for its own task. So its messages keep their
    order, and one that is silent costs nothing. What arrives waits in the kernel for the next turn.

    Memory: one event for each connection that is here.
    """

    def __init__(self) -> None:
        self._members: Final[dict[ReadNow, trio.Event]] = {}
        self._has_turns = False

    async def join(self, read_now: ReadNow) -> None:
        """Leave a connection's input to `read` until `read_now` returns False, or no more turns come."""
        if not self._has_turns:
            await trio.lowlevel.checkpoint()
            return
        left = self._members[read_now] = trio.Event()
        try:
            await left.wait()
        finally:
            self._members.pop(read_now, None)

    def read(self) -> None:
        """Read each connection that is here once, without waiting."""
        for read_now, left in list(self._members.items()):
            if not read_now():
                # At once: another turn may come before its task runs.
                del self._members[read_now]
                left.set()

    @contextmanager
    def taking_turns(self) -> Iterator[None]:
        """Have connections read together within the context, whose owner calls `read` again and again.

        Outside of it each is read by its own task.
        """
        self._has_turns = True
        try:
            yield
        finally:
            self._has_turns = False
            for left in self._members.values():
                left.set()

    def __len__(self) -> int:
        """Return how many connections are here."""
        return len(self._members)
