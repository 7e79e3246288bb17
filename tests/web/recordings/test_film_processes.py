"""Test that films that end leave no process and no file."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from hamlet_trio.recording.file import Recording
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.web import film_service
from hamlet_trio.web.app import HamletApp
from hamlet_trio.web.film_service import FilmService
from tests.recording.support import record
from tests.web.access.conftest import add_token
from tests.web.conftest import make_app
from tests.web.recordings.support import (
    ENDLESS,
    ask,
    film_processes,
    until_entries,
    until_made,
    until_no_process,
    until_ready,
)


@pytest.mark.parametrize(
    "patience", [pytest.param(1.0, marks=pytest.mark.long), 0.0], ids=["ended", "killed"]
)
async def test_a_film_that_is_cancelled_leaves_no_process_and_no_file(
    app: HamletApp,
    running_films: FilmService,
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
    await until_made(app, path, 2)
    assert film_processes(data)
    assert (await ask(app, "DELETE", path))[0] == 204
    await until_no_process(data)
    assert (await ask(app, "GET", path))[0] == 404
    await until_entries(0, data / "films")


@pytest.mark.long
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
        await until_made(app, path + query)
        for process in film_processes(folder.path.parent):
            process.suspend()  # so that neither film is ready before the other has begun
    made_in = folder.path.parent / "films"
    assert len(list(made_in.iterdir())) == 2
    await ask(app, "DELETE", path)
    assert (await ask(app, "DELETE", path + "?format=gif"))[0] == 204
    await until_entries(1, made_in)
    (left,) = made_in.iterdir()
    assert any(left.glob("hamlet-film-*/palette.png")), "the other's"
    assert (await ask(app, "GET", path + "?format=gif&speed=2"))[1]["state"] == "making"


async def test_a_film_whose_process_cannot_start_fails_alone(
    tmp_path: Path, nursery: trio.Nursery, folder: RecordingFolder, short: Recording
) -> None:
    app = make_app(tmp_path, films_at_once=2)
    await nursery.start(app.server.films.run)
    long = record()
    folder.save(long)
    other = f"/api/recordings/{long.info.recording}/film"
    await ask(app, "POST", other)
    await until_made(app, other)
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


async def test_a_film_that_a_pupil_leaves_is_cancelled_unless_another_asks_about_it(
    tmp_path: Path,
    nursery: trio.Nursery,
    short: Recording,
    monkeypatch: pytest.MonkeyPatch,
    mock_clock: MockClock,
) -> None:
    monkeypatch.setattr(film_service, "COMMAND", ENDLESS)
    add_token(tmp_path / "tokens.json", "Ms Jones", "teacher")
    app = make_app(tmp_path, login="teachers", tokens_file=str(tmp_path / "tokens.json"))
    await nursery.start(app.server.films.run)
    path = f"/api/recordings/{short.info.recording}/film"
    await ask(app, "POST", path)
    assert (await ask(app, "DELETE", path))[0] == 204
    mock_clock.jump(film_service.LEAVING - 0.1)
    await until_made(app, path)  # which asks about it
    mock_clock.jump(film_service.LEAVING)
    assert (await ask(app, "GET", path))[1]["state"] == "making"
    assert (await ask(app, "DELETE", path))[0] == 204
    mock_clock.jump(film_service.LEAVING + 0.1)
    await _ended(app, path, tmp_path)


async def test_only_a_teacher_removes_a_film_that_is_ready(
    tmp_path: Path, nursery: trio.Nursery, short: Recording
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


async def test_a_film_that_nobody_asks_about_is_cancelled(
    *,
    app: HamletApp,
    tmp_path: Path,
    nursery: trio.Nursery,
    short: Recording,
    monkeypatch: pytest.MonkeyPatch,
    mock_clock: MockClock,
) -> None:
    await nursery.start(app.server.films.run)
    monkeypatch.setattr(film_service, "COMMAND", ENDLESS)
    path = f"/api/recordings/{short.info.recording}/film"
    await ask(app, "POST", path)
    await until_made(app, path)
    mock_clock.jump(film_service.PATIENCE - 0.1)
    assert film_processes(tmp_path)
    mock_clock.jump(0.2)
    await _ended(app, path, tmp_path)


async def test_a_film_that_is_dropped_while_its_process_ends_does_not_come_back(
    app: HamletApp,
    running_films: FilmService,
    short: Recording,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(film_service, "COMMAND", ENDLESS)
    path = f"/api/recordings/{short.info.recording}/film"
    await ask(app, "POST", path)
    await until_made(app, path)
    assert (await ask(app, "DELETE", path))[0] == 204
    await until_no_process(tmp_path)
    await until_entries(0, tmp_path / "data" / "films")
    assert (await ask(app, "GET", path))[0] == 404


async def _ended(app: HamletApp, path: str, folder: Path) -> None:
    """Assert that a film's process and its files are removed."""
    await until_no_process(folder)
    await until_entries(0, folder / "data" / "films")
    assert (await ask(app, "GET", path))[0] == 404
