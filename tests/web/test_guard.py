"""The guard over real sockets and the real Hypercorn: what a client does stays on its own connection."""

import traceback
import zlib
from typing import Any

import pytest
import trio
from hypercorn.events import Event
from trio.testing import MockClock, wait_all_tasks_blocked
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

from hamlet_trio.web.guard import tcp as guard_tcp
from hamlet_trio.web.guard.http import GuardedHTTP
from hamlet_trio.web.guard.websocket import text_frame
from tests.patience import PATIENCE
from tests.web.guarded import GuardedApp, guarded_app
from tests.web.killers import KILLERS, send_killer
from tests.web.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Client,
    connect,
    frame,
    handshake,
    request,
)


async def assert_alive(app: GuardedApp, session: Client) -> None:
    """A new request is answered and a WebSocket opened before still echoes."""
    assert (await request(app.port, "GET /")).body == b"alive"
    await session.send(frame(TEXT, b"still there?"))
    assert await session.read_text() == "still there?"


@pytest.mark.parametrize("name", KILLERS)
async def test_a_killer_request_ends_its_own_connection_alone(name: str) -> None:
    async with guarded_app() as app, connect(app.port) as session:
        await session.open_websocket()
        async with connect(app.port) as killer:
            await send_killer(killer, name)
            await killer.read_eof()
        await assert_alive(app, session)
        assert app.counts.failed == 0  # each is refused by rule, before it becomes an error


async def test_an_error_inside_hypercorn_is_contained_and_logged(
    monkeypatch: pytest.MonkeyPatch, logged: list[Any]
) -> None:
    handle = GuardedHTTP.handle

    async def fail_on_request(self: GuardedHTTP, event: Event) -> None:
        if b"/broken" in getattr(event, "data", b""):
            raise KeyError("a bug in the connection's code")
        await handle(self, event)

    monkeypatch.setattr(GuardedHTTP, "handle", fail_on_request)
    async with guarded_app() as app, connect(app.port) as session:
        await session.open_websocket()
        async with connect(app.port) as victim:
            await victim.send(b"GET /broken HTTP/1.1\r\nhost: x\r\n\r\n")
            await victim.read_eof()
        await assert_alive(app, session)
        assert app.counts.failed == 1
    (error,) = [event for event in logged if event["log_level"] == "error"]
    assert "a bug in the connection's code" in "".join(traceback.format_exception(error["exc_info"]))


async def test_a_client_that_stops_reading_is_dropped_and_its_handler_told() -> None:
    async with guarded_app(send_timeout=2) as app, connect(app.port) as reader:
        await reader.open_websocket("/push")
        async with connect(app.port) as silent:
            await silent.open_websocket("/push")
            assert app.handlers == 2
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_read_on, reader)
                await app.wait_for_handlers(1)
                nursery.cancel_scope.cancel()
        assert app.counts.stalled == 1


async def _send_on(client: Client) -> None:
    while True:
        await client.send(b"x" * 65536)


async def _read_on(client: Client) -> None:
    while True:
        await client.read_frame()


async def test_a_handler_that_only_sends_does_not_freeze_the_server_after_a_disconnect() -> None:
    async with guarded_app() as app:
        async with connect(app.port) as client:
            await client.open_websocket("/push")
            await client.read_frame()
        await app.wait_for_handlers(0)
        assert (await request(app.port, "GET /")).status == 200


async def test_a_pong_comes_between_whole_frames_where_the_kernel_took_a_part_of_one() -> None:
    async with guarded_app() as app, connect(app.port) as client:
        await client.open_websocket("/push")
        await client.send(frame(PING, b"between") * 50)
        pongs = 0
        while pongs < 50:  # the client reads after the server has filled the connection, again and again
            opcode, payload = await client.read_frame()
            assert (opcode, payload) in ((TEXT, b"x" * 10_000), (PONG, b"between"))
            pongs += opcode == PONG


