"""A folder of recordings, and a running film service."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from hamlet_trio.recording.file import Recording
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.web.app import HamletApp
from hamlet_trio.web.film_service import FilmService
from tests.inference.support import real_time_limit
from tests.recording.support import record


@pytest.fixture(autouse=True)
async def limit() -> AsyncIterator[None]:
    """Fail a test that waits for ever, also while a virtual clock stands still."""
    with real_time_limit():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> RecordingFolder:
    """The folder of recordings of `app`."""
    return RecordingFolder(tmp_path / "data" / "recordings", kept=200)


@pytest.fixture
def short(folder: RecordingFolder) -> Recording:
    """A saved recording of three steps."""
    made = record(actions=[0, 0, 1], model="a.pt")
    folder.save(made)
    return made


@pytest.fixture
async def running_films(app: HamletApp, nursery: trio.Nursery) -> FilmService:
    """The film service of the app, running."""
    await nursery.start(app.server.films.run)
    return app.server.films
