"""The guided lesson: the shipped one, a teacher's own, and files that cannot be used."""

import os
from pathlib import Path
from urllib.parse import parse_qs

import msgspec
import pytest

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.lesson.lesson_file import (
    FILE_NAME,
    LANGUAGES,
    LessonFileError,
    current_lesson,
    parse_lesson,
    shipped_lesson,
)

STOP = """
[[stops]]
id = "one"
title = "One"
text = "Look."
address = "view=watch"
"""
LESSON = f'title = "Mine"\n{STOP}'


def test_the_shipped_lesson_leads_from_failure_to_changed_rules_in_both_languages() -> None:
    lesson = shipped_lesson()
    assert [stop.id for stop in lesson.stops] == [
        *("fail", "sees", "play", "train", "compare", "cheater", "company", "rules"),
    ]
    for stop in lesson.stops:
        assert set(stop.title) == set(stop.text) == set(LANGUAGES)
        in_run = stop.text_in_run
        assert (in_run is None) == (stop.id != "train")
        assert in_run is None or set(in_run) == set(LANGUAGES)


def test_the_models_of_the_shipped_lesson_are_shipped() -> None:
    models = ModelFolder(Path(__file__).parents[2] / "models").names()
    for stop in shipped_lesson().stops:
        query = parse_qs(stop.address, strict_parsing=True)
        named = query.get("model", []) + query.get("compare", [])
        assert set(named) <= set(models), stop.id


def test_a_text_may_be_one_for_all_languages() -> None:
    lesson = parse_lesson(LESSON.encode())
    assert lesson.title == {"en": "Mine", "de": "Mine"}
    assert lesson.stops[0].text == {"en": "Look.", "de": "Look."}
    assert lesson.stops[0].begin is None


def test_a_text_may_be_in_one_language() -> None:
    lesson = parse_lesson(LESSON.replace('"Look."', '{ de = "Schau." }').encode())
    assert lesson.stops[0].text == {"de": "Schau."}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("title = ", "it is not valid TOML"),
        ('title = "Mine"', "stops"),
        (LESSON.replace('title = "Mine"', ""), "the title must be text"),
        (LESSON.replace('"Look."', '{ fr = "Regarde." }'), "the text of stop 1 must be text"),
        (LESSON.replace('"Look."', '""'), "the text of stop 1 must be text of 1 to 600 characters"),
        (LESSON.replace('"Look."', f'"{"x" * 601}"'), "the text of stop 1 must be text of 1 to 600"),
        (LESSON.replace('"Look."', "7"), "the text of stop 1 must be text"),
        (LESSON + "text_in_run = 7", "the text in a run of stop 1 must be text"),
        (LESSON.replace('id = "one"', 'id = "One!"'), "the id of stop 1"),
        (LESSON.replace('address = "view=watch"', ""), "address"),
        (LESSON.replace("view=watch", "view=watch#top"), "the address of stop 1"),
        (LESSON + 'begin = "jump"', "begin"),
        (LESSON + "colour = 1", "colour"),
        (LESSON + STOP, "stop 2 has the id 'one'"),
        ('title = "Mine"\nstops = []', "stops"),
        ('title = "Mine"\nstops = [3]', "in stop 1"),
        ('title = "Mine"' + "".join(STOP.replace("one", f"s{n}") for n in range(13)), "stops"),
    ],
)
def test_a_file_that_is_not_a_lesson_is_named_with_its_fault(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    current = current_lesson(tmp_path)
    assert current.lesson == shipped_lesson()
    assert not current.own
    assert current.error is not None
    assert current.error.startswith(FILE_NAME)
    assert told in current.error
    assert "$" not in current.error


def test_bytes_that_are_no_text_and_files_without_end_are_refused() -> None:
    with pytest.raises(LessonFileError, match="UTF-8"):
        parse_lesson(b"title = \xff")
    with pytest.raises(LessonFileError, match="larger"):
        parse_lesson(b"#" * 70_000)
    with pytest.raises(LessonFileError, match="TOML"):
        parse_lesson(b"a = " + b"[" * 60_000)


def test_the_teachers_file_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    assert current_lesson(tmp_path).lesson == shipped_lesson()
    (tmp_path / FILE_NAME).write_text(LESSON)
    current = current_lesson(tmp_path)
    assert current.own
    assert current.error is None
    assert current.lesson.title["en"] == "Mine"
    assert b'"own":true' in msgspec.json.encode(current)


def test_a_folder_or_a_pipe_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    current = current_lesson(tmp_path)
    assert current.lesson == shipped_lesson()
    assert current.error is not None
    (tmp_path / FILE_NAME).rmdir()
    os.mkfifo(tmp_path / FILE_NAME)
    assert current_lesson(tmp_path).error is not None
