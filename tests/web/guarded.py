"""A small app behind the real guard and the real Hypercorn, on a port of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio
from hypercorn.config import Sockets
from hypercorn.trio.run import worker_serve
from hypercorn.utils import wrap_app
from quart import Response, websocket
from quart_trio import QuartTrio

from hamlet_trio.settings import Settings
from hamlet_trio.web.guard import ConnectionCounts, ConnectionLimits, GuardedConfig, install_guard
from hamlet_trio.web.guard.websocket import DIRECT
from hamlet_trio.web.listening import listen
from tests.patience import PATIENCE


@dataclass
class GuardedApp:
    """The app's port, the guard's counts, how many handlers run, and messages `/nowait` sent."""

    port: int = 0
    counts: ConnectionCounts = field(default_factory=ConnectionCounts)
    handlers: int = 0
    sent: int = 0
    _changed: trio.Event = field(default_factory=trio.Event)

    @asynccontextmanager
    async def handling(self) -> AsyncIterator[None]:
        """One WebSocket handler at work."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self.handlers += change
        self._changed.set()
        self._changed = trio.Event()

    async def wait_for_handlers(self, count: int) -> None:
        """Wait until so many run; fails when they never do."""
        with trio.fail_after(PATIENCE):
            while self.handlers != count:
                await self._changed.wait()


def make_app(state: GuardedApp) -> QuartTrio:
    """`/` answers; `/ws` echoes; `/closing` closes with 1008; `/refusing` answers 503.

    `/push` only sends; `/nowait` does so without waiting, the letters of the alphabet in turn.
    """
    app = QuartTrio("guarded")

    @app.get("/")
    async def root() -> str:
        return "alive"

    @app.websocket("/ws")
    async def echo() -> None:
        async with state.handling():
            while True:
                await websocket.send(await websocket.receive())

    @app.websocket("/push")
    async def push() -> None:
        async with state.handling():
            await websocket.accept()
            while True:  # without a checkpoint of its own: the guard must provide one after a disconnect
                await websocket.send("x" * 10_000)

    @app.websocket("/nowait")
    async def nowait() -> None:
        async with state.handling():
            await websocket.accept()
            send_nowait = websocket.scope["state"][DIRECT].send_nowait
            while True:
                text = chr(ord("a") + state.sent % 26) * 10_000
                if send_nowait(text):
                    await trio.lowlevel.checkpoint()
                else:
                    await websocket.send(text)
                state.sent += 1

    @app.websocket("/closing")
    async def closing() -> None:
        async with state.handling():
            await websocket.receive()
            await websocket.close(1008)

    @app.websocket("/waiting")
    async def waiting() -> None:
        async with state.handling():
            await trio.sleep_forever()  # never accepts

    @app.websocket("/refusing")
    async def refusing() -> Response:
        return Response("full", 503)

    return app


@asynccontextmanager
async def guarded_app(*, keep_alive: float = 10, **settings: object) -> AsyncIterator[GuardedApp]:
    """Serve it with these settings, half a request for so many seconds; all is cancelled at the end."""
    install_guard()
    state = GuardedApp()
    limits = ConnectionLimits.from_settings(Settings(**settings))  # type: ignore[arg-type]
    config = GuardedConfig(limits, state.counts)
    config.errorlog = None
    config.keep_alive_timeout = keep_alive
    sockets = listen("127.0.0.1", 0)
    state.port = sockets[0].getsockname()[1]
    async with trio.open_nursery() as nursery:
        app = wrap_app(make_app(state), config.wsgi_max_body_size, "asgi")
        drain = trio.Event()

        async def serve() -> None:
            await worker_serve(app, config, sockets=Sockets([], sockets, []), shutdown_trigger=drain.wait)

        config.graceful_timeout = 0
        nursery.start_soon(serve)
        try:
            yield state
        finally:
            drain.set()
