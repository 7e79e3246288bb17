"""Who may do what over HTTP: the real app, asked from addresses of the test's choice."""

import json
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from hamlet_trio.settings import Settings, SettingsError
from hamlet_trio.web.access.roles import ROUTES, Role
from hamlet_trio.web.access.token_file import check_access
from hamlet_trio.web.access.tokens import Tokens
from hamlet_trio.web.app import HamletApp
from tests.web.access.conftest import PROXY, Browser, Known, MakeApp, add_token, bearer, revoke


async def test_a_route_without_a_role_needs_a_teacher(guarded: MakeApp, known: Known) -> None:
    app = guarded(login="teachers")

    @app.get("/api/novelty")
    async def novelty() -> str:
        return "new"

    browser = Browser(app)
    assert await browser.problem("GET /api/novelty") == (401, "login_needed")
    assert await browser.problem("GET /api/novelty", headers=bearer(known.viewer)) == (403, "forbidden")
    assert (await browser.ask("GET /api/novelty", headers=bearer(known.teacher))).status_code == 200


WATCHING = [(rule, m) for rule, methods in ROUTES.items() for m, role in methods.items() if role == 1]


@pytest.mark.parametrize(("rule", "method"), WATCHING)
async def test_watching_needs_a_login_where_the_setting_says_so(
    rule: str, method: str, guarded: MakeApp, known: Known
) -> None:
    path = rule.replace("<path:name>", "x").replace("<run_id>", "x")
    browser = Browser(guarded())
    refused = await browser.ask(f"{method} {path}")
    assert (refused.status_code, refused.mimetype) == (401, "application/problem+json")
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="Hamlet"'
    assert await browser.problem(f"{method} {path}") == (401, "login_needed")
    for secret in (known.viewer, known.teacher):
        assert (await browser.ask(f"{method} {path}", headers=bearer(secret))).status_code not in (401, 403)
    open_to_all = Browser(guarded(login="teachers"))
    assert (await open_to_all.ask(f"{method} {path}")).status_code not in (401, 403)


async def test_in_development_nobody_logs_in(app: HamletApp) -> None:
    browser = Browser(app)
    nobody = {"role": "teacher", "name": None, "login": "nobody", "may_watch": True, "may_train": True}
    assert await browser.session() == nobody
    response = await browser.login("whatever")
    assert (response.status_code, json.loads(await response.get_data())) == (200, nobody)
    assert "Set-Cookie" not in response.headers
    assert (await browser.ask("POST /api/logout")).status_code == 200


async def test_a_login_lasts_until_logging_out(guarded: MakeApp, known: Known) -> None:
    browser = Browser(guarded())
    assert (await browser.session())["role"] == "anyone"
    response = await browser.login(known.code.upper())
    session = {"role": "viewer", "name": "3b", "login": "everyone", "may_watch": True, "may_train": False}
    assert json.loads(await response.get_data()) == session
    assert response.headers["Cache-Control"] == "no-store"
    assert await browser.session() == session
    assert (await browser.ask("GET /api/models")).status_code == 200
    await browser.login(known.teacher)
    assert (await browser.session())["may_train"] is True
    await browser.ask("POST /api/logout")
    assert (await browser.session())["role"] == "anyone"
    assert await browser.problem("GET /api/models") == (401, "login_needed")


@pytest.mark.parametrize(("proto", "name"), [("https", "__Host-hamlet"), ("http", "hamlet")])
async def test_the_cookie_is_out_of_reach(proto: str, name: str, guarded: MakeApp, known: Known) -> None:
    browser = Browser(guarded(trusted_proxies=(PROXY,)), PROXY)
    response = await browser.login(known.teacher, X_Forwarded_Proto=proto)
    (cookie,) = SimpleCookie(response.headers["Set-Cookie"]).values()
    assert cookie.key == name
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    assert (cookie["secure"], cookie["domain"], cookie["max-age"]) == (
        proto == "https" or "",
        "",
        str(12 * 3600),
    )
    assert known.teacher not in response.headers["Set-Cookie"]
    headers = {"X-Forwarded-Proto": proto, "Cookie": f"{name}={cookie.value}"}
    other = Browser(guarded(trusted_proxies=(PROXY,)), PROXY)
    assert (await other.session(**headers))["role"] == "teacher", "another instance has the same key"


async def test_a_stranger_s_word_on_https_is_not_taken(guarded: MakeApp, known: Known) -> None:
    response = await Browser(guarded()).login(known.teacher, X_Forwarded_Proto="https")
    assert "Secure" not in response.headers["Set-Cookie"]


