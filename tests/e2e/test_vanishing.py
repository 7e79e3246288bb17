"""A client that vanishes without a word, over a network link that really goes away.

Needs two network namespaces, which take root and Linux; elsewhere this is left out, and says so.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import ROOT, StartServer

SERVER, CLIENT = "10.213.7.1", "10.213.7.2"

CLIENT_CODE = f"""
import socket, sys, time
from tests.web.wire import TEXT, frame, handshake
clients = []
for path in ("/ws", "/ws", "/ws/training"):
    client = socket.create_connection(("{SERVER}", int(sys.argv[1])))
    client.sendall(handshake(path))
    assert b"101" in client.recv(100)
    clients.append(client)
clients[1].sendall(frame(TEXT, b'{{"command":"play"}}'))
for _ in range(3):
    clients[1].recv(100_000)
print("there", flush=True)
sys.stdin.read()
"""


def ip(*arguments: str) -> bool:
    """Whether an `ip` command succeeded."""
    return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode == 0


@pytest.fixture
def namespaces() -> Iterator[tuple[str, str]]:
    """Return two namespaces joined by a link, whose ends are `eth` in each.

    No device of this namespace comes or goes: browsers of other tests would drop their connections then.
    """
    names = (f"hamlet{os.getpid()}a", f"hamlet{os.getpid()}b")
    try:
        if shutil.which("ip") is None or not all(ip("netns", "add", name) for name in names):
            pytest.skip("needs root on Linux, with iproute2: a network namespace cannot be made here")
        end = ("type", "veth", "peer", "name", "eth", "netns")
        steps: list[tuple[str, ...]] = [("-n", names[0], "link", "add", "eth", *end, names[1])]
        for name, address in zip(names, (SERVER, CLIENT), strict=True):
            steps.append(("-n", name, "addr", "add", f"{address}/30", "dev", "eth"))
            steps.append(("-n", name, "link", "set", "eth", "up"))
        if not all(ip(*step) for step in steps):
            pytest.skip("needs virtual Ethernet devices, which cannot be made here")
        yield names
    finally:
        for name in names:
            ip("netns", "del", name)


def test_a_client_that_vanishes_is_noticed_in_every_state(
    namespaces: tuple[str, str], start_server: StartServer
) -> None:
    here, there = namespaces
    inside = ["ip", "netns", "exec", here, sys.executable, "demo_metaserver.py"]
    server = start_server(command=inside, host=SERVER, half_open_timeout=2)
    client = subprocess.Popen(
        ["ip", "netns", "exec", there, sys.executable, "-c", CLIENT_CODE, str(server.port)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with client:
        assert client.stdout is not None
        assert client.stdin is not None
        assert client.stdout.readline() == "there\n"
        assert ip("-n", there, "link", "set", "eth", "down")
        server.wait_for("disconnected", 2, endpoint="/ws")
        server.wait_for("disconnected", endpoint="/ws/training")
        assert client.poll() is None  # it did not leave: only the link did
        client.stdin.close()
    assert server.logged("error") == []
