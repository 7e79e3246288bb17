"""The routes of recordings and films: listed, taken home, filmed in a process that leaves nothing behind."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import trio

from hamlet_trio.recording.file import Recording, decode, encode
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.web import film_service
from hamlet_trio.web.app import HamletApp
from tests.recording.support import record
from tests.web.access.conftest import Browser, add_token
from tests.web.conftest import make_app

SHORT = [0, 0, 1]


@pytest.fixture
def folder(tmp_path: Path) -> RecordingFolder:
    """The folder of the recordings of `app`."""
    return RecordingFolder(tmp_path / "data" / "recordings", kept=200)


@pytest.fixture
def short(folder: RecordingFolder) -> Recording:
    """A recording of three steps, which is there."""
    made = record(actions=SHORT, model="a.pt")
    folder.save(made)
    return made


@pytest.fixture
async def running_films(app: HamletApp, nursery: trio.Nursery) -> film_service.FilmService:
    """The film service of the app, running."""
    await nursery.start(app.server.films.run)
    return app.server.films


async def ask(app: HamletApp, method: str, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of an answer."""
    response = await getattr(app.test_client(), method.lower())(path, headers=headers)
    data = await response.get_data()
    return response.status_code, json.loads(data) if data else {}


async def until_ready(app: HamletApp, path: str) -> dict[str, Any]:
    """Ask about a film until it is there; every answer but the last tells how far it is."""
    with trio.fail_after(60):
        while True:
            status, film = await ask(app, "GET", path)
            assert status == 200
            if film["state"] not in ("waiting", "making"):
                return film
            assert 0 <= film["made"] <= film["of"]
            await trio.sleep(0.1)


# --- recordings --------------------------------------------------------------------------------------------


async def test_there_are_none_at_first(app: HamletApp) -> None:
    assert await ask(app, "GET", "/api/recordings") == (200, {"recordings": [], "total": 0})


async def test_recordings_are_listed_newest_first_a_page_at_a_time(
    app: HamletApp, folder: RecordingFolder
) -> None:
    made = [
        record(actions=SHORT, model="a.pt"),
        record(actions=SHORT, source="training", run_id="20250101-000000-abcdef", reasons=["every_nth"]),
        record(actions=SHORT, model="b.pt"),
    ]
    for recording in made:
        folder.save(recording)
    ids = [recording.info.recording for recording in reversed(made)]

    async def listed(query: str) -> tuple[list[str], int]:
        _, answer = await ask(app, "GET", f"/api/recordings{query}")
        return [entry["recording"] for entry in answer["recordings"]], answer["total"]

    assert await listed("") == (ids, 3)
    assert await listed("?limit=1&offset=1") == (ids[1:2], 3)
    assert await listed("?source=training") == (ids[1:2], 1)
    assert await listed("?run=20250101-000000-abcdef&reason=every_nth") == (ids[1:2], 1)
    assert await listed("?model=b.pt") == (ids[:1], 1)
    assert await listed("?reason=best_so_far") == ([], 0)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "offset=-1", "source=moon", "path=/etc", "limit=a"]
)
async def test_an_impossible_query_is_a_400(app: HamletApp, query: str) -> None:
    status, answer = await ask(app, "GET", f"/api/recordings?{query}")
    assert (status, answer["code"]) == (400, "invalid_query")


async def test_a_recordings_facts_and_its_file(app: HamletApp, short: Recording) -> None:
    path = f"/api/recordings/{short.info.recording}"
    status, answer = await ask(app, "GET", path)
    assert status == 200
    assert msgspec.convert(answer["info"], type(short.info)) == short.info
    assert (answer["size_bytes"], answer["error"]) == (len(encode(short)), None)
    response = await app.test_client().get(f"{path}/file")
    name = f"{short.info.recording}.rec"
    assert name in response.headers["Content-Disposition"]
    assert decode(await response.get_data(as_text=False), name).play().digest() == short.digest