async def test_what_is_sent_without_waiting_arrives_whole_and_in_order() -> None:
    async with guarded_app() as app, connect(app.port) as client:
        await client.open_websocket("/nowait")
        await client.send(frame(PING, b"between") * 50)
        pongs = texts = 0
        while pongs < 50 or texts < 5_000:  # far more than the kernel has room for
            opcode, payload = await client.read_frame()
            if opcode == PONG:
                assert payload == b"between"
                pongs += 1
            else:
                assert payload == bytes([ord("a") + texts % 26]) * 10_000
                texts += 1


async def test_one_that_stops_reading_what_is_sent_without_waiting_is_dropped(mock_clock: MockClock) -> None:
    async with guarded_app(send_timeout=20) as app, connect(app.port) as silent:
        await silent.open_websocket("/nowait")
        await wait_all_tasks_blocked(0.05)  # the kernel has no more room
        mock_clock.jump(20.1)
        await app.wait_for_handlers(0)
        assert app.counts.stalled == 1


async def test_nothing_is_sent_without_waiting_after_a_disconnect() -> None:
    async with guarded_app() as app:
        async with connect(app.port) as client:
            await client.open_websocket("/nowait")
            await client.read_frame()
        await app.wait_for_handlers(0)
        assert (await request(app.port, "GET /")).status == 200


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536])
@pytest.mark.parametrize("letter", ["a", "\N{GREEK SMALL LETTER ALPHA}"])
def test_a_text_frame_is_the_one_that_wsproto_makes(letter: str, length: int) -> None:
    text = letter * (length // len(letter.encode()))
    assert text_frame(text) == Connection(ConnectionType.SERVER).send(TextMessage(data=text))


@pytest.mark.parametrize("filler", ["a", "\N{GRINNING FACE}"])
async def test_the_message_limit_counts_bytes(filler: str) -> None:
    payload = filler.encode()
    fitting = payload * (2000 // len(payload))
    async with guarded_app(max_message_bytes=2000) as app, connect(app.port) as client:
        await client.open_websocket()
        await client.send(frame(TEXT, fitting))
        assert (await client.read_text()).encode() == fitting
        await client.send(frame(TEXT, fitting + b"a"))
        assert await client.read_close() == 1009
        await client.read_eof()
        assert app.counts.oversized == 1


async def test_a_message_without_end_is_dropped_at_the_limit() -> None:
    async with guarded_app(max_message_bytes=2000) as app, connect(app.port) as client:
        await client.open_websocket()
        await client.send(frame(BINARY, b"a" * 999, fin=False))
        await client.send(frame(CONTINUATION, b"", fin=False) * 500)
        await client.send(frame(CONTINUATION, b"a" * 999, fin=False))
        await client.send(frame(PING, b"there?"))
        assert await client.read_frame() == (PONG, b"there?")
        await client.send(frame(CONTINUATION, b"a" * 3, fin=False))
        assert await client.read_close() == 1009


async def test_after_1009_nothing_more_is_collected_and_the_handler_is_told() -> None:
    async with guarded_app(max_message_bytes=2000) as app, connect(app.port) as client:
        await client.open_websocket()
        await client.send(frame(TEXT, b"a" * 2001))
        assert await client.read_close() == 1009
        await app.wait_for_handlers(0)
        with trio.fail_after(PATIENCE):
            with pytest.raises(trio.BrokenResourceError):  # the reset that follows the discarding
                await _send_on(client)


@pytest.mark.parametrize(
    "sent",
    [frame(TEXT, b"a" * 2001), frame(TEXT, b"\xff"), frame(CLOSE, b"\x03\xe8")],
    ids=["too much", "not UTF-8", "a close frame"],
)
async def test_the_handler_is_told_also_where_the_client_is_gone_before_the_answer(sent: bytes) -> None:
    async with guarded_app(max_message_bytes=2000) as app:
        for _ in range(20):
            async with connect(app.port) as client:
                await client.open_websocket()
                await client.send(sent)  # and the answer meets a closed socket, which resets the connection
        await app.wait_for_handlers(0)


async def test_a_close_frame_arrives_although_the_client_is_still_sending() -> None:
    async with guarded_app() as app, connect(app.port) as client:
        await client.open_websocket("/closing")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, frame(TEXT, b"a" * 1000) * 2000)
            assert await client.read_close() == 1008
            nursery.cancel_scope.cancel()


PROTOCOL_ERRORS = {
    "text that is not UTF-8": (frame(TEXT, b"\xff\xfe"), 1007),
    "a frame without a mask": (frame(TEXT, b"hello", mask=False), 1002),
    "an unknown opcode": (frame(3, b"hello"), 1002),
    "a ping of 126 bytes": (frame(PING, b"a" * 126), 1002),
    "a reserved bit": (frame(TEXT, b"hello", rsv1=True), 1002),
    "a continuation of nothing": (frame(CONTINUATION, b"hello"), 1002),
}


@pytest.mark.parametrize("what", PROTOCOL_ERRORS)
async def test_a_protocol_error_closes_with_its_code(what: str) -> None:
    sent, code = PROTOCOL_ERRORS[what]
    async with guarded_app() as app, connect(app.port) as client:
        await client.open_websocket()
        await client.send(sent)
        assert await client.read_close() == code
        await app.wait_for_handlers(0)


async def test_a_close_is_answered_with_its_code() -> None:
    async with guarded_app() as app, connect(app.port) as client:
        await client.open_websocket()
        await client.send(frame(CLOSE, b"\x03\xe9bye"))
        assert await client.read_close() == 1001
        await client.read_eof()


async def test_data_before_the_handshake_is_answered_is_refused_and_the_handler_told() -> None:
    async with guarded_app() as app, connect(app.port) as client:
        await client.send(handshake("/waiting"))
        await client.send(frame(TEXT, b"too early"))
        assert (await client.read_answer()).status == 400
        await app.wait_for_handlers(0)


@pytest.mark.parametrize("path", ["/ws", "/refusing", "/nowhere"])
@pytest.mark.parametrize("parts", [1, 2, 4])
async def test_early_data_is_no_error_however_it_meets_the_apps_answer(path: str, parts: int) -> None:
    async with guarded_app() as app:
        early = frame(TEXT, b"too early")
        for _ in range(20):
            async with connect(app.port) as client:
                pieces = [handshake(path), *[early] * parts]
                for piece in pieces if parts > 1 else [b"".join(pieces)]:
                    await client.send(piece)
                assert (await client.read_answer()).status in (101, 400, 404, 503)
        assert (await request(app.port, "GET /")).status == 200
        assert app.counts.failed == 0


@pytest.mark.parametrize(
    ("headers", "status", "says"),
    [({"sec_websocket_version": "8"}, 426, b"version 13"), ({"sec_websocket_key": ""}, 400, b"be read")],
)
async def test_an_invalid_handshake_is_answered_with_a_problem_document(
    headers: dict[str, str], status: int, says: bytes
) -> None:
    async with guarded_app() as app, connect(app.port) as client:
        await client.send(handshake(**headers))
        answer = await client.read_answer()
        assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
        assert says in answer.body
        assert answer.headers.get("sec-websocket-version") == ("13" if status == 426 else None)
        assert app.counts.malformed == 1
        await client.read_eof()


async def test_a_refused_handshake_is_an_http_answer() -> None:
    async with guarded_app() as app, connect(app.port) as client:
        await client.send(handshake("/refusing"))
        answer = await client.read_answer()
        assert (answer.status, answer.body) == (503, b"full")
        await client.read_eof()


async def test_http2_with_prior_knowledge_is_refused() -> None:
    async with guarded_app() as app, connect(app.port) as client:
        await client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        answer = await client.read_answer()
        assert (answer.status, answer.headers["content-type"]) == (505, "application/problem+json")
        assert b'"code":"invalid_request"' in answer.body


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nhost:", handshake()[:-2]], ids=["none", "half", "most"]
)
async def test_a_request_that_does_not_come_is_not_waited_for(sent: bytes) -> None:
    async with guarded_app(keep_alive=0.1) as app, connect(app.port) as client:
        await client.send(sent)
        await client.read_eof()
        assert (await request(app.port, "GET /")).status == 200


