"""Serve the least Quart-Trio app that sends the same frames: `python -m bench.suite.bare PORT FILE`.

`/ws` sends the frame that FILE holds ten times a second, on deadlines of its own, from `play` to `pause`.
`/ws/training` sends every viewer the same frame twenty times a second. `/ws/room` reads and sends nothing.
"""

import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from quart import Websocket, websocket
from quart_trio import QuartTrio

_STEP_SECONDS = 0.1
_SHOWN_SECONDS = 0.05


def make_app(frame: str) -> QuartTrio:
    """Return the app that sends this frame."""
    app = QuartTrio(__name__)
    board = _Board(frame)

    @app.get("/readyz")
    async def ready() -> str:
        return "ready"

    @app.websocket("/ws")
    async def session() -> None:
        await _play(websocket._get_current_object(), frame)  # type: ignore[attr-defined]  # a werkzeug LocalProxy

    @app.websocket("/ws/training")
    async def viewer() -> None:
        socket = websocket._get_current_object()  # type: ignore[attr-defined]  # a werkzeug LocalProxy
        await socket.accept()
        while True:
            await socket.send(await board.following())

    @app.websocket("/ws/room")
    async def member() -> None:
        socket = websocket._get_current_object()  # type: ignore[attr-defined]  # a werkzeug LocalProxy
        await socket.accept()
        while True:
            await socket.receive()

    @app.while_serving
    async def show() -> AsyncGenerator[None, None]:
        app.nursery.start_soon(board.run)
        yield
        app.nursery.cancel_scope.cancel()

    return app


async def _play(socket: Websocket, frame: str) -> None:
    async def send(scope: trio.CancelScope) -> None:
        with scope:
            due = trio.current_time()
            while True:
                due += _STEP_SECONDS
                await trio.sleep_until(due)
                await socket.send(frame)

    await socket.accept()
    await socket.send(frame)
    async with trio.open_nursery() as nursery:
        scope = trio.CancelScope()
        while True:
            command = await socket.receive()
            if "play" in command or "pause" in command:
                scope.cancel()
            if "play" in command:
                scope = trio.CancelScope()
                nursery.start_soon(send, scope)


class _Board:
    """Hold the current frame and wake those who wait for the next one; a slow one misses frames."""

    def __init__(self, frame: str) -> None:
        self._frame = frame
        self._shown = frame
        self._waiting = trio.lowlevel.ParkingLot()

    async def following(self) -> str:
        """Wait for the next frame."""
        await self._waiting.park()
        return self._shown

    async def run(self) -> None:
        """Publish a frame twenty times a second, ending in its number so that no two are equal."""
        due, number = trio.current_time(), 0
        while True:
            due += _SHOWN_SECONDS
            await trio.sleep_until(due)
            number += 1
            self._shown = f"{self._frame[:-8]}{number:08}"
            self._waiting.unpark_all()


def main() -> None:
    """Serve until SIGTERM."""
    port, file = sys.argv[1:]
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.backlog = 1024
    config.loglevel = "warning"
    trio.run(serve, make_app(Path(file).read_text(encoding="utf-8")), config)


if __name__ == "__main__":
    main()
