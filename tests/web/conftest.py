"""The real app, without a socket: its services do not run, so nothing is ready and nothing trains."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from hamlet_trio.settings import Settings
from hamlet_trio.web.app import HamletApp, create_app


@pytest.fixture
def app(tmp_path: Path) -> HamletApp:
    """An app of its own, with empty folders."""
    return make_app(tmp_path)


def make_app(folder: Path, **settings: object) -> HamletApp:
    """An app over folders of its own, with these settings."""
    folders = {"models_dir": str(folder / "models"), "data_dir": str(folder / "data")}
    return create_app(Settings(**(folders | settings)))  # type: ignore[arg-type]


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """Everything that is logged meanwhile, as structured events."""
    with capture_logs(processors=[merge_contextvars]) as events:
        yield events
