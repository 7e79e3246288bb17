"""Decide who sends a request and what they may do; every request and handshake passes through here."""

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import trio
from msgspec import Struct
from quart.wrappers.base import BaseRequestWebsocket

from hamlet_trio.connection import Permit
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.settings import Settings
from hamlet_trio.web.access.addresses import Proxies
from hamlet_trio.web.access.cookies import (
    KEY_BYTES,
    PLAIN_NAME,
    SECURE_NAME,
    Cookies,
    cookie_key_path,
    read_key,
)
from hamlet_trio.web.access.limits import ClientRate, RateLimitedLog
from hamlet_trio.web.access.roles import Role, role_for_command
from hamlet_trio.web.access.token_connections import TokenConnections
from hamlet_trio.web.access.token_file import (
    TokenFileError,
    WatchedTokens,
    check_access,
    tokens_path,
)
from hamlet_trio.web.access.tokens import Token, hash_token, is_token, normalize_code

_GUESSES_AT_ONCE: Final = 2  # threads that check class codes, 16 MiB each
_WATCH_INTERVAL: Final = 1.0  # seconds between two looks at the tokens file and the wall clock
_CLOCK_JUMP: Final = 1.0  # seconds by which the wall clock and the steady one may diverge between two looks
_WARNING_RATE: Final = 1.0  # refused logins logged per second in the long run
_WARNING_BURST: Final = 60
_BEARER: Final = "bearer "
_PREFIX: Final = re.compile(r"(?:/[A-Za-z0-9._~-]{1,100}){1,8}")
_CHALLENGE: Final = 'Bearer realm="Hamlet"'


class Principal(Struct, frozen=True, kw_only=True):
    """Represent the sender of a request: its address, its role, and its token and end of login if any."""

    client: str
    role: Role
    name: str | None = None
    token_id: str | None = None
    ends: datetime | None = None


