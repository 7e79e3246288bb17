"""Decoding: every flaw of a frame becomes one stable code and a sentence that names the field."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamlet_trio.protocol.command_decoder import CommandDecoder
from hamlet_trio.protocol.commands import (
    Act,
    LoadModel,
    Play,
    SetShow,
    SetSpeed,
    SetView,
    StartTraining,
    inference_commands,
    training_commands,
)
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.protocol.room_commands import MoveCursor, room_commands


def refusal(decoder: CommandDecoder[Any], frame: str | bytes | None) -> BadMessageError:
    with pytest.raises(BadMessageError) as caught:
        decoder.decode(frame)
    return caught.value


@pytest.mark.parametrize("envelope", [{}, {"type": "control"}])
@pytest.mark.parametrize(
    ("fields", "command"),
    [
        ({"command": "play"}, Play()),
        ({"command": "set_speed", "speed": 2}, SetSpeed(2.0)),
        ({"command": "set_speed", "speed": 0.001}, SetSpeed(0.001)),
        ({"command": "load_model", "model": "a.pt"}, LoadModel("a.pt")),
        ({"command": "act", "action": 4}, Act(4)),
        ({"command": "set_view", "q_values": True}, SetView(q_values=True)),
    ],
)
def test_inference_commands_with_and_without_the_page_s_type(
    envelope: dict[str, Any], fields: dict[str, Any], command: object
) -> None:
    assert inference_commands.decode(json.dumps(envelope | fields)) == command


KEPT = [
    (inference_commands, {"command": "play"}),
    (inference_commands, {"command": "pause"}),
    (inference_commands, {"command": "step"}),
    (inference_commands, {"command": "reset"}),
    (inference_commands, {"command": "set_speed", "speed": 2}),
    (inference_commands, {"command": "load_model", "model": "a.pt"}),
    (training_commands, {"command": "pause"}),
    (training_commands, {"command": "resume"}),
    (training_commands, {"command": "status"}),
]


@pytest.mark.parametrize(("decoder", "fields"), KEPT)
def test_kept_commands_ignore_fields_that_they_do_not_have(
    decoder: CommandDecoder[Any], fields: dict[str, Any]
) -> None:
    assert decoder.decode(json.dumps(fields | {"volume": 11})) == decoder.decode(json.dumps(fields))


NEW = [
    (inference_commands, {"command": "set_view", "q_values": True}),
    (inference_commands, {"command": "status"}),
    (inference_commands, {"command": "act", "action": 0}),
    (training_commands, {"command": "start_training"}),
    (training_commands, {"command": "start_sweep", "seeds": [1]}),
    (training_commands, {"command": "set_show", "show": "live"}),
    (training_commands, {"command": "stop"}),
    (room_commands, {"command": "join"}),
    (room_commands, {"command": "clear"}),
    (room_commands, {"command": "follow", "member": None}),
]


@pytest.mark.parametrize(("decoder", "fields"), NEW)
def test_all_others_refuse_them_but_for_type(decoder: CommandDecoder[Any], fields: dict[str, Any]) -> None:
    decoder.decode(json.dumps(fields | {"type": "control"}))
    error = refusal(decoder, json.dumps(fields | {"volume": 11}))
    assert (error.code, error.command, error.field) == ("unknown_field", fields["command"], "volume")
    assert f"`{fields['command']}` has no field `volume`; it has " in error.message


@pytest.mark.parametrize(
    ("decoder", "fields", "sentence"),
    [
        (room_commands, {"command": "cursor", "at": [1, 65]}, "a number from -1 to 64 or null"),
        (training_commands, {"command": "start_sweep", "seeds": []}, "a list of 1 to 64, each a whole"),
        (training_commands, {"command": "start_sweep", "seeds": list(range(65))}, "a list of 1 to 64"),
    ],
)
def test_a_sentence_says_what_is_allowed_at_this_endpoint(
    decoder: CommandDecoder[Any], fields: dict[str, Any], sentence: str
) -> None:
    assert sentence in refusal(decoder, json.dumps(fields)).message


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("room", {"command": "join", "room": "4827\n"}),
        ("room", {"command": "join", "room": "4827-8\n"}),
        ("voter", {"command": "join", "room": "4827", "voter": "a" * 16 + "\n"}),
        ("id", {"command": "erase", "id": "x\n"}),
    ],
)
def test_no_name_ends_in_a_line_break(field: str, fields: dict[str, Any]) -> None:
    assert refusal(room_commands, json.dumps(fields)).field == field


def test_start_training_takes_the_defaults_of_the_protocol() -> None:
    command = training_commands.decode('{"command": "start_training"}')
    assert isinstance(command, StartTraining)
    parameters = command.parameters()
    assert parameters == TrainingParameters()
    kept = ("num_episodes", "batch_size", "buffer_capacity", "show_every", "step_delay")
    assert [getattr(parameters, name) for name in kept] == [100, 32, 10_000, 5, 0.2]


@pytest.mark.parametrize(
    ("frame", "code", "field"),
    [
        ("", ErrorCode.INVALID_JSON, None),
        ("{", ErrorCode.INVALID_JSON, None),
        ('{"command": "set_speed", "speed": NaN}', ErrorCode.INVALID_JSON, None),
        ('{"command": "set_speed", "speed": Infinity}', ErrorCode.INVALID_JSON, None),
        ('{"command": "load_model", "model": "\\ud800"}', ErrorCode.INVALID_JSON, None),
        ('{"a": ' + "[" * 20_000 + "]" * 20_000 + ', "command": "play"}', ErrorCode.INVALID_JSON, None),
        (b'{"command": "play"}', ErrorCode.BINARY_FRAME, None),
        (None, ErrorCode.BINARY_FRAME, None),
        ("[]", ErrorCode.NOT_AN_OBJECT, None),
        ("null", ErrorCode.NOT_AN_OBJECT, None),
        ('"play"', ErrorCode.NOT_AN_OBJECT, None),
        ("{}", ErrorCode.MISSING_COMMAND, "command"),
        ('{"command": null}', ErrorCode.WRONG_TYPE, "command"),
        ('{"command": ["play"]}', ErrorCode.WRONG_TYPE, "command"),
        ('{"command": "dance"}', ErrorCode.UNKNOWN_COMMAND, "command"),
        ('{"command": "play", "command": "pause"}', ErrorCode.OUT_OF_RANGE, "command"),
        ('{"command": "set_speed"}', ErrorCode.MISSING_FIELD, "speed"),
        ('{"command": "set_speed", "speed": "fast"}', ErrorCode.WRONG_TYPE, "speed"),
        ('{"command": "set_speed", "speed": true}', ErrorCode.WRONG_TYPE, "speed"),
        ('{"command": "set_speed", "speed": -1}', ErrorCode.OUT_OF_RANGE, "speed"),
        ('{"command": "set_speed", "speed": 1e999}', ErrorCode.OUT_OF_RANGE, "speed"),
        ('{"command": "act", "action": 5}', ErrorCode.OUT_OF_RANGE, "action"),
        ('{"command": "act", "action": 0.5}', ErrorCode.WRONG_TYPE, "action"),
        ('{"command": "act", "action": 99999999999999999999999}', ErrorCode.OUT_OF_RANGE, "action"),
        ('{"command": "load_model", "model": ""}', ErrorCode.OUT_OF_RANGE, "model"),
        ('{"command": "load_model", "model": {}}', ErrorCode.WRONG_TYPE, "model"),
        ('{"command": "set_view", "q_values": 1}', ErrorCode.WRONG_TYPE, "q_values"),
    ],
)
def test_bad_inference_frames(frame: str | bytes | None, code: ErrorCode, field: str | None) -> None:
    error = refusal(inference_commands, frame)
    assert (error.code, error.field) == (code, field)
    assert field is None or f"`{field}`" in error.message or "no command" in error.message


@pytest.mark.parametrize(
    ("fields", "code", "field", "sentence"),
    [
        ({"num_episodes": 0}, "out_of_range", "num_episodes", "a whole number from 1 to 100000; 0 was sent."),
        ({"num_episodes": 2.5}, "wrong_type", "num_episodes", "2.5 was sent."),
        ({"step_delay": -0.1}, "out_of_range", "step_delay", "a number from 0 to 10; -0.1 was sent."),
        ({"gamma": 1.01}, "out_of_range", "gamma", "from 0 to 1"),
        ({"network_type": "big"}, "out_of_range", "network_type", "one of dueling, egocentric, options"),
        ({"network_type": 7}, "wrong_type", "network_type", "7 was sent"),
        ({"seed": -1}, "out_of_range", "seed", "or null; -1 was sent"),
        ({"episodes": 5}, "unknown_field", "episodes", "it has num_episodes, batch_size"),
        (
            {"batch_size": 200, "buffer_capacity": 100},
            "out_of_range",
            "batch_size",
            "must not exceed buffer_capacity (100); 200 was sent",
        ),
    ],
)
def test_bad_training_parameters_name_field_value_and_range(
    fields: dict[str, Any], code: str, field: str, sentence: str
) -> None:
    error = refusal(training_commands, json.dumps({"command": "start_training"} | fields))
    assert (error.code, error.field) == (code, field)
    assert sentence in error.message


def test_every_limited_parameter_is_refused_just_outside_its_limits() -> None:
    info = msgspec.inspect.type_info(TrainingParameters)
    assert isinstance(info, msgspec.inspect.StructType)
    checked = 0
    for field in info.fields:
        kind = field.type.type if isinstance(field.type, msgspec.inspect.Metadata) else field.type
        if isinstance(kind, (msgspec.inspect.IntType, msgspec.inspect.FloatType)):
            assert kind.ge is not None
            assert kind.le is not None, f"{field.name} has no upper limit"
            for value in (kind.ge - 1, kind.le + 1):
                frame = json.dumps({"command": "start_training", field.name: value})
                assert refusal(training_commands, frame).field == field.name
            checked += 1
    assert checked >= 9


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
commands = st.sampled_from([*inference_commands.commands, *training_commands.commands])
fields = st.sampled_from(["command", "type", "speed", "model", "action", "seed", "num_episodes", "gamma"])
near_misses = st.builds(
    lambda name, rest: json.dumps({"command": name} | rest),
    commands | json_values,
    st.dictionaries(fields | st.text(), json_values, max_size=3),
)


@given(st.text() | st.binary() | st.none() | json_values.map(json.dumps) | near_misses)
def test_any_frame_becomes_a_command_or_a_refusal(frame: str | bytes | None) -> None:
    for decoder in (inference_commands, training_commands):
        answer: msgspec.Struct | BadMessageError
        try:
            answer = decoder.decode(frame)
        except BadMessageError as error:
            answer = error
        if isinstance(answer, BadMessageError):
            assert answer.message.endswith(".")
            assert len(answer.message) < 1000
        else:
            assert isinstance(answer, msgspec.Struct)


@pytest.mark.parametrize(
    ("decoder", "fields", "sentence"),
    [
        (
            training_commands,
            {"command": "start_sweep", "seeds": [1], "settings": {"gamma": 0.9}},
            "`settings` must be an object, each value a list of 1 to 100, each true or false or a whole "
            'number or a number or text; {"gamma": 0.9} was sent.',
        ),
        (
            room_commands,
            {"command": "join", "room": "nope"},
            "`room` must be `class` or a number from 1000 to 9999, for a group of it followed by a hyphen "
            'and a number from 1 to 99, such as `4827-2`; "nope" was sent.',
        ),
        (
            room_commands,
            {"command": "ask", "question": "which_action", "choices": 3},
            "`choices` of which_action must be 5; 3 was sent.",
        ),
        (
            room_commands,
            {"command": "erase", "id": ""},
            "`id` must be 1 to 32 letters from A to Z or a to z, digits, hyphens or underscores; "
            '"" was sent.',
        ),
    ],
)
def test_a_refused_value_is_told_what_form_it_should_have(
    decoder: CommandDecoder[Any], fields: dict[str, Any], sentence: str
) -> None:
    assert refusal(decoder, json.dumps(fields)).message == sentence


def test_of_a_field_that_is_sent_twice_the_last_counts_on_every_socket() -> None:
    assert inference_commands.decode('{"command": "set_speed", "speed": 1, "speed": 2}') == SetSpeed(2)
    assert training_commands.decode('{"command": "set_show", "show_every": 1, "show_every": 2}') == SetShow(
        show_every=2
    )
    assert room_commands.decode('{"command": "cursor", "at": null, "at": [1, 2]}') == MoveCursor([1, 2])
