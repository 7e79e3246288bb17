"""The stops of the guided lesson, as the page tells them."""

from collections.abc import Callable
from typing import Final

from hamlet_trio.lesson.lesson_file import LANGUAGES, shipped_lesson

_LANGUAGE_NAMES: Final = {"en": "English", "de": "Deutsch"}
_IN_RUN: Final = {"en": "*While a run is on:*", "de": "*Während eines Trainings:*"}


def lesson() -> str:
    """Tell every stop of the shipped lesson, in each language."""
    parts = []
    for language in LANGUAGES:
        told = shipped_lesson()
        parts.append(f"### {_LANGUAGE_NAMES[language]}: {told.title[language]}")
        for number, stop in enumerate(told.stops, 1):
            parts.append(
                f"{number}. **{_closed(stop.title[language])}** {stop.text[language]} `?{stop.address}`"
            )
            if stop.text_in_run is not None:
                parts.append(f"    {_IN_RUN[language]} {stop.text_in_run[language]}")
    return "\n\n".join(parts)


def _closed(title: str) -> str:
    """Return a title as a sentence of its own."""
    return title if title[-1] in "?!" else f"{title}."


TABLES: Final[dict[str, Callable[[], str]]] = {"lesson": lesson}