class RefusedError(Exception):
    """Refuse a request; becomes a problem document with these headers."""

    def __init__(self, status: HTTPStatus, code: ErrorCode, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers


class AccessControl:
    """Decide who may do what on one server.

    Tokens are looked up at each use: a new one works at once, a revoked one ends at once together with the
    logins made with it; `hold` says when connections end. Recognised class codes are remembered, so that a
    script which sends one with each request does not pay for scrypt each time; at most one entry per code.
    A code that many clients offer at the same time is checked once while the others wait.

    A tokens file or cookie key that cannot be read is logged and named in `problem`; until the tokens can be
    read, nobody is admitted by one, and with a key of the server's own, logins end when it restarts.

    The constructor reads the cookie key and raises `SettingsError` if there is no teacher.
    """

    def __init__(self, settings: Settings) -> None:
        check_access(settings)
        self._settings = settings
        self._proxies = Proxies(settings.trusted_proxies)
        self._connections = TokenConnections()
        self._tokens = WatchedTokens(tokens_path(settings), self._connections.apply)
        self._cookies: Cookies | None = None
        self._key_problem: str | None = None
        if settings.login != "nobody":
            self._cookies = Cookies(self._read_key(cookie_key_path(settings)), settings.login_hours * 3600)
        self._failures = ClientRate(settings.login_rate / 60, settings.login_burst)
        self._guesses = trio.CapacityLimiter(_GUESSES_AT_ONCE)
        self._known_codes: dict[str, str] = {}
        self._checking: dict[str, trio.Event] = {}
        self._log = RateLimitedLog(get_logger(service="access"), _WARNING_RATE, _WARNING_BURST)

    @property
    def lifetime(self) -> int:
        """Return the seconds a browser login lasts."""
        return int(self._settings.login_hours * 3600)

    @property
    def problem(self) -> str | None:
        """Return why tokens or logins do not work as they should; None if they do."""
        return self._tokens.problem or self._key_problem

    async def run(self) -> None:
        """End open connections with their token or login, until cancelled.

        Neither a file nor the wall clock announces a change, so both are looked at each second.
        """
        if self._settings.login == "nobody":
            await trio.sleep_forever()
        drift = time.time() - trio.current_time()
        while True:
            tokens = self._tokens.now()  # which has ended connections if the file has changed
            before, drift = drift, time.time() - trio.current_time()
            if abs(drift - before) > _CLOCK_JUMP and self._tokens.problem is None:
                self._connections.apply(tokens)
            await trio.sleep(_WATCH_INTERVAL)

    def _read_key(self, path: Path) -> bytes:
        try:
            return read_key(path)
        except TokenFileError as error:
            self._key_problem = str(error)
            get_logger(service="access").error("cookie_key_unreadable", reason=self._key_problem)
            return secrets.token_bytes(KEY_BYTES)

    def client(self, request: BaseRequestWebsocket) -> str:
        """Return the client's address."""
        headers = request.headers
        return self._proxies.client(
            request.remote_addr, headers.getlist("X-Forwarded-For"), headers.getlist("X-Real-IP")
        )

    def is_secure(self, request: BaseRequestWebsocket) -> bool:
        """Return whether the client uses https, to this server or to a trusted proxy that says so."""
        forwarded = request.headers.get("X-Forwarded-Proto")
        if forwarded is not None and self._proxies.trust(request.remote_addr):
            return forwarded == "https"
        return request.scheme in ("https", "wss")

    def path_prefix(self, request: BaseRequestWebsocket) -> str:
        """Return the path under which a trusted proxy serves this server, such as `/hamlet`, or nothing."""
        prefix = request.headers.get("X-Forwarded-Prefix", "").rstrip("/")
        is_known = _PREFIX.fullmatch(prefix) and self._proxies.trust(request.remote_addr)
        return prefix if is_known else ""

    async def identify(self, request: BaseRequestWebsocket) -> Principal:
        """Identify the sender by `Authorization: Bearer`, else by cookie or a trusted proxy's header.

        Raises `RefusedError` for an invalid bearer token; an expired cookie counts as no login.
        """
        client = self.client(request)
        if self._settings.login == "nobody":
            return Principal(client=client, role=self.role_of_anyone)
        authorization = request.headers.get("Authorization", "")
        if authorization.lower().startswith(_BEARER):
            return token_principal(
                client, await self.recognise(authorization[len(_BEARER) :].strip(), client)
            )
        best = Principal(client=client, role=self.role_of_anyone)
        for known in (self._by_cookie(request, client), self._by_header(request, client)):
            if known is not None and (known.role, known.name is not None) > (
                best.role,
                best.name is not None,
            ):
                best = known
        return best

    async def recognise(self, secret: str, client: str) -> Token:
        """Return the token or class code with this secret.

        Raises `RefusedError`: 401 if there is none, 429 for a client with too many recent failures.
        """
        if is_token(secret):
            token = self._tokens.now().recognise(secret)
        else:
            token = await self._code_known_by_now(secret)
        if token is not None:
            return token
        self.take_failure(client)
        if not is_token(secret):
            token = await self._check_code(secret)
        if token is None:
            self._log.warning("login_failed", client=client)
            raise RefusedError(
                HTTPStatus.UNAUTHORIZED,
                ErrorCode.BAD_CREDENTIALS,
                ErrorCode.BAD_CREDENTIALS.description,
                www_authenticate=_CHALLENGE,
            )
        self._failures.give_back(client)
        return token

    def take_failure(self, client: str) -> None:
        """Count a failed login; raise `RefusedError` (429) for a client with too many of them."""
        if self._failures.take(client):
            return
        self._log.warning("login_refused", client=client, reason="too many failures")
        raise RefusedError(
            HTTPStatus.TOO_MANY_REQUESTS,
            ErrorCode.RATE_LIMITED,
            "Too many logins from your address failed (HAMLET_LOGIN_RATE); wait a moment.",
            retry_after=self._failures.retry_after,
        )

    async def _code_known_by_now(self, secret: str) -> Token | None:
        """Return the code if it is known, or becomes known while another client's check is running.

        A class that types the same code at the same moment costs one check, and one failure of its allowance
        until the check is done. When this returns None, nobody is checking this secret.
        """
        while (token := self._known_code(secret)) is None:
            checked = self._checking.get(hash_token(normalize_code(secret)))
            if checked is None:
                return None
            await checked.wait()
        return token

    async def _check_code(self, secret: str) -> Token | None:
        """Compare the secret with all codes, in a thread, and remember a match."""
        key = hash_token(normalize_code(secret))
        checked = self._checking[key] = trio.Event()
        try:
            token = await trio.to_thread.run_sync(self._tokens.now().recognise, secret, limiter=self._guesses)
            if token is not None:
                self._known_codes[key] = token.id
        finally:
            del self._checking[key]
            checked.set()
        return token

    def _known_code(self, secret: str) -> Token | None:
        """Return the code if it was recognised before and is still valid."""
        key = hash_token(normalize_code(secret))
        token_id = self._known_codes.get(key)
        token = None if token_id is None else self._tokens.now().by_id(token_id)
        if token is None:
            self._known_codes.pop(key, None)
        return token

    def cookie_for(self, token: Token, request: BaseRequestWebsocket) -> tuple[str, str]:
        """Return name and value of the login cookie for this token; requires that logins are enabled."""
        assert self._cookies is not None, "nobody logs in here"
        return (SECURE_NAME if self.is_secure(request) else PLAIN_NAME), self._cookies.make(token.id)

    def check(self, principal: Principal, needed: Role) -> None:
        """Raise `RefusedError` if the principal's role does not suffice; the only such decision."""
        if principal.role >= needed:
            return
        if principal.name is not None:
            forbidden = ErrorCode.FORBIDDEN
            raise RefusedError(HTTPStatus.FORBIDDEN, forbidden, forbidden.description)
        login = ErrorCode.LOGIN_NEEDED
        raise RefusedError(HTTPStatus.UNAUTHORIZED, login, login.description, www_authenticate=_CHALLENGE)

    def permit(self, endpoint: str, principal: Principal) -> Permit:
        """Return a function that says why a command on this principal's connection is refused, or None.

        A token that was revoked or has expired since the handshake no longer counts.
        """

        def refuse(command: Any) -> BadMessageError | None:
            needed = role_for_command(endpoint, type(command))
            if needed <= Role.VIEWER or self._role_now(principal) >= needed:
                return None
            name = str(type(command).__struct_config__.tag)
            return BadMessageError(
                ErrorCode.FORBIDDEN,
                f"`{name}` needs a teacher: log in with a teacher's token, or send it as "
                "`Authorization: Bearer` with the handshake.",
                command=name,
                field="command",
            )

        return refuse

    @contextmanager
    def hold(self, principal: Principal) -> Iterator[trio.CancelScope]:
        """Hold a connection of this principal; the scope is cancelled when its token ends.

        An unreadable tokens file ends no open connection.
        """
        if principal.token_id is None:
            with trio.CancelScope() as scope:
                yield scope
            return
        with self._connections.hold(principal.token_id, self._tokens.now(), principal.ends) as scope:
            yield scope

    @property
    def role_of_anyone(self) -> Role:
        """Return the role of a client that has not logged in."""
        if self._settings.login == "nobody":
            return Role.TEACHER
        return Role.ANYONE if self._settings.login == "everyone" else Role.VIEWER

    def _role_now(self, principal: Principal) -> Role:
        if principal.token_id is None:
            return principal.role
        token = self._tokens.now().by_id(principal.token_id)
        return self.role_of_anyone if token is None else token.grants

    def _by_cookie(self, request: BaseRequestWebsocket, client: str) -> Principal | None:
        assert self._cookies is not None, "nobody logs in here"
        value = request.cookies.get(SECURE_NAME if self.is_secure(request) else PLAIN_NAME)
        login = None if value is None else self._cookies.read(value)
        token = None if login is None else self._tokens.now().by_id(login[0])
        return None if token is None or login is None else token_principal(client, token, login[1])

    def _by_header(self, request: BaseRequestWebsocket, client: str) -> Principal | None:
        header = self._settings.trusted_user_header
        if not header or not self._proxies.trust(request.remote_addr):
            return None
        names = request.headers.getlist(header)
        if len(names) != 1 or not names[0].strip():
            return None
        name = names[0].strip()
        is_teacher = name in self._settings.trusted_teachers
        return Principal(client=client, role=Role.TEACHER if is_teacher else Role.VIEWER, name=name)


def token_principal(client: str, token: Token, ends: datetime | None = None) -> Principal:
    """Return the principal at this address that showed this token, in a login that ends then."""
    return Principal(client=client, role=token.grants, name=token.name, token_id=token.id, ends=ends)
