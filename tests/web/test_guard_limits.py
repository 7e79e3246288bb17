"""Limits of a request's head, requests that could be read in two ways, and pings."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hamlet_trio.web.guard.http import MAX_FIELDS, MAX_HEAD, MAX_SECRET_VALUE, MAX_VALUE
from tests.web.guarded import guarded_app
from tests.web.wire import CLOSE, PING, PONG, TEXT, connect, frame, request

START = b"GET / HTTP/1.1\r\nhost: x\r\n"


def field(name: str, length: int) -> bytes:
    """A header field with a value of this length."""
    return f"{name}: {'a' * length}\r\n".encode()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (field("accept", MAX_VALUE), 200),
        (field("accept", MAX_VALUE + 1), 431),
        (field("x-forwarded-for", 62_000), 431),
        (field("cookie", MAX_SECRET_VALUE), 200),
        (field("cookie", MAX_SECRET_VALUE + 1), 431),
        (field("authorization", MAX_SECRET_VALUE + 1), 431),
        (field("x", 1) * (MAX_FIELDS - 1), 200),
        (field("x", 1) * MAX_FIELDS, 431),
        (field("x", 4_000) * 4, 200),
        (field("x", 4_000) * 4 + field("y", MAX_HEAD // 40), 431),
    ],
)
@pytest.mark.parametrize("parts", [1, 3])
async def test_a_head_is_taken_up_to_its_limits_however_it_arrives(
    fields: bytes, status: int, parts: int
) -> None:
    head = START + fields + b"\r\n"
    async with guarded_app() as app, connect(app.port) as client:
        size = len(head) // parts + 1
        for start in range(0, len(head), size):
            await client.send(head[start : start + size])
        answer = await client.read_until(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert (await request(app.port, "GET /")).status == 200


@pytest.mark.parametrize(
    "lengths",
    [
        ("content-length: 3", "transfer-encoding: chunked"),
        ("transfer-encoding: chunked", "content-length: 0"),
    ],
)
async def test_a_body_of_two_lengths_is_refused(lengths: tuple[str, str]) -> None:
    async with guarded_app() as app, connect(app.port) as client:
        await client.send(
            f"POST / HTTP/1.1\r\nhost: x\r\n{lengths[0]}\r\n{lengths[1]}\r\n\r\n0\r\n\r\n".encode()
        )
        answer = await client.read_answer()
        assert answer.status == 400
        assert b"invalid_request" in answer.body
        await client.read_eof()


async def test_a_silent_connection_is_pinged_before_a_proxy_ends_it(mock_clock: MockClock) -> None:
    async with guarded_app() as app, connect(app.port) as client:
        await client.open_websocket("/ws")
        for _ in range(3):
            await wait_all_tasks_blocked()
            mock_clock.jump(25)
            assert await client.read_frame() == (PING, b"")
            await client.send(frame(PONG))
        await client.send(frame(TEXT, b"still here"))
        assert await client.read_text() == "still here"
        await wait_all_tasks_blocked()
        mock_clock.jump(15)
        await client.send(frame(TEXT, b"and again"))
        assert await client.read_text() == "and again"
        await wait_all_tasks_blocked()
        mock_clock.jump(15)  # a ping would be due, if nothing had been sent meanwhile
        await client.send(frame(TEXT, b"no ping came"))
        assert await client.read_frame() == (TEXT, b"no ping came")


async def test_pings_end_with_their_connection() -> None:
    async with guarded_app() as app:
        assert (await request(app.port, "GET /")).status == 200
        await wait_all_tasks_blocked()
        before = trio.lowlevel.current_statistics().tasks_living
        async with connect(app.port) as client:
            await client.open_websocket("/ws")
            await client.send(frame(CLOSE, b"\x03\xe8"))
            assert await client.read_close() == 1000
        async with connect(app.port) as client:
            await client.open_websocket("/ws")
        await app.wait_for_handlers(0)
        await wait_all_tasks_blocked()
        assert trio.lowlevel.current_statistics().tasks_living == before
