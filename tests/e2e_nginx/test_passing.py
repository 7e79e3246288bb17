"""What passes through nginx: both modes, the page, its files, and which headers reach an instance."""

import gzip
import json
import re
from collections.abc import Iterator

import pytest
import trio
import trustme

from tests.e2e_nginx.client import ask, connect, connected, new_address
from tests.e2e_nginx.conftest import ORIGIN, Instances
from tests.e2e_nginx.proxy import NAME, Proxy, running_nginx
from tests.patience import PATIENCE
from tests.ports import free_port
from tests.web.access.conftest import Known
from tests.web.wire import connect as connect_directly
from tests.web.wire import handshake

OFFER = "permessage-deflate; client_max_window_bits"
COMPRESSED_FROM = 1024  # bytes: `gzip_min_length` of the configuration


async def test_a_session_plays_through_tls(proxy: Proxy) -> None:
    async with connected(proxy) as player:
        await player.expect("connected")
        await player.send("play")
        assert [frame["step"] for frame in await player.frames(4)] == [0, 1, 2, 3]
        await player.send("pause")
        await player.expect("playback", playing=False)


async def test_a_run_is_started_and_watched_through_tls_on_one_instance(
    proxy: Proxy, instances: Instances, keys: Known
) -> None:
    async with (
        connected(proxy, "/ws/training", secret=keys.teacher) as teacher,
        connected(proxy, "/ws/training") as student,
        connected(proxy, "/ws/training") as another,
    ):
        await teacher.send("start_training", num_episodes=2, max_steps=5, step_delay=0, show_every=1, seed=1)
        for viewer in (teacher, student, another):
            started = await viewer.expect("training_started")
            assert (await viewer.expect("state_update"))["step"] == 1
            await viewer.expect("training_complete")
            assert started["num_episodes"] == 2
    # However often it is asked, the answer is that of the instance that has the run.
    for route in ("/api/runs", f"/api/runs/{started['run_id']}/episodes") * 3:
        answer = await ask(proxy, f"GET {route}", authorization=f"Bearer {keys.viewer}")
        assert started["run_id"] in answer.body.decode(), answer
    assert [any(folder.glob("runs/*")) for folder in instances.data_folders] == [True, False]


async def test_sessions_spread_over_both_instances(proxy: Proxy, instances: Instances) -> None:
    async with trio.open_nursery() as nursery:

        async def hold(task_status: trio.TaskStatus[None]) -> None:
            async with connected(proxy) as player:
                await player.expect("connected")
                task_status.started()
                await trio.sleep_forever()

        for _ in range(10):
            await nursery.start(hold)
        counts = [await instances.sessions(number) for number in (0, 1)]
        nursery.cancel_scope.cancel()
    assert sum(counts) >= 10
    assert min(counts) >= 3


async def test_compression_of_frames_is_not_offered_to_an_instance(
    proxy: Proxy, instances: Instances
) -> None:
    async with connect_directly(instances.ports[0]) as client:
        direct = await client.open_websocket("/ws", origin=ORIGIN, sec_websocket_extensions=OFFER)
        assert "permessage-deflate" in direct.headers["sec-websocket-extensions"]
    async with connect(proxy) as client:
        passed = await client.open_websocket("/ws", host=NAME, sec_websocket_extensions=OFFER)
        assert "sec-websocket-extensions" not in passed.headers


async def test_files_of_the_page_are_compressed_and_kept(proxy: Proxy, built_page: None) -> None:
    index = await ask(proxy, "GET /", accept="text/html")
    assert index.headers["cache-control"] == "no-cache"
    names = re.findall(r'(?:src|href)="\.?/(assets/[^"]+\.(?:js|css))"', index.body.decode())
    assert {name.rpartition(".")[2] for name in names} == {"js", "css"}
    for name in names:
        plain = await ask(proxy, f"GET /{name}")
        if len(plain.body) < COMPRESSED_FROM:
            continue
        async with connect(proxy) as client:
            head = f"GET /{name} HTTP/1.1\r\nhost: {NAME}\r\naccept-encoding: gzip\r\n\r\n"
            await client.send(head.encode())
            head = (await client.read_until(b"\r\n\r\n")).decode().lower()
            assert "content-encoding: gzip" in head
            assert "vary: accept-encoding" in head
            assert "cache-control: public, max-age=31536000, immutable" in head
            body = b""
            while size := int((await client.read_until(b"\r\n")).strip(), 16):
                body += await client.read(size)
                await client.read(2)
        assert gzip.decompress(body) == plain.body
        assert len(body) < len(plain.body) / 2


@pytest.fixture(scope="module")
def listening(authority: trustme.CA, needs_nginx: None) -> Iterator[tuple[Proxy, int]]:
    """An nginx of which this test itself plays the instances, to see what reaches them."""
    port = free_port()
    with running_nginx(authority, (port, port)) as proxy:
        yield proxy, port


async def head_seen_by_an_instance(listening: tuple[Proxy, int], sent: bytes, address: str) -> str:
    """What nginx passes on, in lower case."""
    proxy, port = listening
    (listener,) = await trio.open_tcp_listeners(port, host="127.0.0.1")
    async with listener, connect(proxy, address) as client:
        await client.send(sent)
        with trio.fail_after(PATIENCE):
            async with await listener.accept() as instance:
                head = b""
                while b"\r\n\r\n" not in head:
                    received = await instance.receive_some(65536)
                    assert received, f"the connection ended after {head!r}"
                    head += received
                # Unanswered, nginx would send it to the next instance, and the next test would meet it here.
                await instance.send_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        assert b" 204 " in await client.read_until(b"\r\n\r\n")
    return head.decode("latin1").lower()


async def test_an_instance_learns_who_asks_from_nginx_alone(listening: tuple[Proxy, int]) -> None:
    address = new_address()
    forged = {"x_forwarded_for": "10.9.8.7", "x_real_ip": "10.9.8.7", "x_remote_user": "teacher"}
    forged |= {"x_forwarded_proto": "http", "host": NAME, "origin": ORIGIN}
    head = await head_seen_by_an_instance(listening, handshake("/ws", **forged), address)
    assert head.startswith("get /ws http/1.1\r\n")
    assert f"x-forwarded-for: {address}\r\n" in head
    assert f"x-real-ip: {address}\r\n" in head
    assert "x-forwarded-proto: https\r\n" in head
    assert f"host: {NAME}:{listening[0].port}\r\n" in head
    assert f"origin: {ORIGIN}\r\n" in head
    assert "upgrade: websocket\r\nconnection: upgrade\r\n" in head
    assert "10.9.8.7" not in head
    assert "x-remote-user" not in head


async def test_no_other_protocol_is_switched_to(listening: tuple[Proxy, int]) -> None:
    sent = f"GET / HTTP/1.1\r\nhost: {NAME}\r\nupgrade: h2c\r\nconnection: Upgrade, HTTP2-Settings\r\n"
    sent += "http2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n"
    head = await head_seen_by_an_instance(listening, sent.encode(), new_address())
    assert head.startswith("get / http/1.1\r\n")
    assert "upgrade" not in head


async def test_with_no_instance_there_the_answer_says_when_to_come_back(listening: tuple[Proxy, int]) -> None:
    for path in ("/", "/ws", "/ws/training"):
        answer = await ask(listening[0], f"GET {path}")
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert json.loads(answer.body)["code"] == "starting"
