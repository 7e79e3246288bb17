"""Implement `hamlet tokens`: create, list and revoke tokens and class codes while servers run."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hamlet_trio.cli.errors import UserError
from hamlet_trio.cli.output import drop_output
from hamlet_trio.cli.tables import console
from hamlet_trio.common.encoding import to_json
from hamlet_trio.common.standard_streams import leads_nowhere
from hamlet_trio.settings import load_settings

if TYPE_CHECKING:
    from hamlet_trio.web.access.tokens import RoleName, Tokens

tokens = typer.Typer(no_args_is_help=True, help="Create, list and revoke tokens and class codes.")

File = Annotated[
    Path | None, typer.Option(help="Tokens file [HAMLET_TOKENS_FILE]; by default in the data folder.")
]
Value = TypeVar("Value")


@tokens.callback()
def group() -> None:
    """Create, list and revoke tokens and class codes."""


@tokens.command()
def create(
    *,
    role: Annotated[str, typer.Option(help="teacher, who may train, or viewer, who may watch.")],
    name: Annotated[str, typer.Option(help="Whose it is; shown on the page and in the log.")],
    class_code: Annotated[
        bool, typer.Option("--class-code", help="For viewers: a short code to say in class, not a token.")
    ] = False,
    days: Annotated[float | None, typer.Option(help="Days until it expires; without, never.")] = None,
    file: File = None,
) -> None:
    """Create a token and print its secret once: only a hash of it is kept.

    The secret goes to standard output, everything else to standard error. Running servers accept it at once.
    Where the secret cannot be printed, there is no token.
    """
    from hamlet_trio.web.access.tokens import new_token

    as_role = _checked(role, name, class_code=class_code, days=days)
    if leads_nowhere(sys.stdout):
        raise UserError(
            "The secret is shown once, but the standard output leads nowhere; nothing was created."
        )
    expires = None if days is None else datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)

    def add(known: "Tokens") -> "tuple[Tokens, tuple[str, str]]":
        kept, token, secret = new_token(
            known, name=name, role=as_role, kind="code" if class_code else "token", expires=expires
        )
        return kept, (token.id, secret)

    token_id, secret = _change(file, add)
    try:
        print(secret, flush=True)
    except OSError as error:
        drop_output()
        _change(file, partial(_without, token_id))
        raise UserError(
            f"The secret could not be printed ({error.strerror}), so the token was removed again."
        ) from None
    until = "" if expires is None else f" It is good until {expires:%Y-%m-%d %H:%M} UTC."
    print(
        f"This is shown once.{until} To end it: hamlet tokens revoke {token_id}",
        file=sys.stderr,
    )


@tokens.command("list")
def show(
    *,
    file: File = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """List the tokens and class codes, without their secrets, which are not stored."""
    from rich.table import Table

    from hamlet_trio.common.text import printable
    from hamlet_trio.web.access.token_file import TokenFileError, read_tokens

    path = _path(file)
    try:
        known = read_tokens(path).tokens
    except TokenFileError as error:
        raise UserError(str(error)) from None
    rows = [
        {
            "id": printable(token.id),
            "name": printable(token.name),
            "role": token.role,
            "kind": token.kind,
            "created": f"{token.created:%Y-%m-%d}",
            "expires": "" if token.expires is None else f"{token.expires:%Y-%m-%d %H:%M}",
            "valid": token.is_valid(),
        }
        for token in known
    ]
    if as_json:
        print(to_json({"tokens": rows}).decode())
        return
    if not rows:
        print(f"There is no token in {path}; `hamlet tokens create --role teacher --name NAME` makes one.")
        return
    table = Table(title=str(path))
    for column in ("id", "name", "role", "kind", "created", "expires"):
        table.add_column(column, overflow="fold")
    for row in rows:
        state = row["expires"] if row["valid"] else f"{row['expires']} (expired)"
        table.add_row(*(str(row[name]) for name in ("id", "name", "role", "kind", "created")), str(state))
    console().print(table)


@tokens.command()
def revoke(
    token_id: Annotated[
        str, typer.Argument(metavar="ID", help="Which one; `hamlet tokens list` has the ids.")
    ],
    *,
    file: File = None,
) -> None:
    """Revoke a token or class code: it and all logins by it end at once."""
    name = _change(file, partial(_without, token_id))
    print(f"Revoked: {token_id}, of {name}.")


def _without(token_id: str, known: "Tokens") -> "tuple[Tokens, str]":
    """Return the tokens without one of them, and its name."""
    import msgspec

    found = next((token for token in known.tokens if token.id == token_id), None)
    if found is None:
        raise UserError(f"There is no token {token_id}; `hamlet tokens list` has the ids.")
    left = tuple(token for token in known.tokens if token is not found)
    return msgspec.structs.replace(known, tokens=left), found.name


def _checked(role: str, name: str, *, class_code: bool, days: float | None) -> "RoleName":
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise UserError("--name: expected 1 to 100 printable characters.")
    if days is not None and not 0 < days <= 36_500:
        raise UserError(f"--days {days:g}: expected a number above 0, of at most 36,500.")
    if role == "viewer":
        return "viewer"
    if role != "teacher":
        raise UserError(f"--role {role}: expected teacher or viewer.")
    if class_code:
        raise UserError("--class-code is for viewers: it is too short to keep training safe.")
    return "teacher"


def _path(file: Path | None) -> Path:
    from hamlet_trio.web.access.token_file import tokens_path

    return tokens_path(load_settings()) if file is None else file


def _change(file: Path | None, change: "Callable[[Tokens], tuple[Tokens, Value]]") -> Value:
    from hamlet_trio.web.access.token_file import TokenFileError, change_tokens

    try:
        return change_tokens(_path(file), change)
    except TokenFileError as error:
        raise UserError(str(error)) from None