async def test_an_upgrade_to_h2c_is_answered_over_http_1() -> None:
    async with guarded_app() as app, connect(app.port) as client:
        await client.send(
            b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: h2c\r\nconnection: Upgrade, HTTP2-Settings\r\n"
            b"http2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n"
        )
        answer = await client.read_answer()
        assert (answer.status, answer.body) == (200, b"alive")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT example.org:80 HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET ?x HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\nfiller: " + b"a" * 70_000, 431),
        (b"HEAD / HTTP/2.0\r\nhost: x\r\n\r\n", 505),
    ],
)
async def test_what_cannot_be_read_is_answered_with_a_problem_document(sent: bytes, status: int) -> None:
    async with guarded_app() as app, connect(app.port) as client:
        await client.send(sent)
        head = await client.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert b"application/problem+json" in head
        assert app.counts.malformed == 1


OFFER = "permessage-deflate; client_max_window_bits"


def deflated(payload: bytes) -> bytes:
    """A message as permessage-deflate sends it."""
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


async def test_compression_is_off_unless_set() -> None:
    async with guarded_app() as app, connect(app.port) as client:
        answer = await client.open_websocket(sec_websocket_extensions=OFFER)
        assert "sec-websocket-extensions" not in answer.headers


async def test_compression_can_be_set() -> None:
    async with guarded_app(compression=True) as app, connect(app.port) as client:
        answer = await client.open_websocket(sec_websocket_extensions=OFFER)
        assert answer.headers["sec-websocket-extensions"].startswith("permessage-deflate")
        for _ in range(2):  # the second message shows that the count begins anew
            await client.send(frame(TEXT, deflated(b"hello " * 8000), rsv1=True))
            opcode, payload = await client.read_frame()
            assert (opcode, len(payload) < 1000) == (TEXT, True)


