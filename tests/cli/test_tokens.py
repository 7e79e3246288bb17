"""`hamlet tokens`: what is printed where, and what is refused."""

import json
import re
from pathlib import Path

from typer.testing import CliRunner, Result

from tests.cli.conftest import Hamlet


def in_process(*arguments: str) -> Result:
    """Call a command of `hamlet tokens` without a process of its own."""
    from hamlet_trio.cli import app

    return CliRunner().invoke(app, ["tokens", *arguments])


def test_a_token_is_made_listed_and_revoked(tmp_path: Path) -> None:
    file = tmp_path / "new" / "tokens.json"
    at = ("--file", str(file))
    made = in_process("create", "--role", "teacher", "--name", "Ms Jones", "--days", "30", *at)
    assert made.exit_code == 0
    assert re.fullmatch(r"hamlet_[\w-]{43}\n", made.stdout), "the secret alone, for a script"
    assert "shown once" in made.stderr
    assert "good until" in made.stderr
    code = in_process("create", "--role", "viewer", "--name", "3b", "--class-code", *at).stdout.strip()
    assert re.fullmatch(r"\w{4}-\w{4}", code)

    rows = json.loads(in_process("list", "--json", *at).stdout)["tokens"]
    assert [(row["name"], row["role"], row["kind"], row["valid"]) for row in rows] == [
        ("Ms Jones", "teacher", "token", True),
        ("3b", "viewer", "code", True),
    ]
    shown = in_process("list", *at).stdout
    assert "Ms Jones" in shown
    assert code not in shown
    assert made.stdout.strip() not in file.read_text()

    assert in_process("revoke", rows[0]["id"], *at).stdout == f"Revoked: {rows[0]['id']}, of Ms Jones.\n"
    assert [row["name"] for row in json.loads(in_process("list", "--json", *at).stdout)["tokens"]] == ["3b"]


def test_the_file_of_the_settings_is_used(hamlet: Hamlet, tmp_path: Path) -> None:
    done = hamlet("tokens", "create", "--role", "teacher", "--name", "x")
    assert done.returncode == 0
    assert (tmp_path / "data" / "tokens.json").exists()
    assert done.stdout.strip() not in (tmp_path / "data" / "tokens.json").read_text()


def test_an_empty_file_says_how_to_make_one(tmp_path: Path) -> None:
    file = str(tmp_path / "shared.json")
    assert f"no token in {file}" in in_process("list", "--file", file).stdout


def test_what_is_wrong_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "damaged.json").write_text("{")
    file = str(tmp_path / "tokens.json")
    for arguments, named in (
        (["create", "--role", "king", "--name", "x"], "--role king: expected teacher or viewer"),
        (["create", "--role", "teacher", "--name", "x", "--class-code"], "--class-code is for viewers"),
        (["create", "--role", "viewer", "--name", ""], "--name"),
        (["create", "--role", "viewer", "--name", "a\nb"], "--name"),
        (["create", "--role", "viewer", "--name", "x", "--days", "0"], "--days 0"),
        (["revoke", "00000000"], "no token 00000000"),
        (["list", "--file", str(tmp_path / "damaged.json")], "damaged"),
    ):
        done = in_process(*arguments, *([] if "--file" in arguments else ["--file", file]))
        assert named in str(done.exception), arguments
