"""A request that cannot be decoded is its client's error on every route, and is no line of the log."""

import trio

from hamlet_trio.web.access.roles import ROUTES
from tests.e2e.conftest import Server
from tests.web.wire import connect

SECRET = b"hamlet_kept-to-oneself"
BYTES = (b"%ff", b"%00", b"%ed%a0%80", b"%0d%0a", b"%2f..%2f", b"%", b"%zz", b"\xff", b"%f0%9f%92%a9" * 50)
FIELDS = (
    b"cookie: hamlet=\xff" + SECRET,
    b"authorization: Bearer \xff" + SECRET,
    b"authorization: Basic \xff",
    b"accept: \xff/\xff;q=\xff",
    b"range: bytes=\xff-",
    b"if-none-match: \xff",
    b"if-modified-since: \xff",
    b"content-type: application/json; charset=\xff",
    b"content-type: multipart/form-data; boundary=\xff",
    b"x-forwarded-for: \xff",
    b"x-forwarded-proto: \xff",
    b"x-forwarded-prefix: \xff",
    b"origin: \xff",
    b"accept-encoding: \xff",
)
BODIES = (b"\xff", b'{"secret": "' + SECRET + b'\xff"}', b"[" * 20_000, b"\x00", b'{"secret": "\\ud800"}')


def requests() -> list[bytes]:
    """Requests to every route and method, each with one thing that cannot be decoded."""
    made = []
    for rule, methods in ROUTES.items():
        path = b"/".join(b"x" if part.startswith("<") else part.encode() for part in rule.split("/")) or b"/"
        for method in (*map(str.encode, methods), b"OPTIONS"):
            made += [
                method + b" " + path + b"?limit=" + text + b"&" + text + b"=1 HTTP/1.1" for text in BYTES
            ]
            if "<" in rule:
                made += [method + b" " + path + text + b" HTTP/1.1" for text in BYTES]
            made += [method + b" " + path + b" HTTP/1.1\r\n" + field for field in FIELDS]
            if method not in (b"GET", b"OPTIONS"):
                length = b" HTTP/1.1\r\ncontent-length: "
                made += [method + b" " + path + length + b"%d\r\n\r\n" % len(body) + body for body in BODIES]
    return made


async def test_what_cannot_be_decoded_is_the_clients_error_on_every_route(shared_server: Server) -> None:
    failed: list[tuple[bytes, int]] = []

    async def send(sent: bytes) -> None:
        head, _, body = sent.partition(b"\r\n\r\n")
        async with limit, connect(shared_server.port) as client:
            await client.send(head + b"\r\nhost: x\r\nconnection: close\r\n\r\n" + body)
            status = int((await client.read_until(b"\r\n")).split()[1])
            if status >= 500 and status != 503:
                failed.append((sent[:200], status))

    limit = trio.CapacityLimiter(10)
    before = len(shared_server.logged("error"))
    async with trio.open_nursery() as nursery:
        for request in requests():
            nursery.start_soon(send, request)
    assert failed == []
    assert len(shared_server.logged("error")) == before
    assert SECRET.decode() not in shared_server.output()
