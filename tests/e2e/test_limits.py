"""A full server, foreign origins, and a client that never reads."""

import json
import re
import socket
from contextlib import AsyncExitStack
from http import HTTPStatus
from pathlib import Path

import pytest
import trio

from hamlet_trio.inference.admission import ALWAYS_ADMITTED
from tests.e2e.client import QUICK, Player, viewing, watching
from tests.e2e.conftest import StartServer
from tests.patience import PATIENCE
from tests.web.access.conftest import add_token
from tests.web.wire import TEXT, Client, connect, frame, handshake, request


@pytest.mark.parametrize("path", ["/ws", "/ws/training"])
async def test_a_full_server_refuses_with_503_until_a_place_is_free(
    path: str, start_server: StartServer
) -> None:
    server = start_server(ready=False, max_sessions=1, max_viewers=1)
    async with connect(server.port) as first, connect(server.port) as second:
        await first.open_websocket(path)
        await second.send(handshake(path))
        answer = await second.read_answer()
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert answer.headers["content-type"] == "application/problem+json"
        problem = json.loads(answer.body)
        assert problem["code"] == "server_full"
        assert "All 1 " in problem["detail"]
    metrics = (await request(server.port, "GET /metrics")).body.decode()
    assert 'hamlet_errors_total{code="server_full",place="http"} 1.0' in metrics
    server.wait_for("disconnected", endpoint=path)
    async with connect(server.port) as third:
        await third.open_websocket(path)


async def test_one_session_more_is_refused_while_those_that_play_take_all_the_time(
    start_server: StartServer,
) -> None:
    server = start_server(max_load=0.0001, session_grace=0)
    async with AsyncExitStack() as stack:
        for _ in range(ALWAYS_ADMITTED):
            player = await stack.enter_async_context(watching(server.port))
            await player.send("play")
        with trio.fail_after(PATIENCE):
            while (await request(server.port, "GET /ws")).status != HTTPStatus.SERVICE_UNAVAILABLE:
                await player.frames(1)
        client = await stack.enter_async_context(connect(server.port))
        await client.send(handshake("/ws"))
        answer = await client.read_answer()
        problem = json.loads(answer.body)
        assert (answer.status, answer.headers["retry-after"], problem["code"]) == (503, "10", "server_full")
        assert "HAMLET_MAX_LOAD" in problem["detail"]
        ready = await request(server.port, "GET /readyz")
        assert (ready.status, json.loads(ready.body)) == (200, {"status": "ready", "degraded": ["inference"]})
        metrics = (await request(server.port, "GET /metrics")).body.decode()
        assert re.search(r"^hamlet_inference_refused_total [2-9]", metrics, re.MULTILINE)
        assert await player.frames(3), "those who play go on"


async def test_production_lets_listed_origins_and_scripts_connect(
    start_server: StartServer, tmp_path: Path
) -> None:
    add_token(tmp_path / "data" / "tokens.json", "Ms Jones", "teacher")
    server = start_server(
        ready=False, profile="production", host="127.0.0.1", allowed_origins="https://hamlet.example.org"
    )
    for origin, status in {
        "https://hamlet.example.org": 101,
        "": 101,
        "https://evil.example.org": 403,
        "http://hamlet.example.org": 403,
        "null": 403,
    }.items():
        for path in ("/ws", "/ws/training"):
            async with connect(server.port) as client:
                await client.send(handshake(path, origin=origin))
                answer = await client.read_answer()
                assert answer.status == status, (origin, path)
                assert status == 101 or json.loads(answer.body)["code"] == "forbidden_origin"
    cors = await request(server.port, "GET /api/status")
    assert "access-control-allow-origin" not in cors.headers


async def open_without_reading(port: int, path: str) -> Client:
    """A connection whose receive buffer is small, so that the server soon finds nobody reads."""
    tiny = trio.socket.socket()
    tiny.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await tiny.connect(("127.0.0.1", port))
    client = Client(trio.SocketStream(tiny))
    await client.open_websocket(path)
    return client


async def test_a_client_that_never_reads_is_dropped_and_its_place_is_free(
    start_server: StartServer,
) -> None:
    server = start_server(send_timeout=1, max_sessions=2)
    async with watching(server.port) as player:
        silent = await open_without_reading(server.port, "/ws")
        await silent.send(frame(TEXT, b'{"command":"set_speed","speed":10}'))
        await silent.send(frame(TEXT, b'{"command":"play"}'))
        await player.send("play")
        await trio.to_thread.run_sync(server.wait_for, "client_stalled")
        await trio.to_thread.run_sync(server.wait_for, "disconnected")
        await player.frames(3)
        async with watching(server.port):
            pass
        await trio.aclose_forcefully(silent.stream)


@pytest.mark.long
async def test_a_viewer_that_never_reads_is_dropped_and_the_others_go_on(
    start_server: StartServer,
) -> None:
    server = start_server(send_timeout=1, max_viewers=2)
    async with viewing(server.port) as teacher:
        silent = await open_without_reading(server.port, "/ws/training")
        await teacher.send("start_training", num_episodes=100_000, show_every=1, seed=1, **QUICK)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_on, teacher)  # or it would be one that never reads, too
            await trio.to_thread.run_sync(server.wait_for, "client_stalled")
            await trio.to_thread.run_sync(server.wait_for, "disconnected")
            nursery.cancel_scope.cancel()
        await teacher.send("stop")
        await teacher.expect("training_stopped")
        async with viewing(server.port):
            pass
        await trio.aclose_forcefully(silent.stream)


async def read_on(player: Player) -> None:
    while True:
        await player.receive()
