"""The routes of worlds: presets for all, worlds of one's own for those who may train."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quart import Response

from hamlet_trio.web.app import HamletApp
from hamlet_trio.world import library
from tests.world.test_world_file import json_values, names

NINE = {"title": "Nine", "width": 9}

worlds_as_json = st.dictionaries(
    names, json_values | st.integers(1, 40) | st.dictionaries(names, json_values, max_size=2), max_size=3
).map(lambda fields: json.dumps(fields).encode())


async def ask(
    app: HamletApp, method: str, path: str, body: object = None, *, if_match: str = "", kind: str = ""
) -> Response:
    """Make one request; the body is sent as JSON, or as it is where it is bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    client = app.test_client()
    send = {"GET": client.get, "POST": client.post, "PUT": client.put, "DELETE": client.delete}[method]
    headers = {name: text for name, text in (("If-Match", if_match), ("Content-Type", kind)) if text}
    answer = await send(path, data=data if body is not None else None, headers=headers)
    assert isinstance(answer, Response)
    return answer


async def told(response: Response) -> dict[str, Any]:
    """Return what a response says, as JSON."""
    return dict(json.loads(await response.get_data()))


async def test_presets_are_listed_and_shown(app: HamletApp) -> None:
    listed = (await told(await ask(app, "GET", "/api/worlds")))["worlds"]
    assert listed[0]["name"] == "usual"
    assert all(entry["preset"] and entry["title"] and entry["digest"] for entry in listed)
    shown = await told(await ask(app, "GET", "/api/worlds/two-bars"))
    assert shown["changes"]["affordances"]["Recreation"] is False
    assert shown["config"]["width"] == 8


async def test_a_world_is_saved_read_replaced_and_removed(app: HamletApp) -> None:
    made = await ask(app, "PUT", "/api/worlds/nine", NINE)
    assert made.status_code == 201
    assert (await told(made))["config"]["width"] == 9
    version = made.headers["ETag"]
    assert (await ask(app, "GET", "/api/worlds/nine")).headers["ETag"] == version
    again = await ask(app, "PUT", "/api/worlds/nine", {"width": 10}, if_match=version)
    assert again.status_code == 200
    assert again.headers["ETag"] != version
    assert (await ask(app, "DELETE", "/api/worlds/nine")).status_code == 204
    assert (await told(await ask(app, "GET", "/api/worlds/nine")))["code"] == "unknown_world"


async def test_nobody_overwrites_what_they_have_not_seen(app: HamletApp) -> None:
    await ask(app, "PUT", "/api/worlds/nine", NINE)
    for seen in ("", f'"{"0" * 16}"'):
        refused = await ask(app, "PUT", "/api/worlds/nine", {"width": 10}, if_match=seen)
        assert (refused.status_code, (await told(refused))["code"]) == (412, "world_changed")
    stale = await ask(app, "DELETE", "/api/worlds/nine", if_match=f'"{"0" * 16}"')
    assert (stale.status_code, (await told(stale))["code"]) == (412, "world_changed")
    for method in ("PUT", "DELETE"):
        odd = await ask(app, method, "/api/worlds/nine", NINE, if_match="nine")
        assert (odd.status_code, (await told(odd))["field"]) == (400, "If-Match")
    assert (await told(await ask(app, "GET", "/api/worlds/nine")))["title"] == "Nine"


async def test_a_star_stands_for_any_version_but_for_none(app: HamletApp) -> None:
    missing = await ask(app, "PUT", "/api/worlds/nine", NINE, if_match="*")
    assert missing.status_code == 412
    await ask(app, "PUT", "/api/worlds/nine", NINE)
    assert (await ask(app, "PUT", "/api/worlds/nine", {"width": 10}, if_match="*")).status_code == 200
    assert (await ask(app, "DELETE", "/api/worlds/nine", if_match="*")).status_code == 204


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"width": 1}, "width"),
        ({"width": 33}, "width"),
        ({"num_agents": 9}, "num_agents"),
        (b'{"height": 1e400}', "height"),
        ({"affordances": {"Bed": {"x": 99}}}, "affordances.Bed.x"),
        ({"colour": 1}, "colour"),
        (b"{", None),
        (b"\xff", None),
        ([], None),
        ("text", None),
    ],
)
async def test_an_invalid_world_names_its_field(app: HamletApp, body: object, field: str | None) -> None:
    refused = await ask(app, "PUT", "/api/worlds/mine", body)
    answer = await told(refused)
    assert (refused.status_code, answer["code"], answer.get("field")) == (422, "invalid_world", field)
    assert (await ask(app, "GET", "/api/worlds/mine")).status_code == 404


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200) | worlds_as_json)
async def test_any_body_is_a_world_or_a_refusal(app: HamletApp, body: bytes) -> None:
    checked = await ask(app, "POST", "/api/world_check", body)
    saved = await ask(app, "PUT", "/api/worlds/any", body)
    if checked.status_code == 200:
        assert saved.status_code == 201
        assert (await ask(app, "DELETE", "/api/worlds/any")).status_code == 204
        return
    for refused in (checked, saved):
        assert (refused.status_code, (await told(refused))["code"]) == (422, "invalid_world")


async def test_a_world_is_checked_in_json_or_toml_and_saved_nowhere(app: HamletApp) -> None:
    nine = await told(await ask(app, "POST", "/api/world_check", NINE))
    assert (nine["title"], nine["config"]["width"], nine["changes"]) == ("Nine", 9, {"width": 9})
    toml = b'title = "Nine"\nwidth = 9\n'
    assert await told(await ask(app, "POST", "/api/world_check", toml, kind="application/toml")) == nine
    assert all(world["preset"] for world in (await told(await ask(app, "GET", "/api/worlds")))["worlds"])
    for body, field in ((b'{"shaped": null}', "shaped"), ({"width": 33}, "width"), (toml, None)):
        refused = await ask(app, "POST", "/api/world_check", body, kind="application/json")
        answer = await told(refused)
        assert (refused.status_code, answer["code"], answer.get("field")) == (422, "invalid_world", field)


@pytest.mark.parametrize("name", ["Nine", "a b", "..%2Fnine", "-a", "a" * 65, "%00"])
async def test_a_name_that_is_not_allowed_is_refused(app: HamletApp, name: str) -> None:
    assert (await ask(app, "PUT", f"/api/worlds/{name}", NINE)).status_code in (404, 405, 422)
    assert (await ask(app, "GET", f"/api/worlds/{name}")).status_code == 404


async def test_presets_are_read_only(app: HamletApp) -> None:
    for method, body in (("PUT", NINE), ("DELETE", None)):
        refused = await ask(app, method, "/api/worlds/usual", body)
        assert (refused.status_code, (await told(refused))["code"]) == (409, "world_read_only")


async def test_the_folder_is_bounded(app: HamletApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "MAX_WORLDS", 1)
    await ask(app, "PUT", "/api/worlds/one", NINE)
    refused = await ask(app, "PUT", "/api/worlds/two", NINE)
    assert (refused.status_code, (await told(refused))["code"]) == (409, "worlds_full")


async def test_a_folder_that_cannot_be_written_is_reported(app: HamletApp, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "worlds").write_text("a file in the way")
    refused = await ask(app, "PUT", "/api/worlds/nine", NINE)
    assert (refused.status_code, (await told(refused))["code"]) == (507, "save_failed")
    assert (await ask(app, "GET", "/api/worlds")).status_code == 200
