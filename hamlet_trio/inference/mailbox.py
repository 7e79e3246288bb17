"""What waits for a session's playhead."""

from typing import Generic, TypeVar

import trio

Mail = TypeVar("Mail")


class Mailbox(Generic[Mail]):
    """An ordered queue of `limit` pieces of mail, with one taker.

    When it is full, a command is not queued but counted, so that the reader never waits: the taker answers it
    with an error once it gets round to it. Mail that must not be lost waits for room instead.
    """

    def __init__(self, limit: int) -> None:
        self._send, self._receive = trio.open_memory_channel[Mail](limit)
        self._surplus = 0

    def put(self, mail: Mail) -> None:
        """Queue a command, or count it where there is no room."""
        try:
            self._send.send_nowait(mail)
        except trio.WouldBlock:
            self._surplus += 1

    async def put_when_room(self, mail: Mail) -> None:
        """Queue mail that must not be lost; waits for room."""
        await self._send.send(mail)

    async def get(self, deadline: float) -> Mail | None:
        """The next mail, or None once it is `deadline` and there is none. Not always a checkpoint."""
        try:
            # First without waiting: a session that lags behind its deadlines must still hear its client.
            return self._receive.receive_nowait()
        except trio.WouldBlock:
            pass
        if deadline > trio.current_time():
            with trio.move_on_at(deadline):
                return await self._receive.receive()
        return None

    def take_surplus(self) -> int:
        """How many commands found no room since the last call."""
        surplus, self._surplus = self._surplus, 0
        return surplus
