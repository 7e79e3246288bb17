"""Bad input on both endpoints, row by row of the protocol's table: an error, and the connection stays."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.e2e.client import connected, strict, watching
from tests.e2e.conftest import Server, StartServer
from tests.web.wire import BINARY, TEXT, Client, connect, frame

ENDPOINTS = {"/ws": "playback", "/ws/training": "training_status"}

ROWS: dict[str, tuple[bytes, str]] = {
    "not JSON": (frame(TEXT, b"{"), "invalid_json"),
    "nothing": (frame(TEXT, b""), "invalid_json"),
    "not an object": (frame(TEXT, b'["play"]'), "not_an_object"),
    "a number": (frame(TEXT, b"1"), "not_an_object"),
    "no command": (frame(TEXT, b"{}"), "missing_command"),
    "an unknown command": (frame(TEXT, b'{"command":"fly"}'), "unknown_command"),
    "a command of the wrong type": (frame(TEXT, b'{"command":7}'), "wrong_type"),
    "NaN": (frame(TEXT, b'{"command":NaN}'), "invalid_json"),
    "Infinity": (frame(TEXT, b'{"command":-Infinity}'), "invalid_json"),
    "deep nesting": (frame(TEXT, b'{"command":' + b"[" * 20_000), "invalid_json"),
    "a binary frame": (frame(BINARY, b'{"command":"status"}'), "binary_frame"),
    "an empty binary frame": (frame(BINARY, b""), "binary_frame"),
}

FIELDS: dict[str, list[tuple[str, str, str]]] = {
    "/ws": [
        ('{"command":"set_speed"}', "missing_field", "speed"),
        ('{"command":"set_speed","speed":"fast"}', "wrong_type", "speed"),
        ('{"command":"set_speed","speed":-1}', "out_of_range", "speed"),
        ('{"command":"set_speed","speed":1e300}', "out_of_range", "speed"),
        ('{"command":"set_speed","speed":1e999}', "out_of_range", "speed"),
        ('{"command":"act","action":5}', "out_of_range", "action"),
        ('{"command":"act","action":1.5}', "wrong_type", "action"),
        ('{"command":"load_model","model":"../secret.pt"}', "invalid_model_name", "model"),
        ('{"command":"load_model","model":"nowhere.pt"}', "unknown_model", "model"),
        ('{"command":"load_model","model":{}}', "wrong_type", "model"),
    ],
    "/ws/training": [
        ('{"command":"start_training","num_episodes":0}', "out_of_range", "num_episodes"),
        ('{"command":"start_training","num_episodes":"many"}', "wrong_type", "num_episodes"),
        ('{"command":"start_training","gamma":2}', "out_of_range", "gamma"),
        ('{"command":"start_training","speed":3}', "unknown_field", "speed"),
        ('{"command":"start_training","seed":-1}', "out_of_range", "seed"),
        ('{"command":"start_training","batch_size":500,"buffer_capacity":100}', "out_of_range", "batch_size"),
    ],
}


async def next_of(client: Client, kind: str) -> dict[str, Any]:
    """The next message of this type."""
    while (message := strict(await client.read_text()))["type"] != kind:
        pass
    return message


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("row", ROWS)
async def test_a_bad_frame_is_answered_and_the_connection_stays(
    row: str, path: str, shared_server: Server
) -> None:
    sent, code = ROWS[row]
    async with connect(shared_server.port) as client:
        await client.open_websocket(path)
        await client.send(sent)
        error = await next_of(client, "error")
        assert error["code"] == code
        assert error["message"].endswith((".", "}."))
        await client.send(frame(TEXT, b'{"command":"status"}'))
        await next_of(client, ENDPOINTS[path])


@pytest.mark.parametrize(
    ("path", "text", "code", "field"), [(path, *row) for path, rows in FIELDS.items() for row in rows]
)
async def test_a_bad_field_is_named_and_nothing_changes(
    path: str, text: str, code: str, field: str, shared_server: Server
) -> None:
    async with connect(shared_server.port) as client:
        await client.open_websocket(path)
        await client.send(frame(TEXT, text.encode()))
        error = await next_of(client, "error")
        assert (error["code"], error["field"] or "") == (code, field)
        await client.send(frame(TEXT, b'{"command":"status"}'))
        status = await next_of(client, ENDPOINTS[path])
        assert status.get("playing", False) is False
        assert status.get("is_training", False) is False


async def test_every_other_connection_notices_nothing(shared_server: Server) -> None:
    async with watching(shared_server.port) as player, connect(shared_server.port) as client:
        await client.open_websocket("/ws")
        for sent, _ in ROWS.values():
            await client.send(sent)
        for _ in ROWS:
            await next_of(client, "error")
        await player.send("status")
        assert (await player.receive())["type"] == "playback"


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_a_frame_over_the_limit_closes_with_1009(path: str, shared_server: Server) -> None:
    async with connect(shared_server.port) as client:
        await client.open_websocket(path)
        await client.send(frame(TEXT, b'{"command":"status","filler":"' + b"a" * 65_536))
        assert await client.read_close() == 1009


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_too_many_commands_are_refused_and_abuse_closes_with_1008(
    path: str, start_server: StartServer
) -> None:
    server = start_server(ready=False, command_rate=1, command_burst=5, command_abuse=50)
    status = frame(TEXT, b'{"command":"status"}')
    async with connect(server.port) as client:
        await client.open_websocket(path)
        await client.send(status * 10)
        assert (await next_of(client, "error"))["code"] == "rate_limited"
        await client.send(status * 100)
        assert await client.read_close() == 1008


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
NAMES = {
    "/ws": [
        *("play", "pause", "step", "reset", "set_speed", "load_model", "take_control", "act", "set_view"),
        "set_world",
    ],
    "/ws/training": ["pause", "resume", "stop", "status", "start_training"],
}
# Of a world too, which both sockets take.
WORLDS = st.dictionaries(
    st.sampled_from(
        ["width", "height", "start", "num_agents", "meters", "affordances", "move", "reward", "title"]
    ),
    JSON
    | st.integers(1, 40)
    | st.dictionaries(st.sampled_from(["Bed", "energy", "x", "drain"]), JSON, max_size=2),
    max_size=3,
)
FIELD_NAMES = ["speed", "model", "action", "q_values", "attention", "type", "num_episodes", "gamma", "seed"]


def commands(path: str) -> st.SearchStrategy[str]:
    """Objects close to a command; a `start_training` among them is never one that would start."""
    fields = st.dictionaries(
        st.sampled_from(FIELD_NAMES) | st.text(max_size=8), JSON, max_size=4
    ) | WORLDS.map(lambda world: {"world": world})

    def build(name: str, values: dict[str, Any]) -> str:
        spoilt = {"num_episodes": "spoilt"} if name == "start_training" else {}
        return json.dumps({**values, "command": name, **spoilt})

    return st.builds(build, st.sampled_from(NAMES[path]), fields)


def frames(path: str) -> st.SearchStrategy[bytes]:
    """Any frame that is one as far as RFC 6455 is concerned."""
    texts = st.text(max_size=200) | JSON.map(json.dumps) | commands(path)
    return st.builds(lambda text: frame(TEXT, text.encode(errors="ignore")), texts) | st.builds(
        lambda data: frame(BINARY, data), st.binary(max_size=200)
    )


@pytest.mark.parametrize("path", ENDPOINTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_whatever_is_sent_the_connection_answers_on(
    path: str, shared_server: Server, data: st.DataObject
) -> None:
    sent = data.draw(st.lists(frames(path), min_size=1, max_size=8))
    async with connect(shared_server.port) as client:
        await client.open_websocket(path)
        await client.send(b"".join(sent))
        await client.send(frame(TEXT, b'{"command":"this is the end"}'))
        while (error := await next_of(client, "error"))["message"].find("this is the end") < 0:
            assert error["code"]
    assert shared_server.logged("error") == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(min_size=1, max_size=300))
async def test_whatever_bytes_follow_the_handshake_the_server_stays(
    shared_server: Server, data: bytes
) -> None:
    for path in ENDPOINTS:
        async with connect(shared_server.port) as client:
            await client.open_websocket(path)
            await client.send(data)
    async with connected(shared_server.port) as player:
        await player.send("status")
        await player.expect("playback")
    assert shared_server.logged("error") == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(min_size=1, max_size=300))
async def test_whatever_bytes_begin_a_connection_the_server_stays(shared_server: Server, data: bytes) -> None:
    async with connect(shared_server.port) as client:
        await client.send(data)
    async with connected(shared_server.port) as player:
        await player.send("status")
        await player.expect("playback")
    assert shared_server.logged("error") == []
