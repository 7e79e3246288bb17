"""Export of a run's episodes as CSV and JSON."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from hamlet_trio.common.encoding import to_json
from hamlet_trio.history.columns import COLUMNS, StoredEpisode, row_of
from hamlet_trio.history.results import RunDetails


def csv_header() -> str:
    """Return the first line of the CSV."""
    return _lines([COLUMNS])


def csv_rows(episodes: Iterable[StoredEpisode]) -> str:
    """Return lines of CSV (RFC 4180), one for each episode; missing values are empty."""
    return _lines(map(_without_formula, row_of(episode, episode.ended)) for episode in episodes)


def json_pieces(run: RunDetails, pages: Iterable[list[StoredEpisode]]) -> Iterator[bytes]:
    """Yield the pieces of one JSON object, `{"run", "episodes"}`."""
    yield b'{"run":' + to_json(run) + b',"episodes":['
    first = True
    for page in pages:
        if page:
            yield (b"" if first else b",") + to_json(page)[1:-1]
            first = False
    yield b"]}\n"


def _without_formula(value: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would run as a formula."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


def _lines(rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