async def test_a_revoked_token_ends_its_logins_at_once(guarded: MakeApp, known: Known) -> None:
    browser = Browser(guarded())
    await browser.login(known.teacher)
    assert (await browser.session())["role"] == "teacher"
    revoke(known.file, known.id_of("token", "teacher"))
    assert (await browser.session())["role"] == "anyone"
    assert await browser.problem("GET /api/models", headers=bearer(known.teacher)) == (401, "bad_credentials")
    # And a new one works at once.
    new = add_token(known.file, "Mr Smith", "teacher")
    assert (await browser.session(**bearer(new)))["name"] == "Mr Smith"


async def test_a_code_that_was_recognised_is_forgotten_when_it_is_revoked(
    guarded: MakeApp, known: Known
) -> None:
    browser = Browser(guarded())
    assert (await browser.session(**bearer(known.code)))["role"] == "viewer"
    assert (await browser.session(**bearer(known.code)))["role"] == "viewer"
    revoke(known.file, known.id_of("code", "viewer"))
    assert await browser.problem("GET /api/session", headers=bearer(known.code)) == (401, "bad_credentials")


async def test_an_expired_token_ends_its_logins(guarded: MakeApp, known: Known) -> None:
    from msgspec.structs import replace

    from hamlet_trio.web.access.token_file import change_tokens

    def expire(tokens: Tokens) -> tuple[Tokens, None]:
        past = datetime.now(UTC) - timedelta(seconds=1)
        return replace(tokens, tokens=tuple(replace(token, expires=past) for token in tokens.tokens)), None

    browser = Browser(guarded())
    await browser.login(known.teacher)
    change_tokens(known.file, expire)
    assert (await browser.session())["role"] == "anyone"


async def test_guesses_are_slowed_down_and_nobody_else_is(
    guarded: MakeApp, known: Known, mock_clock: MockClock
) -> None:
    app = guarded(login_burst=3, login_rate=1)
    guesser, other = Browser(app, "192.0.2.66"), Browser(app)
    for _ in range(3):
        refused = await guesser.login("hamlet_guess")
        assert refused.status_code == 401
    refused = await guesser.login("hamlet_guess")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    assert json.loads(await refused.get_data())["code"] == "rate_limited"
    assert (await guesser.login("abcd-efgh")).status_code == 429
    assert (await guesser.ask("GET /api/session", headers=bearer("hamlet_guess"))).status_code == 429
    # Who has a token need not guess, also behind the same address.
    assert (await guesser.login(known.teacher)).status_code == 200
    assert (await other.login("hamlet_guess")).status_code == 401


async def test_a_class_that_logs_in_at_once_is_not_slowed_down(guarded: MakeApp, known: Known) -> None:
    app = guarded(login_burst=2, login_rate=0.1)
    statuses = []

    async def log_in() -> None:
        statuses.append((await Browser(app).login(known.code)).status_code)

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(log_in)
    assert statuses == [200] * 10


async def test_the_same_wrong_code_at_once_fails_each_time(guarded: MakeApp) -> None:
    app = guarded(login_burst=2, login_rate=0.1)
    statuses = []

    async def guess() -> None:
        statuses.append((await Browser(app).login("aaaa-aaaa")).status_code)

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(guess)
    assert sorted(statuses) == [401, 401, 429, 429, 429]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"secret": 1}', b'{"secret": ""}', b'{"secret": "x", "more": 1}', b"\xff"]
)
async def test_a_body_that_is_not_a_world_is_refused(body: bytes, guarded: MakeApp) -> None:
    assert await Browser(guarded()).problem("POST /api/login", body=body) == (400, "invalid_request")


async def test_a_secret_in_the_address_is_not_looked_at(guarded: MakeApp, known: Known) -> None:
    browser = Browser(guarded())
    assert await browser.problem(f"GET /api/models?token={known.teacher}") == (401, "login_needed")
    assert await browser.problem(f"GET /api/login?secret={known.teacher}") == (404, "not_found")


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://page.example", 200), (None, 200), ("https://evil.example", 403), ("null", 403)],
)
async def test_another_site_s_page_changes_nothing(
    origin: str | None, status: int, guarded: MakeApp, known: Known
) -> None:
    headers = {} if origin is None else {"Origin": origin}
    browser = Browser(guarded())
    assert (await browser.login(known.teacher, **headers)).status_code == status
    assert (await browser.ask("POST /api/logout", headers=headers)).status_code == status


SSO: dict[str, object] = {
    "trusted_proxies": (PROXY,),
    "trusted_user_header": "X-Remote-User",
    "trusted_teachers": ("jones",),
}


