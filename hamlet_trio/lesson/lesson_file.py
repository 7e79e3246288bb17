"""Read the guided lesson: the teacher's file in the data folder, else the one that comes with Hamlet."""

import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from hamlet_trio.common.files import read_regular
from hamlet_trio.common.text import printable
from hamlet_trio.common.written_text import WrittenTextError, read_toml

FILE_NAME: Final = "lesson.toml"
LANGUAGES: Final = ("en", "de")
"""The languages of the page; a text may leave out all but one."""

_LARGEST: Final = 64 * 1024
_ID: Final = re.compile(r"[a-z0-9-]{1,40}")
_IN_STOP: Final = re.compile(r"\.stops\[(?P<index>\d+)\](?P<rest>.*)")
_Words = dict[str, str]


class LessonFileError(Exception):
    """The file cannot be used; the message is a sentence that names the place in it and what is allowed."""


class LessonStop(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One stop of a lesson: a view of the page, and what is said there."""

    id: Annotated[str, Meta(description="name of the stop in the page's address")]
    title: Annotated[_Words, Meta(description="title by language")]
    text: Annotated[_Words, Meta(description="text by language")]
    text_in_run: Annotated[
        _Words | None, Meta(description="text by language while a training run is on; null: the same text")
    ] = None
    address: Annotated[
        str, Meta(max_length=4000, description="query of the page's address that sets the page up")
    ]
    begin: Annotated[
        Literal["play", "pause", "reset"] | None, Meta(description="what the page then does; null: nothing")
    ] = None


class Lesson(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A lesson: up to twelve stops in their order."""

    title: Annotated[_Words, Meta(description="title by language")]
    stops: Annotated[list[LessonStop], Meta(min_length=1, max_length=12, description="stops in their order")]


class LessonResponse(Struct, frozen=True):
    """`GET /api/lesson`: the guided lesson."""

    lesson: Annotated[Lesson, Meta(description="the lesson in use")]
    own: Annotated[bool, Meta(description="whether it is the file of the data folder")]
    error: Annotated[
        str | None,
        Meta(description="why that file cannot be used, in one sentence; null if it can or is absent"),
    ]


def current_lesson(data_dir: Path) -> LessonResponse:
    """Return the lesson in use. Does file I/O; a damaged file of the teacher's is told and not used."""
    path = data_dir / FILE_NAME
    try:
        return LessonResponse(parse_lesson(read_regular(path, _LARGEST + 1)), own=True, error=None)
    except FileNotFoundError:
        return LessonResponse(shipped_lesson(), own=False, error=None)
    except LessonFileError as error:
        return LessonResponse(shipped_lesson(), own=False, error=f"{FILE_NAME}: {error}")
    except OSError as error:
        return LessonResponse(shipped_lesson(), own=False, error=f"{FILE_NAME}: {error.strerror}.")


@cache
def shipped_lesson() -> Lesson:
    """Return the lesson that comes with Hamlet."""
    return parse_lesson(files("hamlet_trio.lesson").joinpath(FILE_NAME).read_bytes())


def parse_lesson(data: bytes) -> Lesson:
    """Return the lesson of a TOML file. Raises `LessonFileError`."""
    if len(data) > _LARGEST:
        raise LessonFileError(f"it is larger than {_LARGEST} bytes, the most that is read.")
    try:
        table = read_toml(data)
    except WrittenTextError as error:
        raise LessonFileError(f"{error}.") from None
    try:
        lesson = msgspec.convert(_with_words(table), Lesson)
    except msgspec.ValidationError as error:
        raise LessonFileError(f"{printable(_sentence(str(error)), 200)}.") from None
    seen: set[str] = set()
    for number, stop in enumerate(lesson.stops, 1):
        if not _ID.fullmatch(stop.id):
            raise LessonFileError(
                f"the id of stop {number} must be up to 40 small letters, digits and hyphens."
            )
        if stop.id in seen:
            raise LessonFileError(f"stop {number} has the id {stop.id!r} of an earlier stop.")
        seen.add(stop.id)
        if not stop.address.isprintable() or "#" in stop.address:
            raise LessonFileError(f"the address of stop {number} must be what follows the ? in the browser.")
    return lesson


def _with_words(table: dict[str, Any]) -> dict[str, Any]:
    """Return the table with each text by language."""
    stops = table.get("stops")
    if isinstance(stops, list):
        stops = [_stop(number, stop) for number, stop in enumerate(stops, 1)]
    return table | {"title": _words("the title", table.get("title"), longest=80), "stops": stops}


def _stop(number: int, stop: object) -> object:
    if not isinstance(stop, dict):
        return stop
    title = _words(f"the title of stop {number}", stop.get("title"), longest=80)
    text = _words(f"the text of stop {number}", stop.get("text"), longest=600)
    during = stop.get("text_in_run")
    if during is not None:
        during = _words(f"the text in a run of stop {number}", during, longest=600)
    return stop | {"title": title, "text": text, "text_in_run": during}


def _words(what: str, given: object, *, longest: int) -> dict[str, str]:
    """Return a text by language; one text alone is that of all languages."""
    words = dict.fromkeys(LANGUAGES, given) if isinstance(given, str) else given
    if not isinstance(words, dict) or not words or not set(words) <= set(LANGUAGES):
        raise LessonFileError(f"{what} must be text, or text for some of {', '.join(LANGUAGES)}.")
    for text in words.values():
        if not isinstance(text, str) or not 1 <= len(text.strip()) <= longest:
            raise LessonFileError(f"{what} must be text of 1 to {longest} characters.")
    return {language: text.strip() for language, text in words.items()}


def _sentence(reason: str) -> str:
    """Return msgspec's reason with its place as a teacher counts: stops from 1."""
    message, _, path = reason.partition(" - at `$")
    if in_stop := _IN_STOP.match(path):
        return (
            f"{message}, in stop {int(in_stop['index']) + 1}{in_stop['rest'].rstrip('`').replace('.', ', ')}"
        )
    place = path.rstrip("`").lstrip(".")
    return f"{message}, in {place}" if place else message
