"""The routes of films: ordering, progress, download, refusals, limits."""

import json
import os
from pathlib import Path

import pytest
import trio

from hamlet_trio.recording.file import Recording, encode
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.web import film_service
from hamlet_trio.web.app import HamletApp
from hamlet_trio.web.film_service import FilmService
from tests.web.access.conftest import Browser
from tests.web.conftest import make_app
from tests.web.recordings.support import (
    ENDLESS,
    ask,
    until_made,
    until_ready,
)


async def test_a_film_is_made_with_its_progress_and_downloaded(
    tmp_path: Path, short: Recording, nursery: trio.Nursery
) -> None:
    app = make_app(tmp_path, films_kept=1)
    await nursery.start(app.server.films.run)
    older = tmp_path / "data" / "films" / "20250101-000000-abcdef-x1.gif"
    older.parent.mkdir()
    older.touch()
    os.utime(older, (0, 0))
    path = f"/api/recordings/{short.info.recording}/film"
    query = "?speed=0.5"
    assert (await ask(app, "GET", path + query))[1]["code"] == "unknown_film"
    status, film = await ask(app, "POST", path + query)
    assert (status, film["state"], film["speed"]) == (202, "waiting", 0.5)
    assert (await ask(app, "GET", f"{path}/file{query}"))[1]["code"] == "unknown_film"
    film = await until_ready(app, path + query)
    assert (film["state"], film["error"]) == ("ready", None)
    data = b""
    # Chunk by chunk: the test client holds a few of them only.
    async with app.test_client().request(f"{path}/file{query}") as connection:
        await connection.send_complete()
        while len(data) < film["size_bytes"]:
            data += await connection.receive()
        headers = connection.headers  # type: ignore[attr-defined]  # the protocol forgets it
        assert headers["Content-Type"] == "video/mp4"
    assert data == app.server.films.path(film_service.FilmKey(short.info.recording, "mp4", 0.5)).read_bytes()
    assert not older.exists(), "one is kept, the newest"
    assert (await ask(app, "POST", path + query))[0] == 200, "it is kept"
    assert (await ask(app, "DELETE", path + query))[0] == 204
    assert (await ask(app, "GET", path + query))[0] == 404


async def test_a_film_that_fails_says_why(
    app: HamletApp, running_films: FilmService, folder: RecordingFolder, short: Recording
) -> None:
    (folder.path / "20250101-000000-000bad.rec").write_bytes(encode(short)[:-1])
    path = "/api/recordings/20250101-000000-000bad/film"
    await ask(app, "POST", path)
    film = await until_ready(app, path)
    assert film["state"] == "failed"
    assert film["error"].startswith("20250101-000000-000bad.rec is damaged")


async def test_films_wait_for_the_server_to_have_started(app: HamletApp, short: Recording) -> None:
    status, answer = await ask(app, "POST", f"/api/recordings/{short.info.recording}/film")
    assert (status, answer["code"]) == (503, "starting")


async def test_a_server_without_the_extra_says_so(
    app: HamletApp, running_films: FilmService, short: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film_service, "_NEEDED", ("no_such_package",))
    status, answer = await ask(app, "POST", f"/api/recordings/{short.info.recording}/film")
    assert (status, answer["code"]) == (503, "films_unavailable")
    assert "no_such_package" in answer["detail"]


@pytest.mark.parametrize(
    "query", ["format=exe", "speed=0", "speed=7", "speed=nan", "agent=agent_9", "out=/tmp/a"]
)
async def test_an_impossible_film_is_a_400(app: HamletApp, short: Recording, query: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        path = f"/api/recordings/{short.info.recording}/film?{query}"
        status, answer = await ask(app, method, path)
        assert (status, answer["code"]) == (400, "invalid_query")


async def test_too_many_films_are_refused_fairly(
    app: HamletApp, running_films: FilmService, short: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film_service, "COMMAND", ENDLESS)
    path = f"/api/recordings/{short.info.recording}/film"
    speeds = iter(range(10, 60))

    async def orders(peer: str, count: int) -> list[int]:
        browser = Browser(app, peer)
        return [
            (await browser.ask(f"POST {path}?speed={next(speeds) / 10}")).status_code for _ in range(count)
        ]

    assert await orders("192.0.2.1", 1) == [202]
    await until_made(app, f"{path}?speed=1.0")  # so that it no longer waits
    of_one = film_service.MAX_WAITING_OF_ONE
    assert await orders("192.0.2.1", of_one + 2) == [202] * of_one + [503] * 2
    left = film_service.MAX_WAITING - of_one
    assert await orders("192.0.2.2", 1) == [202]
    assert await orders("192.0.2.3", 3) == [202] * (left - 1) + [503] * (4 - left)
    response = await Browser(app, "192.0.2.1").ask(f"POST {path}?speed=6")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "20")
    assert json.loads(await response.get_data())["code"] == "films_busy"
