"""Hand events to the app without ever waiting for an app that has ended."""

from collections.abc import Awaitable, Callable

import trio
from hypercorn.config import Config
from hypercorn.trio.task_group import TaskGroup
from hypercorn.typing import AppWrapper, ASGIReceiveEvent, ASGISendEvent, Scope

Put = Callable[[ASGIReceiveEvent], Awaitable[None]]
Send = Callable[[ASGISendEvent | None], Awaitable[None]]


class AppQueue:
    """Hold the bounded queue of events of one app call.

    When it is full, the reader waits and TCP slows the client. Once the app has ended, events are dropped;
    Hypercorn's own queue would block the reader for ever, and the connection with it.
    """

    def __init__(self) -> None:
        self._ended = False
        self._waiting: set[trio.CancelScope] = set()

    async def put(self, put: Put, event: ASGIReceiveEvent) -> None:
        """Hand over one event, waiting for room; a checkpoint."""
        if self._ended:
            await trio.lowlevel.checkpoint()
            return
        with trio.CancelScope() as scope:
            self._waiting.add(scope)
            try:
                await put(event)
            finally:
                self._waiting.discard(scope)

    def end(self) -> None:
        """Drop events from now on, and release the waiting reader."""
        self._ended = True
        for scope in self._waiting:
            scope.cancel()


class GuardedTaskGroup(TaskGroup):
    """Run a connection's tasks; each app gets an `AppQueue`."""

    async def spawn_app(self, app: AppWrapper, config: Config, scope: Scope, send: Send) -> Put:
        """Start the app on this request; return the function that hands it events."""
        queue = AppQueue()

        async def send_or_end(message: ASGISendEvent | None) -> None:
            if message is None:  # how Hypercorn says that the app has returned, failed or was cancelled
                queue.end()
            await send(message)

        put = await super().spawn_app(app, config, scope, send_or_end)

        async def put_unless_ended(event: ASGIReceiveEvent) -> None:
            await queue.put(put, event)

        return put_unless_ended
