"""The exported schema describes what is sent, and the documentation's tables follow it."""

import json
from typing import get_args

import msgspec

from hamlet_trio.protocol.commands import InferenceCommand, TrainingCommand
from hamlet_trio.protocol.errors import CloseCode, ErrorCode
from hamlet_trio.protocol.messages import InferenceMessage, TrainingMessage
from hamlet_trio.protocol.schema import build_schema


def test_the_schema_has_every_command_and_message() -> None:
    schema = build_schema()
    assert json.loads(msgspec.json.encode(schema)) == schema
    for endpoint, direction, union in (
        ("inference", "commands", InferenceCommand),
        ("inference", "messages", InferenceMessage),
        ("training", "commands", TrainingCommand),
        ("training", "messages", TrainingMessage),
    ):
        tags = {kind.__struct_config__.tag for kind in get_args(union)}
        references = schema["endpoints"][endpoint][direction]
        assert set(references) == tags
        for reference in references.values():
            assert reference["$ref"].removeprefix("#/$defs/") in schema["$defs"]


def test_the_schema_carries_defaults_limits_and_codes() -> None:
    schema = build_schema()
    parameters = schema["$defs"]["TrainingParameters"]["properties"]
    assert parameters["num_episodes"]["default"] == 100
    assert (parameters["batch_size"]["minimum"], parameters["batch_size"]["maximum"]) == (1, 4096)
    assert set(schema["errors"]) == {code.value for code in ErrorCode}
    assert set(schema["close_codes"]) == {str(int(code)) for code in CloseCode}
    assert all(schema["errors"].values())
