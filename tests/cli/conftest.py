"""Running the installed command as a person does, in folders of the test's own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.patience import PATIENCE

Hamlet = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The variables of a process whose models and data are the test's own."""
    (tmp_path / "models").mkdir()
    own = {"HAMLET_MODELS_DIR": str(tmp_path / "models"), "HAMLET_DATA_DIR": str(tmp_path / "data")}
    return os.environ | own | {"COLUMNS": "160"}


@pytest.fixture
def hamlet(environment: dict[str, str], tmp_path: Path) -> Hamlet:
    """Run `hamlet` with these arguments to its end."""

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "hamlet_trio.cli", *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    return run
