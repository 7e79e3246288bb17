"""The exported schema has every message, command, query and answer, and describes every field."""

import json
from typing import get_args

import msgspec

from hamlet_trio.protocol.commands import InferenceCommand, TrainingCommand
from hamlet_trio.protocol.errors import CloseCode, ErrorCode
from hamlet_trio.protocol.messages import InferenceMessage, TrainingMessage
from hamlet_trio.protocol.room_commands import RoomCommand
from hamlet_trio.protocol.room_messages import RoomMessage
from hamlet_trio.settings import Settings
from hamlet_trio.web.access.roles import ROUTES
from hamlet_trio.web.schema import HTTP, build_schema

WITHOUT_JSON = {
    *(
        "/<path:name>",
        "/ws",
        "/ws/training",
        "/ws/room",
        "/metrics",
        "/api/schema",
        "/api/runs/<run_id>/episodes.csv",
    ),
    *("/api/recordings/<recording>/file", "/api/recordings/<recording>/film/file"),
}
"""Routes whose answers are files, text, handshakes, or the schema itself."""


def test_the_schema_has_every_command_and_message() -> None:
    schema = build_schema()
    assert json.loads(msgspec.json.encode(schema)) == schema
    for endpoint, direction, union in (
        ("inference", "commands", InferenceCommand),
        ("inference", "messages", InferenceMessage),
        ("training", "commands", TrainingCommand),
        ("training", "messages", TrainingMessage),
        ("room", "commands", RoomCommand),
        ("room", "messages", RoomMessage),
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


def test_the_schema_has_the_query_and_answer_of_every_route() -> None:
    routes = {(rule, method) for rule, methods in ROUTES.items() for method in methods if method != "DELETE"}
    assert {(rule, method) for rule, method in routes if rule not in WITHOUT_JSON} == {
        (route.partition(" ")[2], route.partition(" ")[0]) for route in HTTP
    }
    schema = build_schema()
    for exchange in schema["http"].values():
        assert "response" in exchange
        for reference in exchange.values():
            assert reference["$ref"].removeprefix("#/$defs/") in schema["$defs"]


def test_every_struct_and_every_field_is_described() -> None:
    definitions = build_schema()["$defs"] | msgspec.json.schema_components([Settings])[1]
    assert {"TrainingStatus", "StartTraining", "RunsQuery", "LoginRequest", "Problem", "Settings"} <= set(
        definitions
    )
    for name, definition in definitions.items():
        assert definition["description"], name
        for field, schema in definition["properties"].items():
            is_tag = field in ("type", "command") and len(schema.get("enum", ())) == 1
            assert is_tag or schema.get("description"), f"{name}.{field}"
