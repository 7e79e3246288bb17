"""A well-behaved client of either endpoint, on a WebSocket library that knows nothing of this project."""

import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream
from wsproto.utilities import LocalProtocolError

from tests.patience import PATIENCE

QUICK: Final[dict[str, Any]] = {"network_type": "qnetwork", "batch_size": 8, "max_steps": 20, "step_delay": 0}
"""Parameters of a run whose episodes are short and learn little, for tests that want their number alone."""

Message = dict[str, Any]

_NAMED: Final = 20  # messages that a failure names
_TELLING: Final = ("type", "state", "reason", "episode", "step", "run_id")  # their fields in it


def strict(text: str | bytes) -> Message:
    """The message, read as strictly as a browser does: NaN and Infinity are no JSON."""

    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is not JSON")

    message = json.loads(text, parse_constant=refuse)
    assert isinstance(message, dict)
    return message


class Player:
    """One connection that speaks JSON; waits fail after `PATIENCE` instead of hanging."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket

    async def send(self, command: str, **fields: Any) -> None:
        """Send one command."""
        await self.socket.send_message(json.dumps({"command": command, **fields}))

    async def receive(self) -> Message:
        """The next message."""
        with trio.fail_after(PATIENCE):
            return strict(await self.socket.get_message())

    async def expect(self, kind: str, **fields: Any) -> Message:
        """The next message of this type with these fields; others are passed over, but for errors.

        Where it does not come, the failure names what came in its place.
        """
        passed = deque[Message](maxlen=_NAMED)
        while True:
            try:
                message = await self.receive()
            except trio.TooSlowError:
                raise AssertionError(f"no {kind} with {fields} came, but {list(passed)}") from None
            if message["type"] == kind and fields.items() <= message.items():
                return message
            passed.append({name: value for name, value in message.items() if name in _TELLING})
            # What it waits for would not come, and nobody would see why.
            assert message["type"] != "error" or kind == "error", message

    async def frames(self, count: int) -> list[Message]:
        """The next so many frames of steps."""
        return [await self.expect("state_update") for _ in range(count)]

    async def close_code(self) -> int:
        """The code with which the server closes; messages before it are passed over."""
        with trio.fail_after(PATIENCE), pytest.raises(ConnectionClosed) as closed:
            await self._read_on()
        assert closed.value.reason is not None
        return int(closed.value.reason.code)

    async def _read_on(self) -> None:
        while True:
            strict(await self.socket.get_message())


def authorization(secret: str) -> list[tuple[bytes, bytes]]:
    """The header that a script sends with its handshake."""
    return [(b"Authorization", f"Bearer {secret}".encode())] if secret else []


@asynccontextmanager
async def connected(port: int, path: str = "/ws", *, secret: str = "") -> AsyncIterator[Player]:
    """A connection, with this secret as its bearer token if there is one, closed in order at the end."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with connected_over(stream, "localhost", path, secret=secret) as player:
        yield player


@asynccontextmanager
async def connected_over(
    stream: trio.SocketStream | trio.SSLStream[trio.SocketStream], host: str, path: str, *, secret: str = ""
) -> AsyncIterator[Player]:
    """A WebSocket over this stream, closed in order at the end.

    The stream is closed here too: trio-websocket leaves it open where the server closed first.
    """
    try:
        async with trio.open_nursery() as nursery:
            try:
                with trio.fail_after(PATIENCE):
                    socket = await wrap_client_stream(
                        nursery, stream, host, path, extra_headers=authorization(secret)
                    )
                yield Player(socket)
                with trio.move_on_after(PATIENCE):
                    await socket.aclose()
            finally:
                await trio.aclose_forcefully(stream)
                nursery.cancel_scope.cancel()
    except* LocalProtocolError:
        pass  # trio-websocket fails where a ping meets its own close


@asynccontextmanager
async def watching(port: int) -> AsyncIterator[Player]:
    """An inference session that has had its opening messages."""
    async with connected(port) as player:
        await player.expect("connected")
        await player.expect("episode_start")
        await player.expect("state_update", step=0)
        yield player


@asynccontextmanager
async def viewing(port: int) -> AsyncIterator[Player]:
    """A training viewer that has had its status."""
    async with connected(port, "/ws/training") as player:
        await player.expect("training_status")
        yield player
