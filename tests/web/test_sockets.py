"""How a WebSocket begins and ends around its session: real sockets, and sessions made for each test."""

import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from hypercorn.config import Sockets
from hypercorn.trio.run import worker_serve
from hypercorn.utils import wrap_app
from quart import Response
from quart_trio import QuartTrio
from trio.testing import MockClock

from hamlet_trio.connection import ReadBatch, ServerFullError, Transport
from hamlet_trio.protocol.errors import CloseCode
from hamlet_trio.settings import Settings
from hamlet_trio.web.access.login_routes import install_access_control
from hamlet_trio.web.guard import install_guard
from hamlet_trio.web.guard.websocket import DIRECT
from hamlet_trio.web.listening import listen
from hamlet_trio.web.serve import make_config
from hamlet_trio.web.sockets import Endpoint, WebSocketTransport, serve_or_refuse
from tests.patience import PATIENCE
from tests.web.conftest import make_app
from tests.web.wire import CONTINUATION, PING, TEXT, connect, frame, handshake

Session = Callable[..., Awaitable[CloseCode | None]]


class Place:
    """One place, and whether it is taken."""

    def __init__(self) -> None:
        self.taken = False
        self.given_back = trio.Event()

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Take it."""
        if self.taken:
            raise ServerFullError("places", 1, "HAMLET_PLACES")
        self.taken = True
        try:
            yield
        finally:
            self.taken = False
            self.given_back.set()


@dataclass
class Serving:
    """A server under test: `end` ends it."""

    port: int
    draining: trio.Event
    place: Place = field(default_factory=Place)
    end: trio.Event = field(default_factory=trio.Event)


@asynccontextmanager
async def serving(folder: Path, session: Session, **settings: object) -> AsyncIterator[Serving]:
    """Serve this session at `/`, which has one place."""
    install_guard()
    real = make_app(folder, **settings)
    sockets = listen("127.0.0.1", 0)
    server = Serving(sockets[0].getsockname()[1], real.server.draining)
    app = QuartTrio("sockets")
    install_access_control(app, real.server.access, real.server.origins)
    endpoint = Endpoint("/ws", server.place.admit, real.server.sessions, session)

    @app.websocket("/")
    async def socket() -> Response | None:
        return await serve_or_refuse(real.server, endpoint)

    config = make_config(real)
    config.graceful_timeout = 0
    async with trio.open_nursery() as nursery:

        async def serve() -> None:
            opened = Sockets([], sockets, [])
            wrapped = wrap_app(app, 1000, "asgi")
            await worker_serve(wrapped, config, sockets=opened, shutdown_trigger=server.end.wait)

        nursery.start_soon(serve)
        try:
            yield server
        finally:
            server.end.set()


async def wait_in(transport: Transport) -> None:
    """What every session does: receive, so that a disconnect is noticed."""
    while True:
        await transport.receive()


@pytest.mark.parametrize("code", [*CloseCode, None])
async def test_a_session_is_closed_with_the_code_it_returns(code: CloseCode | None, tmp_path: Path) -> None:
    async def session(transport: Transport, **_: object) -> CloseCode | None:
        assert await transport.receive() == "hello"
        await transport.send("answer")
        return code

    async with serving(tmp_path, session) as server, connect(server.port) as client:
        await client.open_websocket("/")
        await client.send(frame(TEXT, b"hello"))
        assert await client.read_text() == "answer"
        assert await client.read_close() == (code or 1000)
        await client.read_eof()
        with trio.fail_after(PATIENCE):
            await server.place.given_back.wait()


async def test_texts_that_are_taken_as_they_come_keep_their_order(tmp_path: Path) -> None:
    sent = [f"{'now' if number % 3 else 'later'} {number}" for number in range(300)]
    heard: list[str] = []
    taken: list[str] = []
    batch = ReadBatch()
    sizes: set[int] = set()

    async def take_turns() -> None:
        with batch.taking_turns():
            while True:
                sizes.add(len(batch))
                batch.read()
                await trio.lowlevel.checkpoint()

    async def session(transport: Transport, **given: object) -> None:
        def take(text: str) -> bool:
            if text.startswith("later") or not transport.send_nowait("heard"):
                return False
            taken.append(text)
            heard.append(text)
            return True

        transport.take_with(take, batch)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(take_turns)
            while len(heard) < len(sent):
                text = await transport.receive()
                for _ in range(5):  # it takes a while, during which more is read
                    await trio.lowlevel.checkpoint()
                heard.append(str(text))
                await transport.send("heard")
            nursery.cancel_scope.cancel()

    async with serving(tmp_path, session) as server, connect(server.port) as client:
        await client.open_websocket("/")
        for number, text in enumerate(sent):
            first, second = text[:2].encode(), text[2:].encode()
            match number % 7:
                case 5:  # in two frames, with a ping between
                    parts = frame(TEXT, first, fin=False) + frame(PING), frame(CONTINUATION, second)
                case 6:  # in two writes
                    whole = frame(TEXT, text.encode())
                    parts = whole[:1], whole[1:]
                case _:
                    parts = (frame(TEXT, text.encode()), b"")
            for part in parts:
                await client.send(part)
                await trio.lowlevel.checkpoint()
            if number % 10 == 9:
                for _ in range(10):
                    await client.read_text()
        assert await client.read_close() == 1000
    assert heard == sent
    assert len(taken) > 10
    assert sizes == {0, 1}  # it was read in turns, and by its own task
    assert len(batch) == 0


async def test_a_session_is_given_its_id(tmp_path: Path) -> None:
    told: dict[str, object] = {}

    async def session(transport: Transport, **given: object) -> None:
        told.update(given)

    async with serving(tmp_path, session) as server, connect(server.port) as client:
        await client.open_websocket("/")
        await client.read_close()
    assert isinstance(told["settings"], Settings)
    assert isinstance(told["draining"], trio.Event)
    assert len(str(told["session_id"])) == 8


async def test_an_error_in_a_session_closes_with_1011_and_is_logged_with_the_sessions_id(
    tmp_path: Path, logged: list[Any]
) -> None:
    ids: list[str] = []

    async def session(transport: Transport, *, session_id: str, **_: object) -> None:
        ids.append(session_id)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_in, transport)
            raise KeyError("a bug in a session")

    async with serving(tmp_path, session) as server, connect(server.port) as client:
        await client.open_websocket("/")
        assert await client.read_close() == 1011
    (error,) = [event for event in logged if event["log_level"] == "error"]
    assert "a bug in a session" in "".join(traceback.format_exception(error["exc_info"]))
    assert (error["event"], error["session_id"], error["endpoint"]) == ("session_failed", ids[0], "/ws")


async def test_an_error_in_the_cleanup_of_a_session_whose_client_left_does_not_vanish(
    tmp_path: Path, logged: list[Any]
) -> None:
    async def session(transport: Transport, **_: object) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_in, transport)
            nursery.start_soon(fail_when_cancelled)

    async def fail_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise RuntimeError("a bug in a cleanup")

    async with serving(tmp_path, session) as server:
        async with connect(server.port) as client:
            await client.open_websocket("/")
        with trio.fail_after(PATIENCE):
            await server.place.given_back.wait()
    (error,) = [event for event in logged if event["log_level"] == "error"]
    assert "a bug in a cleanup" in "".join(traceback.format_exception(error["exc_info"]))


async def test_a_session_that_is_cancelled_at_the_servers_end_is_closed_with_1012(tmp_path: Path) -> None:
    async def session(transport: Transport, **_: object) -> None:
        await wait_in(transport)

    async with serving(tmp_path, session) as server, connect(server.port) as client:
        await client.open_websocket("/")
        server.end.set()
        assert await client.read_close() == 1012


async def never(transport: Transport, **_: object) -> None:
    """A session that must not begin."""
    raise AssertionError("the handshake was to be refused")


async def test_a_full_server_refuses_before_it_accepts(tmp_path: Path) -> None:
    async with serving(tmp_path, never) as server, connect(server.port) as client:
        server.place.taken = True
        await client.send(handshake("/"))
        answer = await client.read_answer()
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        problem = json.loads(answer.body)
        assert (problem["code"], "HAMLET_PLACES" in problem["detail"]) == ("server_full", True)
        await client.read_eof()


async def test_a_draining_server_refuses(tmp_path: Path) -> None:
    async with serving(tmp_path, never) as server, connect(server.port) as client:
        server.draining.set()
        await client.send(handshake("/"))
        answer = await client.read_answer()
        assert (answer.status, json.loads(answer.body)["code"]) == (503, "draining")
        assert answer.headers["retry-after"] == "5"
        assert not server.place.taken


async def test_a_foreign_page_is_refused(tmp_path: Path) -> None:
    listed = ["https://page.example"]
    async with (
        serving(tmp_path, never, allowed_origins=listed) as server,
        connect(server.port) as client,
    ):
        await client.send(handshake("/", origin="https://evil.example"))
        answer = await client.read_answer()
        assert (answer.status, json.loads(answer.body)["code"]) == (403, "forbidden_origin")
        assert not server.place.taken


async def test_an_idle_connection_is_closed_with_4408(tmp_path: Path) -> None:
    async def session(transport: Transport, **_: object) -> None:
        await wait_in(transport)

    async with serving(tmp_path, session, idle_timeout=0.05) as server, connect(server.port) as client:
        await client.open_websocket("/")
        assert await client.read_close() == 4408
        with trio.fail_after(PATIENCE):
            await server.place.given_back.wait()


async def test_every_frame_of_either_side_puts_the_end_off(mock_clock: MockClock) -> None:
    class Socket:
        def __init__(self) -> None:
            self.scope = {"state": {DIRECT: self}}
            self.handed = 0

        def send_nowait(self, text: str) -> bool:
            return text == "frame"

        def take_with(self, take: Callable[[str], bool], batch: ReadBatch) -> None:
            self.take = take

        async def receive(self) -> str:
            return "frame"

        async def send(self, text: str) -> None:
            assert text

    with trio.CancelScope() as patience:
        socket = Socket()
        transport = WebSocketTransport(
            socket,  # type: ignore[arg-type]
            patience,
            10,
        )
        transport.take_with("frame".__eq__, ReadBatch())

        async def send_nowait() -> None:
            assert transport.send_nowait("frame")

        async def take() -> None:
            assert socket.take("frame")

        async def receive() -> None:
            socket.handed += 1
            await transport.receive()

        for use in (take, receive, partial(transport.send, "frame"), send_nowait):
            for pause in (9.0, 0.04, 0.04, 0.04):
                mock_clock.jump(pause)
                await use()
                assert 10 <= patience.deadline - trio.current_time() <= 10.1 + 1e-9
        mock_clock.jump(1.0)
        assert not transport.send_nowait("another")  # what is not sent puts nothing off
        assert not socket.take("another")
        assert patience.deadline - trio.current_time() < 9.2
        mock_clock.autojump_threshold = 0
        await trio.sleep_forever()
    assert patience.cancelled_caught


async def test_a_client_with_all_its_places_is_refused_before_the_server_is_full(tmp_path: Path) -> None:
    async def session(transport: Transport, **_: object) -> None:
        await wait_in(transport)

    async with (
        serving(tmp_path, session, max_sessions_per_client=1) as server,
        connect(server.port) as first,
        connect(server.port) as second,
    ):
        await first.open_websocket("/")
        await second.send(handshake("/"))
        answer = await second.read_answer()
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        problem = json.loads(answer.body)
        assert (problem["code"], "HAMLET_MAX_SESSIONS_PER_CLIENT" in problem["detail"]) == (
            "client_full",
            True,
        )


async def test_a_client_that_opens_too_many_is_refused(tmp_path: Path, mock_clock: MockClock) -> None:
    async def session(transport: Transport, **_: object) -> None:
        await wait_in(transport)

    async with serving(tmp_path, session, handshake_rate=0.5, handshake_burst=1) as server:
        async with connect(server.port) as first:
            await first.open_websocket("/")
        async with connect(server.port) as second:
            await second.send(handshake("/"))
            answer = await second.read_answer()
            assert (answer.status, answer.headers["retry-after"]) == (429, "2")
            assert json.loads(answer.body)["code"] == "rate_limited"
            await second.read_eof()
