"""The gate: who asks, and whether they may. Every request and every handshake goes through it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

import trio
from msgspec import Struct
from quart.wrappers.base import BaseRequestWebsocket

from hamlet_trio.connection import Permit
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.settings import Settings, SettingsError
from hamlet_trio.web.access.addresses import Proxies
from hamlet_trio.web.access.cookies import PLAIN_NAME, SECURE_NAME, Cookies, cookie_key_path, read_key
from hamlet_trio.web.access.limits import ClientRate, SparingLog
from hamlet_trio.web.access.roles import Role, role_for_command
from hamlet_trio.web.access.token_connections import TokenConnections
from hamlet_trio.web.access.token_file import (
    TokenFileError,
    WatchedTokens,
    check_access,
    tokens_path,
)
from hamlet_trio.web.access.tokens import Token, hash_token, is_token, plain_code

_GUESSES_AT_ONCE: Final = 2  # threads that check class codes, 16 MiB each
_LOOK_EVERY: Final = 1.0  # seconds between two looks at the file for the sake of connections
_WARNING_RATE: Final = 1.0  # refused logins a second of which the log tells in the long run
_WARNING_BURST: Final = 60
_BEARER: Final = "bearer "
_CHALLENGE: Final = 'Bearer realm="Hamlet"'


class Principal(Struct, frozen=True, kw_only=True):
    """Who asks: from which address, by which token, and what they may do."""

    client: str
    role: Role
    name: str | None = None
    token_id: str | None = None


class RefusedError(Exception):
    """The request may not be carried out; becomes a problem document with these headers."""

    def __init__(self, status: HTTPStatus, code: ErrorCode, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers


class AccessControl:
    """Who may do what on one server.

    Tokens are looked up with each use, so that a new one works and a revoked one ends at once, logins by it
    too; `held` says when connections do. Class codes that were recognised are remembered, so that a script
    which sends one with each request costs no scrypt each time; the memory holds as many as there are codes.
    One that many offer at once is checked once, while the others wait.

    Making it reads the cookie's key, and raises `SettingsError` where logins are needed but nobody could.
    """

    def __init__(self, settings: Settings) -> None:
        check_access(settings)
        self._settings = settings
        self._proxies = Proxies(settings.trusted_proxies)
        self._connections = TokenConnections()
        self._tokens = WatchedTokens(tokens_path(settings), self._connections.go_by)
        self._look_at = math.inf if settings.login == "nobody" else 0.0
        self._cookies: Cookies | None = None
        if settings.login != "nobody":
            try:
                key = read_key(cookie_key_path(settings))
            except TokenFileError as error:
                raise SettingsError(str(error)) from None
            self._cookies = Cookies(key, settings.login_hours * 3600)
        self._failures = ClientRate(settings.login_rate / 60, settings.login_burst)
        self._guesses = trio.CapacityLimiter(_GUESSES_AT_ONCE)
        self._known_codes: dict[str, str] = {}
        self._checking: dict[str, trio.Event] = {}
        self._log = SparingLog(get_logger(service="access"), _WARNING_RATE, _WARNING_BURST)

    @property
    def lifetime(self) -> int:
        """Seconds that a login of the page lasts."""
        return int(self._settings.login_hours * 3600)

    def client(self, asking: BaseRequestWebsocket) -> str:
        """The client's address."""
        headers = asking.headers
        return self._proxies.client(
            asking.remote_addr, headers.getlist("X-Forwarded-For"), headers.getlist("X-Real-IP")
        )

    def is_secure(self, asking: BaseRequestWebsocket) -> bool:
        """Whether the client speaks https, here or with a proxy that is trusted to say so."""
        forwarded = asking.headers.get("X-Forwarded-Proto")
        if forwarded is not None and self._proxies.trust(asking.remote_addr):
            return forwarded == "https"
        return asking.scheme in ("https", "wss")

    async def visitor(self, asking: BaseRequestWebsocket) -> Principal:
        """Who asks: by `Authorization: Bearer`, else by the page's cookie or a trusted proxy's header.

        Raises `RefusedError` for a bearer that is none; a cookie that ended counts as no login.
        """
        client = self.client(asking)
        if self._settings.login == "nobody":
            return Principal(client=client, role=self.role_of_anyone)
        authorization = asking.headers.get("Authorization", "")
        if authorization.lower().startswith(_BEARER):
            return _shown(client, await self.recognise(authorization[len(_BEARER) :].strip(), client))
        best = Principal(client=client, role=self.role_of_anyone)
        for known in (self._by_cookie(asking, client), self._by_header(asking, client)):
            if known is not None and (known.role, known.name is not None) > (
                best.role,
                best.name is not None,
            ):
                best = known
        return best

    async def recognise(self, secret: str, client: str) -> Token:
        """The token or code that this is the secret of.

        Raises `RefusedError`: 401 for none, 429 for a client with too many failures lately.
        """
        if is_token(secret):
            token = self._tokens.now().recognise(secret)
        else:
            token = await self._code_known_by_now(secret)
        if token is not None:
            return token
        if not self._failures.take(client):
            self._log.warning("login refused", client=client, reason="too many failures")
            raise RefusedError(
                HTTPStatus.TOO_MANY_REQUESTS,
                ErrorCode.RATE_LIMITED,
                "Too many logins from your address failed (HAMLET_LOGIN_RATE); wait a moment.",
                retry_after=self._failures.retry_after,
            )
        if not is_token(secret):
            token = await self._check_code(secret)
        if token is None:
            self._log.warning("login failed", client=client)
            raise RefusedError(
                HTTPStatus.UNAUTHORIZED,
                ErrorCode.BAD_CREDENTIALS,
                ErrorCode.BAD_CREDENTIALS.description,
                www_authenticate=_CHALLENGE,
            )
        self._failures.give_back(client)
        return token

    async def _code_known_by_now(self, secret: str) -> Token | None:
        """The code, where it was recognised before or is just being recognised for somebody else.

        So a class that types the same one in the same moment takes one check, and one of the failures that it
        may have until the check is done. Where this returns None, nobody is checking this secret.
        """
        while (token := self._known_code(secret)) is None:
            checked = self._checking.get(hash_token(plain_code(secret)))
            if checked is None:
                return None
            await checked.wait()
        return token

    async def _check_code(self, secret: str) -> Token | None:
        """Compare with the codes there are, in a thread, and remember one that is found."""
        key = hash_token(plain_code(secret))
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
        """The code, where it was recognised before and still is one."""
        key = hash_token(plain_code(secret))
        token_id = self._known_codes.get(key)
        token = None if token_id is None else self._tokens.now().by_id(token_id)
        if token is None:
            self._known_codes.pop(key, None)
        return token

    def cookie_for(self, token: Token, asking: BaseRequestWebsocket) -> tuple[str, str]:
        """Name and value of the cookie of a login by this token; none is made where nobody logs in."""
        assert self._cookies is not None, "nobody logs in here"
        return (SECURE_NAME if self.is_secure(asking) else PLAIN_NAME), self._cookies.make(token.id)

    def check(self, visitor: Principal, needed: Role) -> None:
        """The one decision: raises `RefusedError` where this role does not suffice."""
        if visitor.role >= needed:
            return
        if visitor.name is not None:
            forbidden = ErrorCode.FORBIDDEN
            raise RefusedError(HTTPStatus.FORBIDDEN, forbidden, forbidden.description)
        login = ErrorCode.LOGIN_NEEDED
        raise RefusedError(HTTPStatus.UNAUTHORIZED, login, login.description, www_authenticate=_CHALLENGE)

    def permit(self, endpoint: str, visitor: Principal) -> Permit:
        """Says of each command on a connection of this visitor why it may not be given, if it may not.

        A token that was revoked or has expired since the handshake counts for nothing any more.
        """

        def refuse(command: Any) -> BadMessageError | None:
            needed = role_for_command(endpoint, type(command))
            if needed <= Role.VIEWER or self._role_now(visitor) >= needed:
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
    def held(self, visitor: Principal) -> Iterator[trio.CancelScope]:
        """Hold a connection of this visitor: the scope is cancelled when the token it was opened with ends.

        That it was revoked is noticed with the next use of any token, and by `look`, which is called with
        each frame of any connection. A file that cannot be read ends no connection that stands.
        """
        if visitor.token_id is None:
            with trio.CancelScope() as scope:
                yield scope
            return
        with self._connections.held(visitor.token_id, self._tokens.now()) as scope:
            yield scope

    def look(self) -> None:
        """Look at the file of tokens, if it was not in the last second."""
        now = trio.current_time()
        if now >= self._look_at:
            self._look_at = now + _LOOK_EVERY
            self._tokens.now()

    @property
    def role_of_anyone(self) -> Role:
        """What somebody may do who has not logged in."""
        if self._settings.login == "nobody":
            return Role.TEACHER
        return Role.ANYONE if self._settings.login == "everyone" else Role.VIEWER

    def _role_now(self, visitor: Principal) -> Role:
        if visitor.token_id is None:
            return visitor.role
        token = self._tokens.now().by_id(visitor.token_id)
        return self.role_of_anyone if token is None else token.grants

    def _by_cookie(self, asking: BaseRequestWebsocket, client: str) -> Principal | None:
        assert self._cookies is not None, "nobody logs in here"
        value = asking.cookies.get(SECURE_NAME if self.is_secure(asking) else PLAIN_NAME)
        token_id = None if value is None else self._cookies.read(value)
        token = None if token_id is None else self._tokens.now().by_id(token_id)
        return None if token is None else _shown(client, token)

    def _by_header(self, asking: BaseRequestWebsocket, client: str) -> Principal | None:
        header = self._settings.trusted_user_header
        if not header or not self._proxies.trust(asking.remote_addr):
            return None
        names = asking.headers.getlist(header)
        if len(names) != 1 or not names[0].strip():
            return None
        name = names[0].strip()
        is_teacher = name in self._settings.trusted_teachers
        return Principal(client=client, role=Role.TEACHER if is_teacher else Role.VIEWER, name=name)


def _shown(client: str, token: Token) -> Principal:
    return Principal(client=client, role=token.grants, name=token.name, token_id=token.id)
