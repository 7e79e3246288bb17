"""Serve the app behind the guard, and announce draining to every session as soon as it begins.

`main` is `hamlet serve` and the demo; `install_hypercorn_worker` makes the plain `hypercorn` command equal.
"""

import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from socket import socket
from typing import Final

import hypercorn.trio.run
import trio
from hypercorn.config import Config, Sockets
from hypercorn.trio.run import worker_serve
from hypercorn.typing import AppWrapper
from hypercorn.utils import wrap_app

from hamlet_trio.common.line_sink import LineSink
from hamlet_trio.common.standard_streams import open_standard_streams
from hamlet_trio.logs import configure_logging, get_logger
from hamlet_trio.settings import Settings, SettingsError
from hamlet_trio.web.access.token_file import check_access
from hamlet_trio.web.app import HamletApp, create_app
from hamlet_trio.web.banner import make_banner
from hamlet_trio.web.guard import ConnectionLimits, GuardedConfig, install_guard
from hamlet_trio.web.listening import CannotListenError, listen
from hamlet_trio.web.process_setup import (
    capture_library_logs,
    raise_file_limit,
    share_one_arena,
    tune_garbage_collector,
    warn_of_unknown_variables,
)

_GRACEFUL_TIMEOUT: Final = 1.0  # seconds for connections to end by themselves once the server drains
_KEEP_ALIVE: Final = 10.0  # seconds an idle HTTP connection, or half a request, is kept
_STDOUT: Final = 1
_SHUTDOWN_MARGIN: Final = 10.0  # seconds the app has to end, beyond the trainer's grace

Trigger = Callable[[], Awaitable[None]]


def main(settings: Settings, *, banner: bool = False) -> int:
    """Serve until SIGTERM, SIGHUP or Ctrl-C; return the process's exit code.

    0 after an orderly end; 1, with one sentence on standard error, if the port cannot be opened or logins are
    required but impossible.
    """
    open_standard_streams()
    configure_logging(settings)
    capture_library_logs()
    warn_of_unknown_variables()
    try:
        check_access(settings)
        sockets = listen(settings.host, settings.port)
    except (CannotListenError, SettingsError) as error:
        print(f"hamlet: {error}", file=sys.stderr)
        return 1
    share_one_arena()
    raise_file_limit(settings.max_sessions + settings.max_viewers)
    try:
        trio.run(partial(serve, settings, sockets=sockets, banner=banner))
    except KeyboardInterrupt:  # Ctrl-C before the server was up
        return 130
    return 0


async def serve(
    settings: Settings,
    *,
    sockets: Sequence[socket] | None = None,
    banner: bool = False,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until SIGTERM, SIGHUP or SIGINT, on listening `sockets` or else where the settings say.

    Reports its addresses, such as "http://127.0.0.1:8765", once it serves. When the server drains, every
    session is closed with 1012 at once and a run is saved within `shutdown_grace`. A second signal ends the
    server without waiting for clients.

    Raises `CannotListenError` if it cannot open the port, `SettingsError` if nobody could log in.
    """
    app = create_app(settings)
    opened = list(sockets or listen(settings.host, settings.port))

    def announce(binds: list[str]) -> None:
        if banner:
            LineSink(_STDOUT).write(make_banner(settings, opened[0].getsockname()[1]))
        task_status.started(binds)

    wrapped = wrap_app(app, app.config["MAX_CONTENT_LENGTH"], "asgi")
    await _serve_until_drained(app, wrapped, make_config(app), Sockets([], opened, []), announce=announce)


def make_config(app: HamletApp) -> GuardedConfig:
    """Return Hypercorn's configuration for this app's settings."""
    settings = app.server.settings
    config = GuardedConfig(ConnectionLimits.from_settings(settings), app.server.connections)
    config.errorlog = logging.getLogger("hypercorn.error")  # and so to the structured log
    config.graceful_timeout = _GRACEFUL_TIMEOUT
    config.keep_alive_timeout = _KEEP_ALIVE
    config.shutdown_timeout = settings.shutdown_grace + _SHUTDOWN_MARGIN
    return config


def install_hypercorn_worker(app: HamletApp) -> None:
    """Make the `hypercorn` command of this process serve the app as `serve` does.

    Options of the command line and its file stay in force, except where the guard needs its own. If neither
    binds an address, as in deploy/hypercorn.toml, HAMLET_HOST and HAMLET_PORT decide.
    """
    install_guard()
    hypercorn.trio.run.worker_serve = partial(_serve_worker, app)  # looked up there when the worker starts


async def _serve_worker(
    app: HamletApp,
    wrapped: AppWrapper,
    config: Config,
    *,
    sockets: Sockets | None = None,
    shutdown_trigger: Trigger | None = None,
) -> None:
    settings = app.server.settings
    guarded = make_config(app)
    guarded.adopt(config)
    if sockets is None or not (sockets.secure_sockets or sockets.insecure_sockets):
        try:
            sockets = Sockets([], listen(settings.host, settings.port), [])
        except CannotListenError as error:
            raise SystemExit(f"hamlet: {error}") from None
    share_one_arena()
    raise_file_limit(settings.max_sessions + settings.max_viewers)

    await _serve_until_drained(app, wrapped, guarded, sockets, shutdown_trigger=shutdown_trigger)


async def _serve_until_drained(
    app: HamletApp,
    wrapped: AppWrapper,
    config: GuardedConfig,
    sockets: Sockets,
    *,
    announce: Callable[[list[str]], None] | None = None,
    shutdown_trigger: Trigger | None = None,
) -> None:
    install_guard()
    address = [*sockets.insecure_sockets, *sockets.secure_sockets][0].getsockname()
    port = address[1] if isinstance(address, tuple) else None  # a Unix socket's is a path
    draining = app.server.draining
    async with trio.open_nursery() as nursery:

        async def run(*, task_status: trio.TaskStatus[list[str]]) -> None:
            await worker_serve(
                wrapped, config, sockets=sockets, shutdown_trigger=draining.wait, task_status=task_status
            )
            nursery.cancel_scope.cancel()

        await nursery.start(_drain_on_signals, draining, nursery.cancel_scope)
        if shutdown_trigger is not None:
            nursery.start_soon(_drain_when, shutdown_trigger, draining)
        nursery.start_soon(_tune_when_ready, app.server.inference.ready)
        binds = await nursery.start(run)
        get_logger().info("listening", port=port, addresses=binds)
        if announce is not None:
            announce(binds)
    get_logger().info("ended")


async def _drain_on_signals(
    draining: trio.Event, server: trio.CancelScope, *, task_status: trio.TaskStatus[None]
) -> None:
    """Drain at the first signal, end at the second.

    SIGINT is ignored in a worker, whose parent handles Ctrl-C, and SIGHUP under nohup; both stay so.
    """
    known = [getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]
    signals = [signal.SIGTERM, *(number for number in known if signal.getsignal(number) != signal.SIG_IGN)]
    with trio.open_signal_receiver(*signals) as received:
        task_status.started()
        async for number in received:
            if draining.is_set():
                get_logger().warning("forced_shutdown", signal=signal.Signals(number).name)
                server.cancel()
            else:
                get_logger().info("draining", signal=signal.Signals(number).name)
                draining.set()


async def _drain_when(triggered: Trigger, draining: trio.Event) -> None:
    await triggered()
    draining.set()


async def _tune_when_ready(ready: trio.Event) -> None:
    await ready.wait()
    tune_garbage_collector()
