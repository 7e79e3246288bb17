"""Examples in the pages are what the server takes and sends, and programs are files that are run."""

import json
import re
import tomllib
from contextlib import suppress
from typing import Any, get_args

import msgspec
import pytest

from hamlet_trio.protocol.commands import inference_commands, training_commands
from hamlet_trio.protocol.errors import BadMessageError
from hamlet_trio.protocol.messages import InferenceMessage, TrainingMessage
from hamlet_trio.protocol.room_commands import room_commands
from hamlet_trio.protocol.room_messages import RoomMessage
from hamlet_trio.settings import load_settings
from scripts.doc_tables.pages import DOCS
from tests.docs.reading import TEXTS, Fence, fences

SNIPPET = re.compile(r'--8<-- "(samples/[\w.]+)"')


def decode_command(text: str) -> object:
    """The command, for whichever endpoint has it."""
    for decode in (inference_commands.decode, training_commands.decode):
        with suppress(BadMessageError):
            return decode(text)
    return room_commands.decode(text)


def decode_message(content: dict[str, Any]) -> object:
    """The message, of whichever endpoint sends it."""
    kinds = {*get_args(InferenceMessage), *get_args(TrainingMessage), *get_args(RoomMessage)}
    named = [kind for kind in kinds if kind.__struct_config__.tag == content["type"]]
    assert named, f"no message is called {content['type']}"
    for kind in named[:-1]:
        try:
            return msgspec.convert(content, kind)
        except msgspec.ValidationError:
            continue
    return msgspec.convert(content, named[-1])


@pytest.mark.parametrize("fence", fences("json"), ids=lambda fence: fence.body[:60].strip())
def test_json_examples_are_commands_or_messages(fence: Fence) -> None:
    content = json.loads(fence.body)
    decode_command(fence.body) if "command" in content and "code" not in content else decode_message(content)


def test_there_are_json_examples() -> None:
    assert len(fences("json")) > 4


@pytest.mark.parametrize("fence", fences("python"), ids=lambda fence: fence.page)
def test_python_in_a_page_is_a_sample(fence: Fence) -> None:
    included = SNIPPET.fullmatch(fence.body.strip())
    if included:
        assert (DOCS / included[1]).is_file()
    else:
        samples = {path.read_text(encoding="utf-8").strip() for path in (DOCS / "samples").glob("*.py")}
        assert fence.body.strip() in samples, "write it as a file in docs/samples"


def test_the_settings_file_is_read() -> None:
    path = DOCS / "samples" / "hamlet.toml"
    settings = load_settings({"HAMLET_CONFIG": str(path)})
    for name, value in tomllib.loads(path.read_text(encoding="utf-8")).items():
        assert getattr(settings, name) == (tuple(value) if isinstance(value, list) else value)


def test_the_sentence_of_the_error_example_is_the_server_s() -> None:
    example = next(json.loads(fence.body) for fence in fences("json") if '"error"' in fence.body)
    with pytest.raises(BadMessageError) as caught:
        inference_commands.decode('{"command": "set_speed", "speed": "fast"}')
    shown = (caught.value.message, caught.value.code, caught.value.command, caught.value.field)
    assert (example["message"], example["code"], example["command"], example["field"]) == shown


def test_bad_input_table_names_the_codes_that_come() -> None:
    """Each row of the table that a frame can show, with such a frame."""
    rows: dict[str, str | bytes] = {
        "invalid_json": "{",
        "not_an_object": "[]",
        "missing_command": "{}",
        "unknown_command": '{"command": "dance"}',
        "missing_field": '{"command": "act"}',
        "unknown_field": '{"command": "start_training", "episodes": 3}',
        "wrong_type": '{"command": "set_speed", "speed": "fast"}',
        "out_of_range": '{"command": "act", "action": 5}',
        "binary_frame": b"{}",
    }
    table = TEXTS["protocol.md"].partition("### Bad input")[2].partition("### Error codes")[0]
    for code, frame in rows.items():
        assert f"code `{code}`" in table
        decode = training_commands.decode if code == "unknown_field" else inference_commands.decode
        with pytest.raises(BadMessageError) as caught:
            decode(frame)
        assert caught.value.code == code
