"""What a serving process arranges for itself."""

import gc
import json
import logging
import platform
import resource
import socket
import subprocess
import sys

import pytest
import trio

from hamlet_trio.logs import configure_logging, flush_logs
from hamlet_trio.settings import Settings
from hamlet_trio.web.banner import make_banner
from hamlet_trio.web.guard.tcp import detect_dead_peer
from hamlet_trio.web.process_setup import (
    StructuredHandler,
    capture_library_logs,
    raise_file_limit,
    tune_garbage_collector,
)
from tests.patience import PATIENCE


def test_what_libraries_log_is_structured_with_its_traceback(
    root_logger: logging.Logger, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logging(Settings(log_format="json"))
    capture_library_logs()
    capture_library_logs()
    assert len([h for h in root_logger.handlers if isinstance(h, StructuredHandler)]) == 1
    try:
        raise ValueError("its reason")
    except ValueError:
        logging.getLogger("hypercorn.error").exception("Error in %s", "ASGI")
    logging.getLogger("quart.app").info("not of interest")
    assert flush_logs(10)
    (line,) = capfd.readouterr().err.splitlines()
    logged = json.loads(line)
    assert (logged["event"], logged["level"]) == ("library_message", "error")
    assert (logged["library"], logged["message"]) == ("hypercorn.error", "Error in ASGI")
    assert logged["exception"][0]["exc_value"] == "its reason"


def test_the_limit_of_open_files_is_raised_as_far_as_needed() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, before[1]))
        raise_file_limit(10)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 300
        raise_file_limit(100)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (356, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_settled_memory_is_not_looked_at_again() -> None:
    try:
        tune_garbage_collector()
        assert gc.get_freeze_count() > 10_000
        assert len(gc.get_objects()) < 10_000
    finally:
        gc.unfreeze()


_ARENAS_OF_EIGHT_THREADS = """
import ctypes, sys, threading
from hamlet_trio.web.process_setup import share_one_arena

libc = ctypes.CDLL(None)
if sys.argv[1] == "shared":
    share_one_arena()
together = threading.Barrier(8)

def allocate():
    together.wait()
    libc.malloc(1000)
    together.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


def _arenas(how: str) -> int:
    command = [sys.executable, "-c", _ARENAS_OF_EIGHT_THREADS, how]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    return done.stdout.count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has arenas")
def test_threads_share_one_arena_of_memory() -> None:
    assert _arenas("shared") < _arenas("separate")


async def test_the_kernel_watches_for_vanished_peers() -> None:
    with trio.socket.socket() as connection:
        detect_dead_peer(connection, 25)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            read = connection.getsockopt
            assert read(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 25_000
            idle = read(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
            interval = read(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
            # Probes are looked at when they are due: the first one at or after the timeout ends it.
            probes = [idle + n * interval for n in range(20)]
            assert next(probe for probe in probes if probe >= 25) < 30


async def test_a_connection_that_is_not_tcp_is_left_alone() -> None:
    one, two = trio.socket.socketpair()
    with one, two:
        detect_dead_peer(one, 25)
        assert one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0


@pytest.mark.parametrize(
    ("host", "shown"),
    [("0.0.0.0", "localhost:9000"), ("::1", "[::1]:9000"), ("192.0.2.7", "192.0.2.7:9000")],
)
def test_the_banner_names_every_endpoint(host: str, shown: str) -> None:
    banner = make_banner(Settings(host=host), 9000)
    for place in (f"http://{shown}/", f"ws://{shown}/ws\n", f"ws://{shown}/ws/training\n"):
        assert place in banner
