"""Roles, logins and headers through nginx's TLS: what a client may claim, and what it may not."""

import json
import re
from http.cookies import SimpleCookie
from typing import Any

import pytest
import trio

from tests.e2e_nginx.client import ask, connect, connected, new_address
from tests.e2e_nginx.conftest import ORIGIN, Instances
from tests.e2e_nginx.proxy import NAME, Proxy
from tests.web.access.conftest import Known
from tests.web.wire import handshake

JSON = "application/json"


async def log_in(proxy: Proxy, secret: str, **headers: Any) -> tuple[int, str]:
    """The status, and the cookie that a browser would keep."""
    body = json.dumps({"secret": secret})
    answer = await ask(proxy, "POST /api/login", body=body, content_type=JSON, **headers)
    return answer.status, answer.headers.get("set-cookie", "")


async def role(proxy: Proxy, **headers: Any) -> str:
    """Who the instances take one for."""
    return str(json.loads((await ask(proxy, "GET /api/session", **headers)).body)["role"])


async def test_a_viewer_watches_and_a_teacher_trains_through_tls(proxy: Proxy, keys: Known) -> None:
    async with (
        connected(proxy, "/ws/training") as student,
        connected(proxy, "/ws/training", secret=keys.teacher) as teacher,
    ):
        await student.expect("training_status")
        await student.send("start_training", num_episodes=1)
        assert (await student.expect("error"))["code"] == "forbidden"
        await teacher.send("start_training", num_episodes=1, max_steps=5, step_delay=0, seed=1)
        await student.expect("training_started")
        await student.expect("training_complete")


async def test_a_login_on_the_page_holds_at_both_instances(
    proxy: Proxy, instances: Instances, keys: Known
) -> None:
    status, header = await log_in(proxy, keys.teacher, origin=ORIGIN)
    assert status == 200
    assert header.startswith("__Host-hamlet=")
    assert re.search(r"; Secure\b.*; HttpOnly\b.*; SameSite=Strict", header)
    cookie = f"__Host-hamlet={SimpleCookie(header)['__Host-hamlet'].value}"
    assert {await role(proxy, cookie=cookie) for _ in range(6)} == {"teacher"}
    async with connect(proxy) as client:
        await client.send(handshake("/ws/training", host=NAME, origin=ORIGIN, cookie=cookie))
        assert (await client.read_answer()).status == 101
    # The cookie of somebody else's browser, sent by a foreign page, opens nothing.
    async with connect(proxy) as client:
        await client.send(handshake("/ws/training", host=NAME, origin="https://evil.example", cookie=cookie))
        assert (await client.read_answer()).status == 403


async def test_a_foreign_page_logs_nobody_in(proxy: Proxy, keys: Known) -> None:
    assert (await log_in(proxy, keys.teacher, origin="https://evil.example"))[0] == 403


@pytest.mark.parametrize("name", ["X-Remote-User", "x-remote-user", "X-REMOTE-USER", "X_Remote_User"])
async def test_nobody_writes_the_single_sign_on_s_header(proxy: Proxy, name: str) -> None:
    async with connect(proxy) as client:
        await client.send(f"GET /api/session HTTP/1.1\r\nhost: {NAME}\r\n{name}: jones\r\n\r\n".encode())
        assert json.loads((await client.read_answer()).body)["role"] == "viewer"


async def test_a_client_s_address_is_what_nginx_sees(proxy: Proxy, instances: Instances) -> None:
    address = new_address()
    async with connect(proxy, address) as client:
        await client.open_websocket("/ws/training", host=NAME, x_forwarded_for="203.0.113.9", x_real_ip="x")
        await trio.to_thread.run_sync(lambda: instances.servers[0].wait_for("connected", client=address))
    assert "203.0.113.9" not in instances.servers[0].output()


async def test_guesses_are_slowed_down_by_the_server_and_stop_no_valid_token(
    proxy: Proxy, keys: Known
) -> None:
    address = new_address()
    codes = [(await log_in(proxy, "hamlet_guess", address=address))[0]]
    while codes[-1] != 429 and len(codes) < 500:  # each less than two seconds after the one before counts
        codes.append((await log_in(proxy, "hamlet_guess", address=address))[0])
    assert (codes[-1], set(codes[:-1])) == (429, {401})
    assert len(codes) > 30
    # As many again at nginx's door, of which none reaches a limit of its own.
    assert {(await log_in(proxy, "hamlet_guess", address=address))[0] for _ in range(40)} <= {401, 429}
    assert {(await log_in(proxy, keys.teacher, address=address))[0] for _ in range(4)} == {200}
    assert (await log_in(proxy, "hamlet_guess"))[0] == 401


async def test_no_secret_is_in_any_log(proxy: Proxy, instances: Instances, keys: Known) -> None:
    await log_in(proxy, keys.code)
    await ask(proxy, f"GET /api/models?code={keys.code}", authorization=f"Bearer {keys.viewer}")
    texts = [path.read_text(errors="replace") for path in proxy.folder.glob("*") if path.suffix == ".log"]
    texts += [server.output() for server in instances.servers]
    assert len(texts) >= 3
    for secret in (keys.teacher, keys.viewer, keys.code):
        assert not any(secret in text for text in texts)
