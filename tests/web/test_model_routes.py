"""The route that names a model."""

from pathlib import Path

import pytest

from hamlet_trio.web.app import HamletApp
from tests.web.test_world_routes import ask, told

MODEL = "run-20250131-235959-a1b2c3-ep5.pt"
ROUTE = f"/api/models/{MODEL}/given_name"


@pytest.fixture
def saved(app: HamletApp) -> Path:
    """Put a file among the models of runs; a name needs no more of it."""
    folder = app.server.models.runs
    assert folder is not None
    folder.mkdir(parents=True)
    for name in (MODEL, "other.pt", "trained_agent.pt"):
        (folder / name).write_bytes(b"x")
    return folder


async def test_a_model_gets_a_name_and_keeps_its_file(app: HamletApp, saved: Path) -> None:
    named = await ask(app, "PUT", ROUTE, {"given_name": " Our  champion "})
    assert (named.status_code, await told(named)) == (200, {"name": MODEL, "given_name": "Our champion"})
    listed = (await told(await ask(app, "GET", "/api/models")))["details"]
    assert {one["name"]: one["given_name"] for one in listed}[MODEL] == "Our champion"
    gone = await ask(app, "PUT", ROUTE, {"given_name": None})
    assert (await told(gone))["given_name"] is None
    assert (saved / MODEL).is_file()


@pytest.mark.parametrize(
    ("model", "body", "status", "code"),
    [
        (MODEL, {"given_name": ""}, 422, "out_of_range"),
        (MODEL, {"given_name": 5}, 400, "invalid_request"),
        (MODEL, {"name": "x"}, 400, "invalid_request"),
        (MODEL, b"{", 400, "invalid_request"),
        (MODEL, b"\xff", 400, "invalid_request"),
        (MODEL, {"given_name": "taken"}, 409, "name_taken"),
        ("trained_agent.pt", {"given_name": "x"}, 409, "model_not_named"),
        ("missing.pt", {"given_name": "x"}, 404, "unknown_model"),
        ("names.json", {"given_name": "x"}, 404, "invalid_model_name"),
    ],
)
async def test_a_bad_name_changes_nothing(
    app: HamletApp, saved: Path, *, model: str, body: object, status: int, code: str
) -> None:
    await ask(app, "PUT", "/api/models/other.pt/given_name", {"given_name": "Taken"})
    before = (saved / "names.json").read_bytes()
    refused = await ask(app, "PUT", f"/api/models/{model}/given_name", body)
    assert (refused.status_code, (await told(refused))["code"]) == (status, code)
    assert (saved / "names.json").read_bytes() == before


async def test_a_damaged_file_of_names_is_told_and_left(app: HamletApp, saved: Path) -> None:
    (saved / "names.json").write_bytes(b"{")
    refused = await ask(app, "PUT", ROUTE, {"given_name": "x"})
    assert (refused.status_code, (await told(refused))["code"]) == (507, "save_failed")
    assert (saved / "names.json").read_bytes() == b"{"
