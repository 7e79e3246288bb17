"""Requests within requests, and headers within headers: nothing gets past nginx, nor to another client."""

import json
from contextlib import suppress
from http.client import HTTPConnection
from typing import Final

import pytest
import trio

from tests.e2e_nginx.client import ask, connect
from tests.e2e_nginx.conftest import ORIGIN
from tests.e2e_nginx.proxy import NAME, Proxy
from tests.patience import PATIENCE
from tests.web.wire import TEXT, Client, frame, handshake

WITHIN: Final = f"GET /metrics HTTP/1.1\r\nhost: {NAME}\r\n\r\n"
CHUNKED: Final = "0\r\n\r\n" + WITHIN
POST: Final = f"POST /api/status HTTP/1.1\r\nhost: {NAME}\r\n"

SMUGGLERS: Final = {
    "both lengths": f"{POST}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n{CHUNKED}",
    "both lengths the other way": f"{POST}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n{CHUNKED}",
    "two lengths": f"{POST}content-length: 0\r\ncontent-length: {len(WITHIN)}\r\n\r\n{WITHIN}",
    "a list of lengths": f"{POST}content-length: 0, {len(WITHIN)}\r\n\r\n{WITHIN}",
    "a signed length": f"{POST}content-length: +{len(WITHIN)}\r\n\r\n{WITHIN}",
    "a hexadecimal length": f"{POST}content-length: 0x{len(WITHIN):x}\r\n\r\n{WITHIN}",
    "a negative length": f"{POST}content-length: -1\r\n\r\n{WITHIN}",
    "a space before the colon": f"{POST}transfer-encoding : chunked\r\ncontent-length: 0\r\n\r\n{CHUNKED}",
    "an unknown coding": f"{POST}transfer-encoding: xchunked\r\n\r\n{CHUNKED}",
    "chunked twice": f"{POST}transfer-encoding: chunked, chunked\r\n\r\n{CHUNKED}",
    "chunked and no more": f"{POST}transfer-encoding: chunked, identity\r\n\r\n{CHUNKED}",
    "chunked over HTTP/1.0": f"{POST.replace('1.1', '1.0')}transfer-encoding: chunked\r\n\r\n{CHUNKED}",
    "a folded header": f"{POST}x: y\r\n transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n{CHUNKED}",
    "a bare line feed": f"{POST}x: y\ntransfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n{CHUNKED}",
    "a bare return": f"{POST}x: y\rtransfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n{CHUNKED}",
    "a chunk of a wrong size": f"{POST}transfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n{CHUNKED}",
    "a chunk of an endless size": f"{POST}transfer-encoding: chunked\r\n\r\n{'f' * 17}\r\n{WITHIN}",
    "a request in a GET's body": f"GET / HTTP/1.1\r\nhost: {NAME}\r\ncontent-length: 9\r\n\r\n{WITHIN}",
    "two hosts": f"GET / HTTP/1.1\r\nhost: {NAME}\r\nhost: evil.example.org\r\n\r\n{WITHIN}",
    "a whole address": f"GET http://127.0.0.1/metrics HTTP/1.1\r\nhost: {NAME}\r\n\r\n{WITHIN}",
}
UPGRADES: Final = {
    "of a version that nobody speaks": handshake("/ws", host=NAME, sec_websocket_version="7"),
    "without a key": handshake("/ws", host=NAME, sec_websocket_key=""),
    "of a foreign page": handshake("/ws", host=NAME, origin="https://evil.example.org"),
    "to somewhere else": handshake("/api/status", host=NAME),
    "to h2c": handshake("/", host=NAME, upgrade="h2c"),
}


async def all_of(client: Client, proxy: Proxy) -> bytes:
    """Everything that is answered until the connection ends, or others got answers to later questions.

    Those others come over the connections that nginx keeps to the instances; each gets its own answer.
    """
    answered = bytearray()

    async def read() -> None:
        with suppress(EOFError, trio.BrokenResourceError):
            while True:
                answered.extend(await client.read(1))

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            for _ in range(3):
                answer = await ask(proxy, "GET /api/status")
                assert answer.status == 200
                assert json.loads(answer.body)["status"] == "running"
            nursery.cancel_scope.cancel()
    return bytes(answered)


@pytest.mark.parametrize("how", SMUGGLERS)
async def test_a_request_within_a_request_reaches_nothing(how: str, proxy: Proxy) -> None:
    async with connect(proxy) as client:
        await client.send(SMUGGLERS[how].encode("latin1"))
        assert b"hamlet_ready" not in await all_of(client, proxy)


@pytest.mark.parametrize("how", UPGRADES)
async def test_a_refused_upgrade_opens_no_tunnel(how: str, proxy: Proxy) -> None:
    async with connect(proxy) as client:
        await client.send(UPGRADES[how] + WITHIN.encode())
        answered = await all_of(client, proxy)
    assert not answered.startswith(b"HTTP/1.1 101")
    assert b"hamlet_ready" not in answered


async def test_a_request_after_an_upgrade_is_a_broken_frame(proxy: Proxy) -> None:
    async with connect(proxy) as client:
        await client.open_websocket("/ws", host=NAME)
        await client.send(WITHIN.encode())
        assert await client.read_close() == 1002
    async with connect(proxy) as client:
        await client.open_websocket("/ws", host=NAME)
        await client.send(frame(TEXT, WITHIN.encode()))
        assert "invalid_json" in [json.loads(await client.read_text()).get("code") for _ in range(4)]


@pytest.mark.parametrize("path", ["/%0d%0aset-cookie:%20x=1", "/x%0d%0a%0d%0a<script>", "//evil.example.org"])
async def test_no_header_is_injected_into_an_answer(path: str, proxy: Proxy) -> None:
    plain = HTTPConnection("127.0.0.1", proxy.plain_port)
    plain.request("GET", path, headers={"Host": NAME})
    redirect = plain.getresponse()
    assert redirect.headers["Location"] == f"{ORIGIN}:{proxy.port}{path}"
    assert "set-cookie" not in redirect.headers
    plain.close()
    answer = await ask(proxy, f"GET {path}")
    assert answer.status in (404, 400)
    assert "set-cookie" not in answer.headers
    assert "location" not in answer.headers
    echoed = await ask(proxy, "GET /api/status", origin="https://evil.example.org", x_forwarded_host="evil")
    assert b"evil" not in json.dumps(dict(echoed.headers)).encode()
