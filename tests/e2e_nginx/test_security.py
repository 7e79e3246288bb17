"""What nginx.conf does for safety: TLS, headers, refusals, the log."""

import json
import re
import ssl
import warnings
from http.client import HTTPConnection

import pytest
import trio

from hamlet_trio.protocol.errors import ErrorCode
from hamlet_trio.web.page import BUILT_POLICY
from tests.e2e_nginx.client import ask, connect, new_address, open_stream, trusting
from tests.e2e_nginx.conftest import ORIGIN, Instances
from tests.e2e_nginx.proxy import NAME, SHIPPED, Proxy
from tests.patience import PATIENCE
from tests.web.wire import handshake, request


def test_plain_http_leads_to_https_under_the_file_s_own_name(proxy: Proxy) -> None:
    # Plain HTTP at the port of HTTPS too: somebody typed the port and not the scheme.
    for host, port in ((NAME, proxy.plain_port), ("evil.example.org", proxy.plain_port), (NAME, proxy.port)):
        connection = HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/?view=train", headers={"Host": host})
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Location"]) == (301, f"{ORIGIN}:{proxy.port}/?view=train")
        connection.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_current_tls_is_spoken(proxy: Proxy, version: ssl.TLSVersion) -> None:
    context = trusting(proxy)
    context.minimum_version = context.maximum_version = version
    transport = await trio.open_tcp_stream("127.0.0.1", proxy.port)
    stream = trio.SSLStream(transport, context, server_hostname=NAME)
    await stream.do_handshake()
    assert stream.version() == version.name.replace("_", ".")
    await trio.aclose_forcefully(stream)


async def test_old_tls_is_refused(proxy: Proxy) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old is the point here
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    transport = await trio.open_tcp_stream("127.0.0.1", proxy.port)
    stream = trio.SSLStream(transport, context, server_hostname=NAME)
    with pytest.raises(trio.BrokenResourceError) as refused:
        await stream.do_handshake()
    assert "PROTOCOL_VERSION" in str(refused.value.__cause__)
    await trio.aclose_forcefully(stream)


@pytest.mark.parametrize("line", ["GET /", "GET /api/models", "GET /nothing", "GET /metrics"])
async def test_every_answer_carries_the_security_headers_once(proxy: Proxy, line: str) -> None:
    async with connect(proxy) as client:
        await client.send(f"{line} HTTP/1.1\r\nhost: {NAME}\r\naccept: text/html\r\n\r\n".encode())
        head = (await client.read_until(b"\r\n\r\n")).decode().lower()
    for name, value in {
        "strict-transport-security": "max-age=31536000",
        "x-content-type-options": "nosniff",
        "x-frame-options": "sameorigin",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
    }.items():
        assert re.findall(rf"^{name}: (.*)\r$", head, re.M) == [value]
    (policy,) = re.findall(r"^content-security-policy: (.*)\r$", head, re.M)
    assert f"connect-src 'self' wss://{NAME}:{proxy.port};" in policy
    assert re.findall(r"^server: (.*)\r$", head, re.M) == ["nginx"]


def test_the_policy_is_the_server_s_own_for_this_one_name() -> None:
    (policy,) = re.findall(r'Content-Security-Policy +"(.*)" always', SHIPPED.read_text(encoding="utf-8"))
    assert policy.replace("wss://$server_name$hamlet_port", "ws: wss:") == BUILT_POLICY


def test_refusals_of_nginx_have_codes_of_the_protocol() -> None:
    codes = re.findall(r'"code":"(\w+)"', SHIPPED.read_text(encoding="utf-8"))
    assert set(codes) == {ErrorCode.RATE_LIMITED, ErrorCode.SERVER_FULL, ErrorCode.STARTING}


@pytest.mark.parametrize("path", ["/metrics", "//metrics", "/%6detrics", "/x/../metrics", "/metrics?x=1"])
async def test_metrics_are_closed_to_everybody_outside(proxy: Proxy, path: str) -> None:
    for address in ("127.0.0.1", new_address()):
        answer = await ask(proxy, f"GET {path}", address=address)
        assert answer.status == 403
        assert b"hamlet_" not in answer.body


async def test_metrics_are_open_at_the_instance(instances: Instances) -> None:
    assert b"hamlet_ready 1.0" in (await request(instances.ports[0], "GET /metrics")).body


@pytest.mark.parametrize("path", ["/ws", "/ws/training", "/ws/room"])
async def test_foreign_origins_are_refused_at_the_handshake(proxy: Proxy, path: str) -> None:
    for origin, status in {
        ORIGIN: 101,
        "": 101,
        "https://evil.example.org": 403,
        f"http://{NAME}": 403,
        "null": 403,
    }.items():
        async with connect(proxy) as client:
            await client.send(handshake(path, host=NAME, origin=origin))
            answer = await client.read_answer()
            assert answer.status == status, origin
            assert status == 101 or json.loads(answer.body)["code"] == "forbidden_origin"


async def test_the_log_is_json_without_secrets(proxy: Proxy) -> None:
    secret = "a-secret-of-somebody"  # noqa: S105  # the test's own
    agent = 'quote " and backslash \\'
    answer = await ask(
        proxy,
        f"GET /api/models?token={secret}",
        user_agent=agent,
        authorization=f"Bearer {secret}",
        cookie=f"hamlet={secret}",
        referer=f"{ORIGIN}/?token={secret}",
    )
    assert answer.status == 401
    # Its worker writes the line after the answer; the next request on the same address is the sign.
    async with await open_stream(proxy, new_address()):
        pass
    text = (proxy.folder / "hamlet.log").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    mine = [line for line in lines if line["agent"] == agent]
    assert [(line["method"], line["path"], line["status"], line["instance_status"]) for line in mine] == [
        ("GET", "/api/models", 401, "401")
    ]
    assert secret not in text


async def test_every_line_of_the_log_is_json_whatever_a_client_sends(proxy: Proxy) -> None:
    address = new_address()
    rest = b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    sent = {
        b"GET /%ff%22%5c" + rest: ("/%ff%22%5c", 404),
        b"GET /\xff?x=1" + rest: ("not ASCII", 400),
        b"GET /api/models?x=\xff" + rest + b"user-agent: \xff\r\n": ("/api/models", 400),
        b"GET /a?b?c" + rest: ("/a", 404),
        b'GET /"\\' + rest: ('/"\\', 404),
        b"GET /\x7f" + rest: ("", 400),
        b"GET /none HTTP/1.1\r\n": ("/none", 400),
        b"\xff\xfe\r\n": ("", 400),
    }
    mine: list[dict[str, object]] = []
    for number, head in enumerate(sent, 1):
        async with connect(proxy, address) as client:
            await client.send(head + b"\r\n")
            await client.read_eof()
        with trio.fail_after(PATIENCE):
            while True:  # nginx may write the line only after the client has closed
                lines = [json.loads(line) for line in (proxy.folder / "hamlet.log").read_bytes().splitlines()]
                mine = [line for line in lines if line["client"] == address]
                if len(mine) >= number:
                    break
                await trio.sleep(0.01)
    assert [(line["path"], line["status"]) for line in mine] == list(sent.values())
    assert [mine[number]["agent"] for number in (1, 2)] == ["", "not ASCII"]
