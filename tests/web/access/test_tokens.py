"""Tokens and class codes: their secrets, their hashes, their end."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from hamlet_trio.web.access.roles import Role
from hamlet_trio.web.access.tokens import MAX_SECRET, Tokens, hash_code, new_token, new_tokens
from tests.web.access.conftest import Known, add_token

NOW = datetime.now(UTC)


def test_each_secret_is_recognised_as_its_own_token_and_no_other_text_is(known: Known) -> None:
    from hamlet_trio.web.access.token_file import read_tokens

    tokens = read_tokens(known.file)
    found = {secret: tokens.recognise(secret) for secret in (known.teacher, known.viewer, known.code)}
    assert [token and (token.name, token.grants) for token in found.values()] == [
        ("Ms Jones", Role.TEACHER),
        ("a script", Role.VIEWER),
        ("3b", Role.VIEWER),
    ]
    for wrong in (
        known.teacher[:-1],
        known.teacher.upper(),
        known.teacher + "x",
        "hamlet_",
        "x" * MAX_SECRET,
    ):
        assert tokens.recognise(wrong) is None
    assert tokens.recognise("x" * (MAX_SECRET + 1)) is None


def test_a_code_is_typed_as_one_likes(known: Known) -> None:
    from hamlet_trio.web.access.token_file import read_tokens

    tokens = read_tokens(known.file)
    typed = known.code.upper().replace("-", " ")
    assert typed != known.code
    assert tokens.recognise(f" {typed} ") == tokens.recognise(known.code)


def test_secrets_are_long_enough_and_kept_nowhere(known: Known) -> None:
    assert len(known.teacher.removeprefix("hamlet_")) * 6 >= 256
    assert re.fullmatch(r"[a-hjkmnp-z2-9]{4}-[a-hjkmnp-z2-9]{4}", known.code)
    text = known.file.read_text()
    assert not any(secret in text for secret in (known.teacher, known.viewer, known.code))


def test_the_same_code_has_another_hash_in_another_file() -> None:
    assert hash_code("abcd-efgh", "00" * 16) != hash_code("abcd-efgh", "11" * 16)


def test_an_id_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["00" * 8, "00" * 8, "11" * 8])
    lengths = []

    def draw(length: int) -> str:
        lengths.append(length)
        return next(drawn)

    tokens = new_tokens()
    monkeypatch.setattr("hamlet_trio.web.access.tokens.secrets.token_hex", draw)
    tokens, first, _ = new_token(tokens, name="x", role="viewer", kind="token")
    tokens, second, _ = new_token(tokens, name="y", role="viewer", kind="token")
    assert (first.id, second.id) == ("00" * 8, "11" * 8)
    assert set(lengths) == {8}


@pytest.mark.parametrize(("left", "valid"), [(timedelta(days=1), True), (timedelta(seconds=-1), False)])
def test_one_that_has_expired_counts_for_nothing(left: timedelta, valid: bool) -> None:
    tokens, token, secret = new_token(
        new_tokens(), name="x", role="teacher", kind="token", expires=NOW + left
    )
    assert (tokens.recognise(secret) is not None) is valid
    assert (tokens.by_id(token.id) is not None) is valid
    assert tokens.has(Role.TEACHER) is valid


def test_no_tokens_recognise_nothing() -> None:
    assert Tokens(salt="00").recognise("") is None
    assert not new_tokens().has(Role.TEACHER)


def test_ids_are_never_used_again(known: Known) -> None:
    before = known.id_of("token", "teacher")
    for _ in range(3):
        add_token(known.file, "Ms Jones", "teacher")
    ids = re.findall(r'"id": "(\w+)"', known.file.read_text())
    assert len(set(ids)) == len(ids) == 6
    assert before in ids
