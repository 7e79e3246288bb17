"""GET /api/lesson."""

from pathlib import Path
from typing import Any

import msgspec

from hamlet_trio.lesson.lesson_file import LessonResponse, shipped_lesson
from hamlet_trio.web.app import HamletApp
from tests.web.conftest import make_app


async def ask(app: HamletApp) -> LessonResponse:
    """Return the answer, as its type says it is."""
    response = await app.test_client().get("/api/lesson")
    assert response.status_code == 200
    return msgspec.json.decode(await response.get_data(), type=LessonResponse)


async def test_without_a_file_it_is_the_shipped_lesson(app: HamletApp) -> None:
    assert await ask(app) == LessonResponse(shipped_lesson(), own=False, error=None)


async def test_a_teachers_change_shows_at_once_and_a_fault_is_told(tmp_path: Path, logged: list[Any]) -> None:
    app = make_app(tmp_path)
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    file = data / "lesson.toml"
    file.write_text('title = "Mine"\n[[stops]]\nid = "a"\ntitle = "A"\ntext = "Look."\naddress = ""\n')
    assert (await ask(app)).own
    file.write_text("title = 3")
    told = await ask(app)
    assert not told.own
    assert told.error is not None
    assert [event["reason"] for event in logged if event["event"] == "lesson_unusable"] == [told.error]
