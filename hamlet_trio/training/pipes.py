"""The trainer's ends of its two pipes, each served by a thread so that the learner never waits for one."""

import os
import queue
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Struct

from hamlet_trio.protocol.messages import TrainingMessage, encode_bytes
from hamlet_trio.training.link import LinkError, MessageKind, PipeReader, pack
from hamlet_trio.training.orders import EpisodeReport, Order, decode_order, encode_control

MAX_ORDERS: Final = 64
MAX_FRAMES: Final = 32
MAX_EVENTS: Final = 4096


def take_over_pipes() -> tuple[int, int]:
    """Reserve standard input and output for messages; returns descriptors to read from and to write to.

    Other code that reads standard input finds it empty, and other output, of Python or of libraries, goes to
    standard error.
    """
    orders, messages = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return orders, messages


def complain(text: str) -> None:
    """Write a line to standard error, for the server's log; a server that is gone is no error."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


class OrderReader:
    """Read the supervisor's orders in a thread.

    When `MAX_ORDERS` wait, the thread stops reading and further ones wait in the pipe. The end of the pipe,
    or anything on it that is not an order, means that the supervisor is gone: every further order is `None`.
    """

    def __init__(self, descriptor: int) -> None:
        self._reader = PipeReader(descriptor)
        self._orders: queue.Queue[Order | None] = queue.Queue(MAX_ORDERS)
        self._ended = False
        threading.Thread(target=self._read, name="orders", daemon=True).start()

    def _read(self) -> None:
        try:
            while (message := self._reader.receive()) is not None:
                self._orders.put(decode_order(message.payload))
        except (LinkError, msgspec.DecodeError, OSError) as error:
            complain(f"the orders broke off: {error}")
        self._orders.put(None)

    def get(self, deadline: float | None = None) -> Order | None:
        """Return the next order, waiting for it at most until `time.monotonic()` reaches the deadline.

        Raises `TimeoutError` at the deadline, and at once if it has passed and no order waits.
        """
        if self._ended:
            return None
        try:
            if deadline is None:
                order = self._orders.get()
            else:
                left = deadline - time.monotonic()
                order = self._orders.get(timeout=left) if left > 0 else self._orders.get_nowait()
        except queue.Empty:
            raise TimeoutError from None
        self._ended = order is None
        return order

    def has_order(self) -> bool:
        """Return whether `get` would return at once."""
        return self._ended or not self._orders.empty()


class MessageWriter:
    """Write the trainer's messages in a thread, in order.

    When `MAX_FRAMES` frames wait, a new one replaces the oldest; an episode of a showcase replaces one that
    waits. When `MAX_EVENTS` other messages wait, as
    when the server was stopped for thousands of episodes, the learner waits too. Once the server is gone,
    messages are discarded. `MessageQueue` of the server does the same for Trio's tasks; this process has
    threads instead, as the learner must not yield to an event loop.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._events: deque[tuple[int, bytes]] = deque()
        self._frames: deque[tuple[int, bytes]] = deque(maxlen=MAX_FRAMES)
        self._episode: deque[tuple[int, bytes]] = deque(maxlen=1)
        self._count = 0
        self._closing = False
        self._broken = False
        self._thread = threading.Thread(target=self._write, name="messages", daemon=True)
        self._thread.start()

    def report(self, report: Struct) -> None:
        """Send a message that only the supervisor reads."""
        self._put_event(pack(MessageKind.CONTROL, encode_control(report)))

    def announce(self, message: TrainingMessage) -> None:
        """Send a message that every viewer must get."""
        self._put_event(pack(MessageKind.EVENT, encode_bytes(message)))

    def show(self, frame: TrainingMessage) -> None:
        """Send a frame, which may be dropped."""
        self._put_droppable(self._frames, pack(MessageKind.FRAME, encode_bytes(frame)))

    def offer(self, episode: EpisodeReport) -> None:
        """Send an episode of a showcase, unless a later one follows before it was sent."""
        self._put_droppable(self._episode, pack(MessageKind.CONTROL, encode_control(episode)))

    def close(self) -> None:
        """Write what waits unless the server is gone, then end the thread and close the pipe."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        os.close(self._descriptor)

    def _put_droppable(self, waiting: deque[tuple[int, bytes]], packed: bytes) -> None:
        with self._changed:
            self._count += 1
            waiting.append((self._count, packed))
            self._changed.notify_all()

    def _put_event(self, packed: bytes) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._events) < MAX_EVENTS or self._broken)
            if self._broken:
                return
            self._count += 1
            self._events.append((self._count, packed))
            self._changed.notify_all()

    def _write(self) -> None:
        try:
            while (packed := self._next()) is not None:
                written = 0
                while written < len(packed):
                    written += os.write(self._descriptor, memoryview(packed)[written:])
        except OSError as error:
            complain(f"nobody reads the trainer's messages: {error.strerror}")
        with self._changed:
            self._broken = True
            self._changed.notify_all()

    def _next(self) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting() or self._closing)
            if not (waiting := self._waiting()):
                return None
            packed = min(waiting, key=lambda messages: messages[0][0]).popleft()[1]
            self._changed.notify_all()
            return packed

    def _waiting(self) -> list[deque[tuple[int, bytes]]]:
        return [messages for messages in (self._events, self._frames, self._episode) if messages]