async def test_an_invalid_offer_of_compression_is_ignored() -> None:
    async with guarded_app(compression=True) as app, connect(app.port) as client:
        offer = "permessage-deflate; client_max_window_bits=many"
        answer = await client.open_websocket(sec_websocket_extensions=offer)
        assert "sec-websocket-extensions" not in answer.headers
        await client.send(frame(TEXT, b"hello"))
        assert await client.read_text() == "hello"


async def test_a_message_that_inflates_past_the_limit_closes_with_1009() -> None:
    async with guarded_app(compression=True) as app, connect(app.port) as client:
        await client.open_websocket(sec_websocket_extensions=OFFER)
        await client.send(frame(TEXT, deflated(b"\0" * 60_000_000), rsv1=True))
        assert await client.read_close() == 1009
        assert app.counts.oversized == 1


async def test_fragments_that_inflate_past_the_limit_together_close_with_1009() -> None:
    async with guarded_app(compression=True, max_message_bytes=2000) as app, connect(app.port) as client:
        await client.open_websocket(sec_websocket_extensions=OFFER)
        whole = deflated(b"\0" * 60_000)
        pieces: list[dict[str, Any]] = [{"opcode": TEXT, "rsv1": True}, {"opcode": CONTINUATION}]
        for part, piece in zip((whole[:20], whole[20:]), pieces, strict=True):
            await client.send(frame(payload=part, fin=False, **piece))
        assert await client.read_close() == 1009


async def test_a_client_that_reads_to_the_end_is_not_kept_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end comes with the answer, not when the server has done with discarding what may still arrive."""
    monkeypatch.setattr(guard_tcp, "LINGER", 3600.0)
    async with guarded_app() as app, connect(app.port) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        with trio.fail_after(PATIENCE):
            await client.read_eof()
