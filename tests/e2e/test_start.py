"""Starting: every way of it, with the settings of the environment, and what a person reads when it fails."""

import socket
import subprocess
import sys

import pytest

from tests.e2e.conftest import ROOT, StartServer, launch
from tests.ports import free_port
from tests.web.wire import connect, request

WAYS = {
    "demo_metaserver.py": [sys.executable, "demo_metaserver.py"],
    "demo_visualization.py": [sys.executable, "demo_visualization.py"],
    "demo_training_visualization.py": [sys.executable, "demo_training_visualization.py"],
    "hamlet serve": [sys.executable, "-m", "hamlet_trio.cli", "serve"],
    "hypercorn": [
        *(sys.executable, "-m", "hypercorn", "-k", "trio", "-c", "deploy/hypercorn.toml"),
        "hamlet_trio.asgi:app",
    ],
}


# Every other test starts demo_metaserver.py, and the two older names are one piece of code.
LONG_WAYS = ("demo_metaserver.py", "demo_training_visualization.py")


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=pytest.mark.long) if way in LONG_WAYS else way for way in WAYS]
)
async def test_every_way_of_starting_honours_the_environment(way: str, start_server: StartServer) -> None:
    port = free_port()
    server = launch({"HAMLET_PORT": str(port), "HAMLET_MODELS_DIR": "models"}, WAYS[way])
    try:
        server.wait_for("listening")
        answer = await request(port, "GET /")
        assert (answer.status, b"Hamlet Metaserver" in answer.body) == (200, True)
        assert ("deprecated" in server.output()) == ("visualization" in way)
    finally:
        server.end()
    assert server.wait() == 0


async def test_the_port_answers_before_inference_is_there(start_server: StartServer) -> None:
    server = start_server(ready=False)
    starting = await request(server.port, "GET /readyz")
    assert (starting.status, b'"code":"starting"' in starting.body) == (503, True)
    assert starting.headers["retry-after"] == "1"
    assert (await request(server.port, "GET /")).status == 200
    assert (await request(server.port, "GET /healthz")).status == 200
    async with connect(server.port) as client:
        await client.send(b"HEAD /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert (await client.read_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        with pytest.raises(EOFError):  # no body after the head
            await client.read(1)
    server.wait_for("inference_ready")
    assert (await request(server.port, "GET /readyz")).status == 200


def test_nothing_heavy_is_imported_before_the_port_answers() -> None:
    code = (
        "import sys; from hamlet_trio.settings import Settings; from hamlet_trio.web.app import create_app; "
        "create_app(Settings()); "
        "print({'torch', 'numpy', 'gymnasium', 'coredis', 'hamlet_trio.shared'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("way", ["demo_metaserver.py", "hamlet serve", "hypercorn"])
def test_a_busy_port_is_one_sentence(way: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = launch({"HAMLET_PORT": str(port)}, WAYS[way])
        try:
            code = server.wait()
        finally:
            server.end()
    (sentence,) = server.lines
    assert sentence.startswith(f"hamlet: Port {port} is in use")
    assert f"HAMLET_PORT={port + 1}" in sentence
    assert f"--port {port + 1}" in sentence
    assert code == 1


@pytest.mark.parametrize("way", ["demo_metaserver.py", "hamlet serve", "hypercorn"])
def test_a_setting_that_is_not_allowed_is_one_sentence(way: str) -> None:
    server = launch({"HAMLET_PORT": "seventy"}, WAYS[way])
    try:
        code = server.wait()
    finally:
        server.end()
    (sentence,) = server.lines
    assert sentence == "hamlet: HAMLET_PORT=seventy: it must be a whole number from 0 to 65535."
    assert code == 1
