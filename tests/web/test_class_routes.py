"""GET and DELETE /api/class."""

from pathlib import Path

import msgspec
import pytest

from hamlet_trio.web import class_routes
from hamlet_trio.web.app import HamletApp
from hamlet_trio.web.class_routes import ClassResponse
from tests.web.conftest import make_app


async def ask(app: HamletApp, host: str = "hamlet.example") -> ClassResponse:
    """Return the answer, as its type says it is."""
    response = await app.test_client().get("/api/class", headers={"Host": host})
    assert response.status_code == 200
    return msgspec.json.decode(await response.get_data(), type=ClassResponse)


async def test_it_tells_who_plays_and_a_teacher_begins_anew(app: HamletApp) -> None:
    board = app.server.inference.class_board
    with board.seat() as here:
        with board.seat() as away:
            away.join("a")
            away.count(300, 5.0)
        me = here.join("b")
        here.count(20, -1.5)
        told = await ask(app)
        assert told.here == 1
        assert [player.steps for player in told.players] == [300, 20]
        assert (await app.test_client().delete("/api/class")).status_code == 204
        assert (await ask(app)).players == [me]


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1", "[::1]:8765", "[::1]"])
async def test_who_asks_as_localhost_learns_the_address_in_the_network(
    host: str, app: HamletApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_routes, "address_in_network", lambda: "192.168.7.5")
    assert (await ask(app, host=host)).host == "192.168.7.5"
    assert (await ask(app)).host is None
    assert (await ask(make_app(tmp_path, host="127.0.0.1"), host=host)).host is None


def test_the_address_in_the_network_is_none_of_this_machine_alone() -> None:
    assert class_routes.address_in_network() not in {"127.0.0.1", "::1", "0.0.0.0"}
