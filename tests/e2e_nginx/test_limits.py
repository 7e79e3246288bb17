"""What one client may ask, open and send; another client notices nothing of it."""

import json

import pytest
import trio

from tests.e2e_nginx.client import ask, connect, connected, new_address, open_stream
from tests.e2e_nginx.proxy import NAME, Proxy
from tests.web.wire import Answer, Client, handshake

ENOUGH = 5000  # requests after which a limit must have been met, however slow the machine is


async def ask_until_refused(proxy: Proxy, address: str, path: str) -> Answer:
    """Ask the same over and over, without pause; the first answer that is a 429."""
    line = f"GET {path} HTTP/1.1\r\nhost: {NAME}\r\n\r\n".encode()
    asked = 0
    while asked < ENOUGH:
        async with connect(proxy, address) as client:
            # As many as nginx answers on one connection, and a few at a time: nobody waits for anybody.
            for _ in range(100):
                await client.send(10 * line)
                for _ in range(10):
                    asked += 1
                    answer = await client.read_answer()
                    if answer.status == 429:
                        return answer
                if answer.headers.get("connection") == "close":
                    break
    raise AssertionError(f"{asked} requests were answered")


@pytest.mark.parametrize("path", ["/nothing", "/ws", "/ws/training"])
async def test_too_many_requests_are_answered_with_429(proxy: Proxy, path: str) -> None:
    address = new_address()
    answer = await ask_until_refused(proxy, address, path)
    assert answer.headers["retry-after"] == "2"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["strict-transport-security"]
    problem = json.loads(answer.body)
    assert (problem["status"], problem["code"]) == (429, "rate_limited")
    other = await ask(proxy, f"GET {path}")
    assert other.status != 429


async def test_too_many_sockets_of_one_client_are_answered_with_503(proxy: Proxy) -> None:
    address = new_address()
    async with connected(proxy) as bystander:
        await bystander.expect("connected")
        sockets: list[Client] = []
        answers: dict[int, Answer] = {}
        limit = trio.CapacityLimiter(20)

        async def open_one(number: int) -> None:
            async with limit:
                client = Client(await open_stream(proxy, address))
                sockets.append(client)
                await client.send(handshake("/ws" if number % 2 else "/ws/training", host=NAME))
                answers[number] = await client.read_answer()

        try:
            # The rate of handshakes lets 200 through at once and then 20 a second.
            async with trio.open_nursery() as nursery:
                for number in range(190):
                    nursery.start_soon(open_one, number)
            number = 190
            while all(answer.status != 503 for answer in answers.values()):
                await open_one(number)
                if answers[number].status == 429:
                    await trio.sleep(0.05)
                number += 1
            opened = [answer for answer in answers.values() if answer.status == 101]
            assert len(opened) == 250
            refused = answers[number - 1]
            assert refused.headers["retry-after"] == "5"
            assert json.loads(refused.body)["code"] == "server_full"
            await bystander.send("play")
            await bystander.frames(2)
        finally:
            for client in sockets:
                await trio.aclose_forcefully(client.stream)


async def test_a_large_body_is_refused_before_it_is_sent(proxy: Proxy) -> None:
    async with connect(proxy) as client:
        head = f"POST /api/status HTTP/1.1\r\nhost: {NAME}\r\ncontent-length: 65537\r\n\r\n"
        await client.send(head.encode())
        assert (await client.read_answer()).status == 413


async def test_large_headers_are_refused(proxy: Proxy) -> None:
    assert (await ask(proxy, "GET /api/status", cookie="x" * 8200)).status == 400
    assert (await ask(proxy, "GET /" + 8200 * "x")).status == 414
    assert (await ask(proxy, "GET /api/status", cookie="x" * 4000)).status == 200


async def test_ambiguous_requests_are_refused(proxy: Proxy) -> None:
    """What proxies and servers could read differently, and so smuggle a request past one of them."""
    both = (
        f"POST / HTTP/1.1\r\nhost: {NAME}\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    twice = f"POST / HTTP/1.1\r\nhost: {NAME}\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcd"
    hosts = f"GET / HTTP/1.1\r\nhost: {NAME}\r\nhost: evil.example.org\r\n\r\n"
    for text in (both, twice, hosts):
        async with connect(proxy) as client:
            await client.send(text.encode())
            assert (await client.read_answer()).status == 400
            await client.read_eof()
