"""The file of tokens: private, whole, and followed while it changes."""

import contextlib
import errno
import json
import os
import stat
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hamlet_trio.common.lock import FileLock
from hamlet_trio.web.access.cookies import Cookies, read_key
from hamlet_trio.web.access.roles import Role
from hamlet_trio.web.access.token_file import (
    TokenFileError,
    WatchedTokens,
    change_tokens,
    read_tokens,
)
from tests.web.access.conftest import Known, add_token, revoke


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_files_are_their_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        add_token(tmp_path / "new" / "tokens.json", "x", "teacher")
        key = read_key(tmp_path / "other" / "cookie.key")
    finally:
        os.umask(before)
    assert mode(tmp_path / "new" / "tokens.json") == mode(tmp_path / "other" / "cookie.key") == 0o600
    assert len(key) == 32
    assert read_key(tmp_path / "other" / "cookie.key") == key


@pytest.mark.skipif(os.geteuid() != 0, reason="needs an administrator, who acts as somebody else")
def test_what_an_administrator_makes_belongs_to_the_owner_of_the_folder() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        os.chown(folder, 12345, 12346)
        add_token(Path(folder) / "tokens.json", "x", "teacher")
        found = (Path(folder) / "tokens.json").stat()
    assert (found.st_uid, found.st_gid) == (12345, 12346)
    assert os.geteuid() == 0


def test_a_change_is_seen_at_the_next_use(known: Known) -> None:
    watched = WatchedTokens(known.file)
    assert watched.now().recognise(known.teacher) is not None
    new = add_token(known.file, "Mr Smith", "teacher")
    assert watched.now().recognise(new) is not None
    revoke(known.file, known.id_of("token", "teacher"))
    assert watched.now().recognise(known.teacher) is None
    assert watched.now() is watched.now(), "an unchanged file is not read again"
    known.file.unlink()
    assert watched.now().tokens == ()


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"salt": "00", "tokens": [{"id": 1}]}', b"\xff\xfe", b'{"salt": "M\xfcller"}']
)
def test_a_damaged_file_admits_nobody_and_is_logged_once(
    known: Known, content: bytes, logged: list[Any]
) -> None:
    watched = WatchedTokens(known.file)
    known.file.write_bytes(content)
    assert watched.now().tokens == watched.now().tokens == ()
    assert [event["event"] for event in logged] == ["tokens_unreadable"]
    with pytest.raises(TokenFileError, match=r"tokens\.json"):
        add_token(known.file, "x", "teacher")
    assert known.file.read_bytes() == content


@pytest.mark.parametrize(
    ("row", "value"), [("expires", "2099-01-01T00:00:00"), ("hash", "é"), ("created", "2026-01-01T00:00:00")]
)
def test_a_row_edited_wrongly_is_noticed_when_the_file_is_read(known: Known, row: str, value: str) -> None:
    content = json.loads(known.file.read_text())
    content["tokens"][0][row] = value
    known.file.write_text(json.dumps(content))
    with pytest.raises(TokenFileError, match=row):
        read_tokens(known.file)
    known.file.write_text(json.dumps(content | {"tokens": [], "salt": "salt"}))
    with pytest.raises(TokenFileError, match="salt"):
        read_tokens(known.file)


def test_a_file_that_can_be_read_again_is_read_though_it_did_not_change(
    known: Known, logged: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = WatchedTokens(known.file)
    with monkeypatch.context() as forbidden:
        forbidden.setattr(os, "open", _refuse)  # root, as whom tests may run, is refused nothing
        assert watched.now().tokens == watched.now().tokens == ()
    assert watched.now().recognise(known.teacher) is not None
    assert [event["event"] for event in logged] == ["tokens_unreadable"]


def test_subscribers_hear_of_each_change_also_when_a_damaged_file_is_removed(
    known: Known, logged: list[Any]
) -> None:
    told: list[int] = []
    watched = WatchedTokens(known.file, lambda tokens: told.append(len(tokens.tokens)))
    watched.now()
    known.file.write_bytes(b"{")
    watched.now()
    assert told == [3], "a damaged file tells nothing"
    known.file.unlink()
    watched.now()
    watched.now()
    assert told == [3, 0]
    assert len(logged) == 1


def _refuse(path: Path, _: str) -> None:
    raise PermissionError(errno.EACCES, "Permission denied", str(path))


def test_two_changes_at_once_do_not_lose_one(known: Known) -> None:
    lock = FileLock(known.file.with_name("tokens.json.lock"))
    with lock, pytest.raises(TokenFileError, match="another command"):
        add_token(known.file, "x", "teacher")
    before = read_tokens(known.file)

    def fail(tokens: Any) -> Any:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        change_tokens(known.file, fail)
    assert read_tokens(known.file) == before


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TokenFileError, match="run this as the user"):
        add_token(tmp_path / "file" / "tokens.json", "x", "teacher")


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cookie.key").write_bytes(b"short")
    with pytest.raises(TokenFileError, match="too short"):
        read_key(tmp_path / "cookie.key")


def test_a_cookie_is_valid_with_its_key_until_it_expires() -> None:
    cookies = Cookies(b"k" * 32, 3600)
    value = cookies.make("0a1b2c3d")
    read = Cookies(b"k" * 32, 3600).read(value)
    assert read is not None
    assert read[0] == "0a1b2c3d"
    assert abs((read[1] - datetime.now(UTC)).total_seconds() - 3600) < 60
    assert Cookies(b"l" * 32, 3600).read(value) is None
    assert Cookies(b"k" * 32, -1).read(value) is None
    for forged in ("", "x", value[:-1], value.replace(value[0], "X", 1), value + "."):
        assert cookies.read(forged) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_bytes_in_the_file_are_tokens_or_one_sentence(
    data: st.DataObject, known: Known, tmp_path: Path
) -> None:
    whole = known.file.read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    damaged = whole[:start] + data.draw(st.binary(max_size=3)) + whole[start + data.draw(st.integers(0, 3)) :]
    path = tmp_path / "damaged.json"
    path.write_bytes(damaged)
    with contextlib.suppress(TokenFileError):
        read_tokens(path)
    tokens = WatchedTokens(path).now()
    for secret in (known.teacher, "hamlet_\ud800"):
        tokens.recognise(secret)
    assert tokens.by_id("none") is None
    tokens.has(Role.TEACHER)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 200_000,
        b'{"salt": "00", "tokens": [{"name": ' + b"[" * 200_000,
        b'{"salt": "00\\n"}',
        b"\xef\xbb\xbf{}",
        b" " * (16 * 2**20 + 1),
        b"\0" * 100,
    ],
    ids=range(6),
)
def test_what_is_no_file_of_tokens_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    path.write_bytes(content)
    with pytest.raises(TokenFileError, match=r"tokens\.json") as caught:
        read_tokens(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500
