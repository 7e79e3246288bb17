"""A run's episodes as a table of values that other programs read."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from hamlet_trio.history.answers import RunDetails
from hamlet_trio.history.columns import COLUMNS, KeptEpisode, row_of


def csv_header() -> str:
    """The first line of the CSV."""
    return _lines([COLUMNS])


def csv_rows(episodes: Iterable[KeptEpisode]) -> str:
    """Lines of CSV (RFC 4180), one for each episode; a value that is not there is empty."""
    return _lines(map(_harmless, row_of(episode, episode.ended)) for episode in episodes)


def json_pieces(run: RunDetails, pages: Iterable[list[KeptEpisode]]) -> Iterator[bytes]:
    """One JSON object, `{"run", "episodes"}`, piece by piece."""
    yield b'{"run":' + msgspec.json.encode(run) + b',"episodes":['
    first = True
    for page in pages:
        if page:
            yield (b"" if first else b",") + msgspec.json.encode(page)[1:-1]
            first = False
    yield b"]}\n"


def _harmless(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula, made text by a leading apostrophe."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


def _lines(rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
