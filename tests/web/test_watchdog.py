"""Signs of life for systemd's watchdog, at a real datagram socket in its place."""

import os
import socket
import sys
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from hamlet_trio.web.watchdog import Watchdog

SOCKET = "/run/systemd/notify"


def test_it_is_asked_for_by_the_variables_of_systemd() -> None:
    asked = {"NOTIFY_SOCKET": SOCKET, "WATCHDOG_USEC": "20000000"}
    assert Watchdog.of(asked) == (SOCKET, 5.0)
    assert Watchdog.of(asked | {"WATCHDOG_PID": str(os.getpid())}) == (SOCKET, 5.0)
    assert Watchdog.of(asked | {"NOTIFY_SOCKET": "@name"}) == ("\0name", 5.0)
    for other in (
        {"WATCHDOG_PID": "1"},  # a process that inherited the variables, such as the trainer
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"NOTIFY_SOCKET": ""},
    ):
        assert Watchdog.of(asked | other) is None
    assert Watchdog.of({}) is None


@pytest.mark.skipif(sys.platform == "win32", reason="datagrams to a path are of Unix")
async def test_a_server_gives_signs_of_life_while_its_event_loop_runs(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(address))
        systemd.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        monkeypatch.setenv("WATCHDOG_USEC", "20000000")
        watchdog = Watchdog.of()
        assert watchdog is not None
        with trio.move_on_after(12):
            await watchdog.run()
        assert [systemd.recv(64) for _ in range(3)] == [b"WATCHDOG=1"] * 3  # after 0, 5 and 10 s
        with pytest.raises(BlockingIOError):
            systemd.recv(64)
