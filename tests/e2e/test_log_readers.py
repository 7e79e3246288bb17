"""Test that a server whose log is not read goes on serving and ends in order."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from tests.e2e.client import watching
from tests.patience import PATIENCE
from tests.web.wire import request

SERVE = [sys.executable, "-m", "hamlet_trio.cli", "serve"]


class Unread:
    """A server process with a standard error of the test's own; its port is read from the banner."""

    def __init__(self, folder: Path, stderr: int, command: list[str] = SERVE) -> None:
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=stderr,
            stdin=subprocess.DEVNULL,
            env=os.environ
            | {
                "HAMLET_HOST": "127.0.0.1",
                "HAMLET_PORT": "0",
                "HAMLET_LOG_LEVEL": "debug",
                "HAMLET_MODELS_DIR": str(folder / "models"),
                "HAMLET_DATA_DIR": str(folder / "data"),
            },
        )
        assert self.process.stdout is not None
        banner = ""
        while (found := re.search(r"Page +http://\S+:(\d+)/", banner)) is None:
            line = self.process.stdout.readline().decode()
            assert line, f"the server ended with {self.process.wait()}: {banner}"
            banner += line
        self.port = int(found[1])

    async def serves(self, requests: int = 5) -> None:
        """Fail unless it answers."""
        for _ in range(requests):
            assert (await request(self.port, "GET /api/status")).status == 200

    async def metric(self, name: str) -> float:
        """One of its metrics."""
        text = (await request(self.port, "GET /metrics")).body.decode()
        found = re.search(rf"^{name} (\S+)$", text, re.M)
        assert found is not None
        return float(found[1])

    def ends_with(self, number: signal.Signals) -> int:
        """Send it a signal; returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


Start = Callable[..., Unread]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """A function that starts such servers."""
    started: list[Unread] = []

    def begin(stderr: int, command: list[str] = SERVE) -> Unread:
        started.append(Unread(tmp_path, stderr, command))
        return started[-1]

    yield begin
    for server in started:
        server.process.kill()
        server.process.communicate()


async def test_a_log_whose_reader_is_gone_ends_nothing(start: Start) -> None:
    reading, writing = os.pipe()
    server = start(writing)
    os.close(writing)
    async with watching(server.port) as player:
        os.close(reading)
        await server.serves()
        await player.send("step")
        await player.expect("state_update", step=1)
        assert await server.metric("hamlet_log_lines_lost_total") > 0
        assert await trio.to_thread.run_sync(server.ends_with, signal.SIGTERM) == 0
        assert await player.close_code() == 1012


@pytest.mark.long
async def test_a_terminal_that_takes_nothing_holds_nobody_up(start: Start) -> None:
    terminal, side = os.openpty()
    server = start(side)
    os.close(side)
    async with watching(server.port) as player:
        await server.serves(120)  # more lines than a terminal buffers
        await player.send("step")
        await player.expect("state_update", step=1)
    assert await trio.to_thread.run_sync(server.ends_with, signal.SIGTERM) == 0
    os.close(terminal)


async def test_a_closed_terminal_ends_nothing_under_nohup(start: Start) -> None:
    terminal, side = os.openpty()
    server = start(side, ["bash", "-c", 'trap "" HUP; exec "$0" "$@"', *SERVE])
    os.close(side)
    os.close(terminal)
    await server.serves()
    server.process.send_signal(signal.SIGHUP)
    await server.serves()
    assert await trio.to_thread.run_sync(server.ends_with, signal.SIGTERM) == 0


@pytest.mark.parametrize("closed", ["2>&-", pytest.param("<&- 2>&-", marks=pytest.mark.long)])
async def test_a_server_without_standard_error_starts_and_ends(closed: str, start: Start) -> None:
    server = start(subprocess.DEVNULL, ["bash", "-c", f'exec "$0" "$@" {closed}', *SERVE])
    async with watching(server.port) as player:
        await server.serves()
        await player.send("step")
        await player.expect("state_update", step=1)
    assert await trio.to_thread.run_sync(server.ends_with, signal.SIGTERM) == 0


async def test_sighup_is_an_orderly_end(start: Start) -> None:
    server = start(subprocess.DEVNULL)
    async with watching(server.port) as player:
        assert await trio.to_thread.run_sync(server.ends_with, signal.SIGHUP) == 0
        assert await player.close_code() == 1012
