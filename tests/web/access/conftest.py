"""An app that asks who one is, and secrets that it knows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from quart import Response
from quart.testing.utils import sentinel
from werkzeug.datastructures import Headers

from hamlet_trio.web.access.token_file import change_tokens
from hamlet_trio.web.access.tokens import Kind, RoleName, Tokens, new_token
from hamlet_trio.web.app import HamletApp
from tests.web.conftest import make_app

CLIENT = "192.0.2.7"
PROXY = "10.0.0.1"


class Known(NamedTuple):
    """A file of tokens, and the secrets that it has the hashes of."""

    file: Path
    teacher: str
    viewer: str
    code: str

    def id_of(self, kind: str, role: str) -> str:
        """The id of the one of this kind and role."""
        rows = json.loads(self.file.read_text())["tokens"]
        return str(next(row["id"] for row in rows if (row["kind"], row["role"]) == (kind, role)))


def add_token(file: Path, name: str, role: RoleName, kind: Kind = "token") -> str:
    """One more token; its secret."""

    def add(tokens: Tokens) -> tuple[Tokens, str]:
        changed, _, secret = new_token(tokens, name=name, role=role, kind=kind)
        return changed, secret

    return change_tokens(file, add)


def revoke(file: Path, token_id: str) -> None:
    """Take a token away."""

    def remove(tokens: Tokens) -> tuple[Tokens, None]:
        left = tuple(token for token in tokens.tokens if token.id != token_id)
        return Tokens(salt=tokens.salt, tokens=left), None

    change_tokens(file, remove)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """Made once: a class code costs time on purpose."""
    file = tmp_path_factory.mktemp("tokens") / "tokens.json"
    secrets = (
        add_token(file, "Ms Jones", "teacher"),
        add_token(file, "a script", "viewer"),
        add_token(file, "3b", "viewer", "code"),
    )
    return Known(file, *secrets)


@pytest.fixture
def known(made: Known, tmp_path: Path) -> Known:
    """A copy of the test's own."""
    file = tmp_path / "tokens.json"
    file.write_bytes(made.file.read_bytes())
    return made._replace(file=file)


MakeApp = Callable[..., HamletApp]


@pytest.fixture
def guarded(known: Known, tmp_path: Path) -> MakeApp:
    """Makes an app with logins; settings may be given."""

    def make(**settings: object) -> HamletApp:
        own: dict[str, object] = {
            "login": "everyone",
            "tokens_file": str(known.file),
            "allowed_origins": ("https://page.example",),
        }
        return make_app(tmp_path, **(own | settings))

    return make


class Browser:
    """Asks an app from one address, keeping cookies as a browser does."""

    def __init__(self, app: HamletApp, peer: str = CLIENT) -> None:
        self._client = app.test_client()
        self._scope = {"client": (peer, 40_000)}

    async def ask(
        self, line: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Response:
        """One request, such as "GET /api/models"."""
        method, _, path = line.partition(" ")
        response: Any = await self._client.open(
            path,
            method=method,
            headers=Headers(headers or {}),
            data=body,
            scope_base=self._scope,
            json=sentinel,
        )
        return cast(Response, response)

    async def problem(self, line: str, **given: Any) -> tuple[int, str]:
        """The status and the code of a refusal."""
        response = await self.ask(line, **given)
        return response.status_code, json.loads(await response.get_data())["code"]

    async def login(self, secret: str, **headers: str) -> Response:
        """Log in."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("POST /api/login", body=json.dumps({"secret": secret}).encode(), headers=named)

    async def session(self, **headers: str) -> Any:
        """Who the app takes this browser for."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.ask("GET /api/session", headers=named)
        return json.loads(await response.get_data())


def bearer(secret: str) -> dict[str, str]:
    """The header of a script."""
    return {"Authorization": f"Bearer {secret}"}
