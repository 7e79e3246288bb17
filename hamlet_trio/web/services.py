"""Keep the services running: a service that fails is logged and restarted, and harms no other."""

from collections.abc import Awaitable, Callable

import trio

from hamlet_trio.common.backoff import Backoff
from hamlet_trio.logs import get_logger
from hamlet_trio.web.metaserver import Metaserver
from hamlet_trio.web.watchdog import Watchdog


async def keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a service until cancelled.

    Error handling: a service that fails, or returns although it should not, is logged and restarted with
    backoff.
    """
    log = get_logger(service=name)
    backoff = Backoff()
    while True:
        try:
            await run()
            log.error("service_returned")
        except* Exception as errors:
            log.error("service_failed", exc_info=errors)
        await backoff.wait()


class Services:
    """Hold the services' nursery in a task of its own.

    Quart advances `while_serving` from two places: a nursery open across its `yield` would belong to a task
    that waits for Hypercorn in between.
    """

    def __init__(self, server: Metaserver) -> None:
        self._server = server
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run all services until `stop`; the history ends last, because the others write to it.

        What sessions left is written to Redis before, if that answers.
        """
        try:
            async with trio.open_nursery() as lasting:
                lasting.start_soon(keep_running, "history", self._server.history.run)
                if (store := self._server.store) is not None:
                    lasting.start_soon(keep_running, "redis", store.run)
                with self._scope:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(keep_running, "inference", self._server.inference.run)
                        nursery.start_soon(keep_running, "training", self._server.training.run)
                        nursery.start_soon(keep_running, "films", self._server.films.run)
                        nursery.start_soon(keep_running, "rooms", self._server.rooms.run)
                        nursery.start_soon(keep_running, "access", self._server.access.run)
                        if (watchdog := Watchdog.of()) is not None:
                            nursery.start_soon(keep_running, "watchdog", watchdog.run)
                        if (shelf := self._server.shelf) is not None:
                            nursery.start_soon(keep_running, "sessions", shelf.run)
                        task_status.started()
                if shelf is not None:
                    await shelf.flush()
                lasting.cancel_scope.cancel()
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """End the services and wait for them; an active run is saved within `shutdown_grace`."""
        self._scope.cancel()
        await self._ended.wait()
