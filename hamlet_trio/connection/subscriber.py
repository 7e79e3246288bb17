"""One receiver of a broadcast: a bounded queue, and whether it is too slow."""

from typing import Final

import trio
from msgspec import Struct

from hamlet_trio.connection.message_queue import MessageQueue, QueueFullError
from hamlet_trio.protocol.messages import encode


class Subscriber:
    """Queue what one connection is sent, without ever waiting for it.

    Once `too_slow` is set nothing more is queued, and the connection must be closed with 1013.
    """

    def __init__(self, session_id: str, queue: MessageQueue[str]) -> None:
        self.session_id: Final = session_id
        self.queue: Final = queue
        self.too_slow: Final = trio.Event()

    def tell(self, message: Struct) -> None:
        """Queue a message for this receiver alone; never waits, never drops."""
        self.put_event(encode(message))

    def put_event(self, text: str) -> None:
        """Queue a text that must arrive; a receiver whose queue is full is too slow."""
        if self.too_slow.is_set():
            return
        try:
            self.queue.put(text)
        except QueueFullError:
            self.too_slow.set()

    def put_frame(self, text: str) -> None:
        """Queue a frame, in place of the oldest one if too many wait."""
        if not self.too_slow.is_set():
            self.queue.put_droppable(text)
