"""A history of the test's own."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hamlet_trio.history import HistoryDatabase


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "history.db"


@pytest.fixture
def database(path: Path) -> Iterator[HistoryDatabase]:
    with closing(HistoryDatabase(path)) as database:
        yield database
