"""Keeping the services running: one that fails is logged and started again, and takes nothing along."""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from hamlet_trio.logs import get_logger
from hamlet_trio.web.server import Metaserver

_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 30.0
_HEALTHY_AFTER: Final = 60.0  # a service that ran this long before it failed is started again at once


async def keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a service until cancelled.

    Error handling: when it fails, or returns although it should not, that is logged and it is started
    again after a wait that doubles from half a second to half a minute.
    """
    log = get_logger(service=name)
    wait = _FIRST_WAIT
    while True:
        started = trio.current_time()
        try:
            await run()
            log.error("service ended by itself")
        except* Exception as errors:
            log.error("service failed", exc_info=errors)
        if trio.current_time() - started >= _HEALTHY_AFTER:
            wait = _FIRST_WAIT
        await trio.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)


class Services:
    """The services' nursery, in a task of its own within the app's.

    Quart advances `while_serving` from two places, so that a nursery open across its `yield` would sit in a
    task that waits for Hypercorn meanwhile; here it does not.
    """

    def __init__(self, server: Metaserver) -> None:
        self._server = server
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run all services until `stop`; the history ends last, for the others tell it of their end."""
        try:
            async with trio.open_nursery() as lasting:
                lasting.start_soon(keep_running, "history", self._server.history.run)
                with self._scope:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(keep_running, "inference", self._server.inference.run)
                        nursery.start_soon(keep_running, "training", self._server.training.run)
                        nursery.start_soon(keep_running, "films", self._server.studio.run)
                        task_status.started()
                lasting.cancel_scope.cancel()
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """End them and wait until they have: a run that is on is saved within `shutdown_grace`."""
        self._scope.cancel()
        await self._ended.wait()