async def test_a_trusted_proxy_says_whom_it_let_in(guarded: MakeApp) -> None:
    app = guarded(**SSO)
    through = Browser(app, PROXY)
    assert (await through.session(X_Remote_User="jones"))["may_train"] is True
    student = await through.session(X_Remote_User="student")
    assert (student["role"], student["name"]) == ("viewer", "student")
    assert (await through.session())["role"] == "anyone"


async def test_names_from_other_addresses_are_ignored(guarded: MakeApp, known: Known) -> None:
    app = guarded(**SSO)
    stranger = Browser(app)
    for headers in (
        {"X-Remote-User": "jones"},
        {"X-Remote-User": "jones", "X-Forwarded-For": PROXY},
        {"X-Remote-User": "jones", "Remote-Addr": PROXY},
        {"X-Remote-User": "jones", "X-Real-IP": PROXY},
    ):
        response = await stranger.ask("GET /api/session", headers=headers)
        assert json.loads(await response.get_data())["role"] == "anyone", headers
    off = Browser(guarded(trusted_proxies=(PROXY,)), PROXY)
    assert (await off.session(X_Remote_User="jones"))["role"] == "anyone"


async def test_a_login_by_token_adds_to_the_single_sign_on(guarded: MakeApp, known: Known) -> None:
    browser = Browser(guarded(**SSO), PROXY)
    await browser.login(known.teacher)
    assert (await browser.session(X_Remote_User="student"))["may_train"] is True
    assert (await browser.session(X_Remote_User="jones"))["may_train"] is True


async def test_logs_have_who_and_where_and_no_secret(
    guarded: MakeApp, known: Known, logged: list[Any]
) -> None:
    browser = Browser(guarded())
    response = await browser.login(known.teacher)
    await browser.login("hamlet_guess\nadmin logged in")
    (entered, failed) = logged
    assert (entered["event"], entered["name"], entered["client"]) == ("logged_in", "Ms Jones", "192.0.2.7")
    assert (failed["event"], failed["client"]) == ("login_failed", "192.0.2.7")
    metrics = await (await browser.ask("GET /metrics")).get_data()
    cookie = SimpleCookie(response.headers["Set-Cookie"])["hamlet"].value
    for secret in (known.teacher, "hamlet_guess", cookie, json.loads(known.file.read_text())["salt"]):
        assert secret not in repr(logged)
        assert secret.encode() not in metrics


async def test_guesses_do_not_fill_the_log_and_are_counted(
    guarded: MakeApp, logged: list[Any], mock_clock: MockClock
) -> None:
    app = guarded(login_burst=3, login_rate=0.1)
    for _ in range(100):
        assert (await Browser(app).login("hamlet_guess")).status_code in (401, 429)
    assert [line["event"] for line in logged] == ["login_failed"] * 3 + ["login_refused"] * 57
    mock_clock.jump(1)
    await Browser(app, "192.0.2.8").login("hamlet_guess")
    assert (logged[-1]["event"], logged[-1]["client"], logged[-1]["left_out"]) == (
        "login_failed",
        "192.0.2.8",
        40,
    )
    mock_clock.jump(1)
    await Browser(app, "192.0.2.8").login("hamlet_guess")
    assert "left_out" not in logged[-1]
    assert len(logged) == 62


def test_a_server_on_which_nobody_could_train_does_not_start(tmp_path: Path, known: Known) -> None:
    settings = Settings(login="teachers", data_dir=str(tmp_path / "none"))
    with pytest.raises(SettingsError, match=r"HAMLET_TOKENS_FILE.*hamlet tokens create --role teacher"):
        check_access(settings)
    check_access(Settings())
    check_access(Settings(login="everyone", tokens_file=str(known.file)))
    check_access(Settings(login="teachers", data_dir=str(tmp_path / "none"), **SSO))  # type: ignore[arg-type]
    known.file.write_text("damaged")
    check_access(Settings(login="everyone", tokens_file=str(known.file)))  # it waits to be mended


def test_roles_grow() -> None:
    assert Role.ANYONE < Role.VIEWER < Role.TEACHER


async def test_a_body_that_does_not_come_is_not_waited_for(
    guarded: MakeApp, autojump_clock: MockClock
) -> None:
    began = trio.current_time()
    connection: Any = guarded().test_client().request("/api/login", method="POST")
    async with connection:
        await connection.send(b"{")
        await connection.receive()
    assert connection.status_code == 408
    assert trio.current_time() - began == 10
