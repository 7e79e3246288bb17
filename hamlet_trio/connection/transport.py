"""A WebSocket as sessions see it, so that they know nothing of Quart and tests need no socket."""

from collections.abc import Callable
from typing import Protocol

from hamlet_trio.connection.read_batch import ReadBatch


class Transport(Protocol):
    """One accepted connection.

    A disconnect is not an exception: the connection's whole nursery is cancelled, and only while some task
    waits in `receive`, so one always must.
    """

    async def receive(self) -> str | bytes | None:
        """Return the next frame: text as `str`, binary as `bytes`, or `None` for an empty binary one."""
        ...

    async def send(self, text: str) -> None:
        """Send one text frame; called by one task at a time, and always a checkpoint."""
        ...

    def send_nowait(self, text: str) -> bool:
        """Send one text frame if that needs no waiting and no `send` is under way; return whether it did."""
        ...

    def take_with(self, take: Callable[[str], bool], batch: ReadBatch) -> None:
        """Offer a function texts before `receive` returns them, where the connection can do that.

        It is offered a text only while nothing that came before is under way to `receive`'s caller or at work
        there, and returns whether it took it. It must neither wait nor raise. While it takes all that comes,
        the connection is read with others of the `batch`.
        """
        ...


class NoRoomError(Exception):
    """There is no room for one more; the handshake is answered with 503 and `Retry-After`.

    `retry_after` is in seconds.
    """

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ServerFullError(NoRoomError):
    """No session or viewer slot is free."""

    def __init__(self, what: str, limit: int, setting: str) -> None:
        super().__init__(f"All {limit} {what} are in use ({setting}); try again in a few seconds.", 5)


class OverloadedError(NoRoomError):
    """The sessions that there are take nearly all of the server's time, a share of `load`."""

    def __init__(self, load: float, setting: str, retry_after: int) -> None:
        super().__init__(
            f"The sessions need {load:.0%} of the server's time; one more would make all of them late "
            f"({setting}). Try again in {retry_after} seconds.",
            retry_after,
        )
