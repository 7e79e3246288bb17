"""What an instance has to append to the log, in a task of its own."""

from collections.abc import Awaitable, Callable

import trio

from hamlet_trio.protocol.errors import BadMessageError
from hamlet_trio.room.entries import Entry, Pointed, new_id
from hamlet_trio.room.service import CURSOR_INTERVAL

_AGAIN = 1.0  # seconds


class EntryQueue:
    """Append where members point, and entries that must not be lost, ten times a second at most.

    Nobody waits for it. Bounds: the newest place of each member; as many entries as its users have members
    and sessions, because each of those enters, is offered and ends once.
    """

    def __init__(
        self, append: Callable[[Entry], Awaitable[None]], then: Callable[[], Awaitable[None]]
    ) -> None:
        """Have `append` append an entry, and `then` called after each time; both raise `BadMessageError`."""
        self._append = append
        self._then = then
        self._pointing: dict[int, list[float] | None] = {}
        self._entries: dict[str, Entry] = {}
        self._waits = trio.Event()

    def point(self, number: int, at: list[float] | None) -> None:
        """Note where a member points."""
        self._pointing[number] = at
        self.wake()

    def put(self, entry: Entry) -> None:
        """Append an entry, once the log answers."""
        self._entries[entry.id] = entry
        self.wake()

    def forget(self, number: int) -> None:
        """Forget where a member points."""
        self._pointing.pop(number, None)

    def wake(self) -> None:
        """Begin the next turn."""
        self._waits.set()

    async def run(self) -> None:
        """Append until cancelled. Where members point may be lost, entries are not."""
        while True:
            await self._waits.wait()
            self._waits = trio.Event()
            try:
                if self._pointing:
                    pointing, self._pointing = self._pointing, {}
                    await self._append(Pointed(pointing, new_id()))
                while self._entries:
                    key, entry = next(iter(self._entries.items()))
                    await self._append(entry)
                    del self._entries[key]
                await self._then()
            except BadMessageError:
                await trio.sleep(_AGAIN)
                self.wake()
            await trio.sleep(CURSOR_INTERVAL)
