"""Text that JSON cannot hold: shown to people as escapes, and restored for programs."""

import json
import os
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamlet_trio.common.encoding import path_from_text, path_to_text, to_json
from hamlet_trio.settings import Settings

paths = st.binary(min_size=1).filter(lambda name: b"\0" not in name).map(os.fsdecode)


@pytest.mark.skipif(sys.platform == "win32", reason="names of files are Unicode there")
@given(paths | st.text().filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text)))
def test_a_path_is_restored_from_its_text(path: str) -> None:
    text = path_to_text(path)
    assert msgspec.json.decode(msgspec.json.encode(text)) == text
    assert path_from_text(text) == path


@pytest.mark.parametrize("path", ["models", "/srv/hamlet/data", "../été", "C:\\models"])
def test_an_ordinary_path_is_its_own_text(path: str) -> None:
    assert path_to_text(path) == path


def test_settings_cross_a_pipe_with_their_paths() -> None:
    settings = Settings(data_dir="caf\udce9/data", models_dir="models")
    sent = msgspec.msgpack.encode(settings.with_portable_paths())
    assert msgspec.msgpack.decode(sent, type=Settings).with_native_paths() == settings


def test_json_shows_a_byte_that_is_not_utf8_as_an_escape() -> None:
    assert json.loads(to_json({"a": ["caf\udce9", 1, None], "b\udcff": True})) == {
        "a": [r"caf\xe9", 1, None],
        r"b\xff": True,
    }
    assert to_json({"a": "café"}) == '{"a":"café"}'.encode()
