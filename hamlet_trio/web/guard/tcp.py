"""Contain the errors, stalls and silences of one TCP connection."""

import os
import socket
from typing import Final

import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData
from hypercorn.trio.tcp_server import MAX_RECV, TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, LifespanState

from hamlet_trio.logs import get_logger
from hamlet_trio.web.guard.guarded_config import ConnectionEnded, DirectPath, InputTaker, guarded

LINGER: Final = 1.0  # seconds for which an ended connection still discards input
_SEND_SIZE: Final = 2**16  # bytes that must leave within one `send_timeout`


class GuardedTCPServer(TCPServer):
    """Serve one accepted connection, and let nothing that happens on it escape.

    Error handling: an exception in Hypercorn's code or beneath it is logged and ends this connection only;
    otherwise it would end the process. Only cancellation passes.

    Sends are shielded from cancellation (a frame must not be cut in half) and have a deadline instead: a
    client that takes nothing for `send_timeout` seconds is dropped. The kernel notices a vanished peer after
    `half_open_timeout` seconds, whether or not anything is being sent.

    Ending: after the last answer the server closes its half and discards input for `LINGER` seconds. Closing
    at once would reset a connection with unread input, and the reset destroys the answer, such as a close
    frame with its reason, before the client has read it.
    """

    def __init__(
        self,
        app: AppWrapper,
        config: Config,
        context: WorkerContext,
        state: LifespanState,
        stream: "trio.SSLStream[trio.SocketStream]",
    ) -> None:
        super().__init__(app, config, context, state, stream)
        self._limits = guarded(config).limits
        self._counts = guarded(config).counts
        self._reading = trio.CancelScope()
        self._ending = False
        self._plain_socket = _plain_socket(stream)
        self._rest = b""  # accepted by `write_nowait` but not yet by the kernel
        self._taker: InputTaker | None = None
        self._left = b""  # read with others, and for the protocol

    async def run(self) -> None:
        """Serve the connection until it ends; raise nothing but cancellation."""
        self._counts.opened += 1
        try:
            detect_dead_peer(_socket(self.stream), self._limits.half_open_timeout)
            await super().run()
        except* OSError as errors:  # such as a peer that left before the connection was set up
            get_logger().debug("connection_broken", exc_info=errors)
        except* Exception as errors:
            self._counts.failed += 1
            get_logger().error("connection_failed", exc_info=errors)
        finally:
            self._counts.closed += 1
            get_logger().debug("connection_closed")

    async def protocol_send(self, event: Event) -> None:
        """Send bytes, or end the connection."""
        if isinstance(event, RawData):
            if not await self._send(event.data):
                await self.protocol.handle(Closed())
        elif isinstance(event, Closed):
            await self._end()
        elif isinstance(event, DirectPath):
            event.write_nowait = self.write_nowait
            self._taker = event.taker
        else:
            await super().protocol_send(event)

    def write_nowait(self, data: bytes) -> bool:
        """Send bytes if the kernel has room and nothing else is being sent; return whether they were taken.

        If the kernel takes only a part, the rest follows before anything sent later.
        """
        if self._plain_socket is None or self._is_sending:
            return False
        try:
            sent = os.write(self._plain_socket.fileno(), data)
        except OSError:  # no room, or a broken connection, which the waiting send will notice
            return False
        if sent < len(data):
            self._rest = data[sent:]
            self._task_group.spawn(self.protocol_send, RawData(b""))
        return True

    @property
    def _is_sending(self) -> bool:
        return bool(self._rest) or self.send_lock.locked()

    async def _send(self, data: bytes) -> bool:
        """Send bytes and return whether the kernel took all of them in time; a checkpoint."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._plain_socket is not None and not self._is_sending:
            # The kernel mostly has room; then a lock, a deadline and Trio's layers cost more than the write.
            # Nothing is awaited before the lock is taken, so no other bytes can come in between.
            try:
                sent = os.write(self._plain_socket.fileno(), data)
            except BlockingIOError:
                sent = 0
            except OSError:
                sent = -1
            if sent in (len(data), -1):
                await trio.lowlevel.cancel_shielded_checkpoint()
                return sent >= 0
            data = data[sent:]
            self.send_lock.acquire_nowait()
        else:
            await self.send_lock.acquire()
        try:
            rest, self._rest = self._rest, b""
            return await self._send_with_deadline(rest + data)
        finally:
            self.send_lock.release()

    async def _send_with_deadline(self, data: bytes) -> bool:
        for start in range(0, len(data), _SEND_SIZE):
            with trio.move_on_after(self._limits.send_timeout, shield=True) as patience:
                try:
                    await self.stream.send_all(data[start : start + _SEND_SIZE])
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    return False
            if patience.cancelled_caught:
                self._counts.stalled += 1
                get_logger().info("client_stalled", seconds=self._limits.send_timeout)
                await trio.aclose_forcefully(self.stream)
                return False
        return True

    async def _read_data(self) -> None:
        """Give the protocol what arrives until either side ends, then discard for a moment."""
        with self._reading:
            try:
                while not self._ending:
                    data = await self._receive_untaken()
                    if not self._ending:
                        await self.protocol.handle(RawData(data))
                    if not data:
                        break
            except ConnectionEnded:
                await self._end()
            while self._ending and await self._receive():
                pass
        await self.idle_task.stop()
        await self.protocol.handle(Closed())

    async def _receive_untaken(self) -> bytes:
        """Return what has arrived and nobody took, or nothing once the connection has ended; a checkpoint."""
        while not self._ending and (data := await self._receive()):
            if self._taker is None:
                return data
            rest = self._taker.take_nowait(data)
            if not rest and self._plain_socket is not None and self._taker.batch is not None:
                await self._taker.batch.join(self._read_now)
                rest, self._left = self._left, b""
            if rest:
                return rest
        return b""

    def _read_now(self) -> bool:
        """Have what has arrived taken, without waiting; return whether there was something and all was taken.

        What was not taken is left for the task that reads.
        """
        assert self._plain_socket is not None
        assert self._taker is not None
        try:
            data = os.read(self._plain_socket.fileno(), MAX_RECV)
        except OSError:  # nothing has arrived; or an end, which the task that reads will find too
            return False
        if self._ending:
            return False
        self._left = self._taker.take_nowait(data)
        return bool(data) and not self._left

    async def _receive(self) -> bytes:
        """Return what has arrived, or nothing once the connection has ended; a checkpoint."""
        try:
            if self._plain_socket is None:
                return bytes(await self.stream.receive_some(MAX_RECV))
            return await _read(self._plain_socket)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    async def _end(self) -> None:
        """Tell the app and close the server's half; the reader does the rest.

        In this order, because nothing can be sent from here once reading is cancelled.
        """
        if self._ending:
            return
        self._ending = True
        await self.protocol.handle(Closed())
        self._reading.deadline = trio.current_time() + LINGER
        if not await self._send_eof(self.stream):
            self._reading.cancel()

    async def _send_eof(self, stream: trio.abc.Stream) -> bool:
        """Close the server's half; return whether the client's is still open. TLS has no halves."""
        if not isinstance(stream, trio.SocketStream):
            return False
        # Shielded, because telling the app may have cancelled this task, and a client that reads to the end
        # would otherwise wait for the whole of `LINGER`.
        with trio.move_on_after(LINGER, shield=True):
            async with self.send_lock:
                try:
                    await stream.send_eof()
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    return False
        return True


async def _read(connection: trio.socket.SocketType) -> bytes:
    """Read as a stream does. Trio reads in vain before it waits, and what a client sends comes singly."""
    while connection.fileno() >= 0:
        await trio.lowlevel.wait_readable(connection.fileno())
        try:
            return os.read(connection.fileno(), MAX_RECV)
        except BlockingIOError:
            continue
        except OSError:  # such as a reset
            break
    return b""


def _socket(stream: trio.abc.Stream) -> trio.socket.SocketType:
    """Return the socket of a plain or a TLS stream."""
    if isinstance(stream, trio.SSLStream):
        stream = stream.transport_stream
    assert isinstance(stream, trio.SocketStream)
    return stream.socket


def _plain_socket(stream: trio.abc.Stream) -> trio.socket.SocketType | None:
    """Return the socket of a stream without TLS, if the system can write to it like a file."""
    return stream.socket if isinstance(stream, trio.SocketStream) and os.name == "posix" else None


def detect_dead_peer(connection: trio.socket.SocketType, timeout: float) -> None:
    """Have the kernel end a TCP connection whose peer gives no sign of life for `timeout` seconds.

    Idle connections are probed after half that time, every tenth of it; data under way must be acknowledged
    within it (TCP_USER_TIMEOUT, RFC 5482). Options that a system lacks are skipped.
    """
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {
        "TCP_KEEPIDLE": max(1, int(timeout / 2)),
        "TCP_KEEPINTVL": max(1, int(timeout / 10)),
        "TCP_KEEPCNT": 5,
        "TCP_USER_TIMEOUT": int(timeout * 1000),
    }
    for name, value in options.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
