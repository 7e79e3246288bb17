"""The route of the guided lesson."""

from pathlib import Path

from quart import Blueprint, Response

from hamlet_trio.lesson.lesson_file import current_lesson
from hamlet_trio.logs import get_logger
from hamlet_trio.web.metaserver import Metaserver
from hamlet_trio.web.responses import as_json


def make_lesson_routes(server: Metaserver) -> Blueprint:
    """Return the route of the guided lesson."""
    routes = Blueprint("lesson", __name__)

    @routes.get("/api/lesson")
    async def lesson() -> Response:
        """Return the lesson in use, read anew, so that a teacher's change shows with the next visit."""
        response = await server.read_files(current_lesson, Path(server.settings.data_dir))
        if response.error is not None:
            get_logger().warning("lesson_unusable", reason=response.error)
        return as_json(response)

    return routes