async def test_a_damaged_recording_is_listed_with_its_error(
    app: HamletApp, folder: RecordingFolder, short: Recording
) -> None:
    (folder.path / "20250101-000000-000bad.rec").write_bytes(encode(short)[:-1])
    _, answer = await ask(app, "GET", "/api/recordings/20250101-000000-000bad")
    assert answer["info"] is None
    assert "is damaged" in answer["error"]


@pytest.mark.parametrize("name", ["20250101-000000-abcdef", "..%2f..%2fsettings", "a", "%00", "x" * 300])
@pytest.mark.parametrize("what", ["", "/file", "/film", "/film/file"])
async def test_what_is_no_recording_is_a_404(app: HamletApp, short: Recording, name: str, what: str) -> None:
    status, answer = await ask(app, "GET", f"/api/recordings/{name}{what}")
    assert (status, answer["code"]) in [(404, "unknown_recording"), (404, "not_found")]


# --- films -------------------------------------------------------------------------------------------------


async def test_a_film_is_made_told_of_and_taken_home(
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


@pytest.mark.parametrize("patience", [1.0, 0.0], ids=["ended", "killed"])
async def test_a_film_that_is_cancelled_leaves_no_process_and_no_file(
    app: HamletApp,
    running_films: film_service.FilmService,
    folder: RecordingFolder,
    patience: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(film_service, "_END_PATIENCE", patience)
    data = folder.path.parent
    long = record()
    folder.save(long)
    path = f"/api/recordings/{long.info.recording}/film"
    await ask(app, "POST", path)
    with trio.fail_after(60):
        while (await ask(app, "GET", path))[1]["made"] < 2:  # noqa: ASYNC110 (another process')
            await trio.sleep(0.05)
    assert _film_processes(data)
    assert (await ask(app, "DELETE", path))[0] == 204
    await _until_gone(data)
    assert (await ask(app, "GET", path))[0] == 404
    await _until_left(0, data / "films")


async def test_only_a_teacher_ends_or_removes_what_somebody_else_wants(
    tmp_path: Path,
    nursery: trio.Nursery,
    folder: RecordingFolder,
    short: Recording,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    teacher = add_token(tmp_path / "tokens.json", "Ms Jones", "teacher")
    app = make_app(tmp_path, login="teachers", tokens_file=str(tmp_path / "tokens.json"))
    await nursery.start(app.server.films.run)
    path = f"/api/recordings/{short.info.recording}/film"
    await ask(app, "POST", path)
    await until_ready(app, path)
    assert (await ask(app, "DELETE", path))[0] == 204
    assert (await ask(app, "GET", path))[1]["state"] == "ready"
    assert (await ask(app, "DELETE", path, Authorization=f"Bearer {teacher}"))[0] == 204
    assert (await ask(app, "GET", path))[0] == 404

    monkeypatch.setattr(film_service, "LEAVING", 0.4)
    long = record()
    folder.save(long)
    path = f"/api/recordings/{long.info.recording}/film"
    await ask(app, "POST", path)
    assert (await ask(app, "DELETE", path))[0] == 204
    for _ in range(6):
        assert (await ask(app, "GET", path))[1]["state"] in ("waiting", "making"), "it is still asked about"
        await trio.sleep(0.1)
    assert (await ask(app, "DELETE", path))[0] == 204
    await trio.sleep(0.5)
    assert (await ask(app, "GET", path))[0] == 404
    await _until_gone(tmp_path)


async def test_a_film_that_nobody_asks_about_is_given_up(
    app: HamletApp,
    running_films: film_service.FilmService,
    folder: RecordingFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    long = record()
    folder.save(long)
    monkeypatch.setattr(film_service, "PATIENCE", 1.5)
    await ask(app, "POST", f"/api/recordings/{long.info.recording}/film")
    with trio.fail_after(30):
        while not _film_processes(tmp_path):  # noqa: ASYNC110 (another process')
            await trio.sleep(0.05)
    await _until_gone(tmp_path)
    assert (await ask(app, "GET", f"/api/recordings/{long.info.recording}/film"))[0] == 404


async def test_a_film_that_is_dropped_while_its_process_ends_does_not_come_back(
    app: HamletApp,
    running_films: film_service.FilmService,
    folder: RecordingFolder,
    short: Recording,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_its_end = """
import json, signal, sys, time
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
print('{"made": 1, "of": 1}', flush=True)
while not asked:
    time.sleep(0.01)
open(json.loads(sys.argv[1])["out"], "w").close()
"""
    monkeypatch.setattr(film_service, "COMMAND", (sys.executable, "-c", at_its_end))
    path = f"/api/recordings/{short.info.recording}/film"
    await ask(app, "POST", path)
    with trio.fail_after(60):
        while (await ask(app, "GET", path))[1]["made"] < 1:  # noqa: ASYNC110 (another process')
            await trio.sleep(0.05)
    assert (await ask(app, "DELETE", path))[0] == 204
    await _until_gone(folder.path.parent)
    await _until_left(0, folder.path.parent / "films")
    assert (await ask(app, "GET", path))[0] == 404


async def test_what_a_killed_film_leaves_goes_while_another_is_being_made(
    tmp_path: Path, nursery: trio.Nursery, folder: RecordingFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film_service, "_END_PATIENCE", 0)
    app = make_app(tmp_path, films_at_once=2)
    await nursery.start(app.server.films.run)
    long = record()
    folder.save(long)
    path = f"/api/recordings/{long.info.recording}/film"
    for query in ("?format=gif", "?format=gif&speed=2"):
        await ask(app, "POST", path + query)
        with trio.fail_after(60):
            while (await ask(app, "GET", path + query))[1]["made"] < 1:  # noqa: ASYNC110 (another process')
                await trio.sleep(0.05)
    made_in = folder.path.parent / "films"
    assert len(list(made_in.iterdir())) == 2
    await ask(app, "DELETE", path)
    assert (await ask(app, "DELETE", path + "?format=gif"))[0] == 204
    await _until_left(1, made_in)
    (left,) = made_in.iterdir()
    assert any(left.glob("hamlet-film-*/palette.png")), "the other's"
    assert (await ask(app, "GET", path + "?format=gif&speed=2"))[1]["state"] == "making"


async def test_too_many_films_are_told_to_come_back(
    app: HamletApp, running_films: film_service.FilmService, short: Recording
) -> None:
    path = f"/api/recordings/{short.info.recording}/film"
    speeds = iter(range(10, 60))

    async def orders(peer: str, count: int) -> list[int]:
        browser = Browser(app, peer)
        return [
            (await browser.ask(f"POST {path}?speed={next(speeds) / 10}")).status_code for _ in range(count)
        ]

    greedy = await orders("192.0.2.1", film_service.MAX_WAITING + 3)
    assert greedy.count(202) in (
        film_service.MAX_WAITING_OF_ONE,
        film_service.MAX_WAITING_OF_ONE + 1,
    )  # one is being made
    others = [*await orders("192.0.2.2", 1), *await orders("192.0.2.3", 3)]
    assert others[0] == 202
    assert 503 in others
    response = await Browser(app, "192.0.2.1").ask(f"POST {path}?speed=6")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "20")
    assert json.loads(await response.get_data())["code"] == "films_busy"


async def test_a_film_that_fails_says_why(
    app: HamletApp, running_films: film_service.FilmService, folder: RecordingFolder, short: Recording
) -> None:
    (folder.path / "20250101-000000-000bad.rec").write_bytes(encode(short)[:-1])
    path = "/api/recordings/20250101-000000-000bad/film"
    await ask(app, "POST", path)
    film = await until_ready(app, path)
    assert film["state"] == "failed"
    assert film["error"].startswith("20250101-000000-000bad.rec is damaged")


async def test_a_film_whose_process_cannot_start_fails_alone(
    tmp_path: Path, nursery: trio.Nursery, folder: RecordingFolder, short: Recording
) -> None:
    app = make_app(tmp_path, films_at_once=2)
    await nursery.start(app.server.films.run)
    long = record()
    folder.save(long)
    other = f"/api/recordings/{long.info.recording}/film"
    await ask(app, "POST", other)
    with trio.fail_after(60):
        while (await ask(app, "GET", other))[1]["made"] < 1:  # noqa: ASYNC110 (another process')
            await trio.sleep(0.05)
    with pytest.MonkeyPatch.context() as gone:
        gone.setattr(film_service, "COMMAND", (str(tmp_path / "python"),))
        path = f"/api/recordings/{short.info.recording}/film"
        await ask(app, "POST", path)
        film = await until_ready(app, path)
    assert (film["state"], film["error"]) == (
        "failed",
        "The film could not be begun or kept: No such file or directory.",
    )
    assert (await ask(app, "GET", other))[1]["state"] == "making"


async def test_what_a_killed_server_left_is_tidied_up(
    app: HamletApp, tmp_path: Path, nursery: trio.Nursery
) -> None:
    left = tmp_path / "data" / "films" / ".1234abcd.tmp"
    (left / "hamlet-film-x").mkdir(parents=True)
    (left / "hamlet-film-x" / "palette.png").touch()
    await nursery.start(app.server.films.run)
    assert not left.exists()


async def test_films_wait_for_the_server_to_have_started(app: HamletApp, short: Recording) -> None:
    status, answer = await ask(app, "POST", f"/api/recordings/{short.info.recording}/film")
    assert (status, answer["code"]) == (503, "starting")


async def test_a_server_without_the_extra_says_so(
    app: HamletApp, running_films: film_service.FilmService, short: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film_service, "_NEEDED", ("no_such_package",))
    status, answer = await ask(app, "POST", f"/api/recordings/{short.info.recording}/film")
    assert (status, answer["code"]) == (503, "films_unavailable")
    assert "no_such_package" in answer["detail"]


@pytest.mark.parametrize("query", ["format=exe", "speed=0", "speed=7", "speed=nan", "out=/tmp/a"])
async def test_an_impossible_film_is_a_400(app: HamletApp, short: Recording, query: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        path = f"/api/recordings/{short.info.recording}/film?{query}"
        status, answer = await ask(app, method, path)
        assert (status, answer["code"]) == (400, "invalid_query")


async def test_pages_of_foreign_origins_change_nothing(tmp_path: Path, short: Recording) -> None:
    app = make_app(tmp_path, allowed_origins=("https://hamlet.example.org",))
    path = f"/api/recordings/{short.info.recording}/film"
    for method in ("POST", "DELETE"):
        status, answer = await ask(app, method, path, Origin="https://evil.example")
        assert (status, answer["code"]) == (403, "forbidden_origin")
        assert (await ask(app, method, path, Origin="https://hamlet.example.org"))[0] != 403
    assert (await ask(app, "GET", "/api/recordings", Origin="https://evil.example"))[0] == 200


def _film_processes(folder: Path) -> list[psutil.Process]:
    """Those that film for a server over this folder, the encoders among them."""
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if any(str(folder) in part for part in _command_line(process))
    ]


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


async def _until_gone(folder: Path) -> None:
    with trio.fail_after(30):
        while _film_processes(folder):  # noqa: ASYNC110 (other processes')
            await trio.sleep(0.05)


async def _until_left(count: int, made_in: Path) -> None:
    """Wait until so many films and folders are there: they go after the process that made them."""
    with trio.fail_after(60):
        while len(list(made_in.iterdir())) != count:  # noqa: ASYNC110, ASYNC240 (another task's doing; a folder of the test)
            await trio.sleep(0.05)
