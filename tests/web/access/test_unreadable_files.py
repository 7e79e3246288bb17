"""Files that cannot be read cost what they hold, and nothing else: no connection, and no start."""

import json
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from hamlet_trio.web.access.access_control import Principal
from hamlet_trio.web.access.roles import Role
from tests.web.access.conftest import CLIENT, Browser, Known, MakeApp, bearer


async def test_a_damaged_tokens_file_admits_nobody_and_ends_nothing(
    guarded: MakeApp, known: Known, logged: list[Any], autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    whole = known.file.read_bytes()
    known.file.write_bytes(b"\xff" + whole)
    app = guarded()
    access = app.server.access
    nursery.start_soon(access.run)

    def problem() -> str:
        return access.problem or ""

    await trio.sleep(1.5)
    assert "tokens.json" in problem()
    assert [event["event"] for event in logged] == ["tokens_unreadable"]
    browser = Browser(app)
    assert await browser.problem("GET /api/models", headers=bearer(known.teacher)) == (401, "bad_credentials")
    known.file.write_bytes(whole)
    await trio.sleep(1.5)
    assert problem() == ""
    assert (await browser.ask("GET /api/session", headers=bearer(known.teacher))).status_code == 200
    teacher = Principal(client=CLIENT, role=Role.TEACHER, token_id=known.id_of("token", "teacher"))
    with access.hold(teacher) as scope:
        for content in (b"", b"{", b"[" * 100_000, b"\0" * 10):
            known.file.write_bytes(content)
            await trio.sleep(2)
            assert "tokens.json" in problem()
        known.file.unlink()
        known.file.mkdir()
        await trio.sleep(2)
    assert not scope.cancelled_caught


@pytest.mark.parametrize("content", [b"", b"short", None])
async def test_a_damaged_cookie_key_costs_only_the_logins_made_before(
    content: bytes | None, guarded: MakeApp, known: Known, logged: list[Any], tmp_path: Path
) -> None:
    key = tmp_path / "cookie.key"
    if content is None:
        key.mkdir()
    else:
        key.write_bytes(content)
    app = guarded(cookie_key_file=str(key))
    assert app.server.access.problem is not None
    assert [event["event"] for event in logged] == ["cookie_key_unreadable"]
    browser = Browser(app)
    assert (await browser.login(known.teacher)).status_code == 200
    assert (await browser.session())["role"] == "teacher"


async def test_a_login_that_cannot_be_decoded_is_the_clients_error_and_limited(
    guarded: MakeApp, known: Known, logged: list[Any]
) -> None:
    browser = Browser(guarded(login_burst=5))
    bodies = [
        json.dumps({"secret": known.teacher})[:-2].encode() + b'\xff"}',
        b"\xff\xfe",
        b"",
        b"[" * 50_000,
        b'{"secret": 1}',
    ]
    for body in bodies:
        answer = await browser.problem("POST /api/login", body=body)
        assert answer == (400, "invalid_request")
    assert await browser.problem("POST /api/login", body=bodies[0]) == (429, "rate_limited")
    assert (await browser.login(known.teacher)).status_code == 200
    assert known.teacher not in str(logged)
