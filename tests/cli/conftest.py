"""Running the installed command as a person does, in folders of the test's own."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from hamlet_trio.cli import main
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


@pytest.fixture
def hamlet_here(
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    root_logger: logging.Logger,
) -> Hamlet:
    """Run `hamlet` in this process, where that shows the same: a process of its own takes seconds."""

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        threads = torch.get_num_threads()
        with monkeypatch.context() as patch:
            for name in ("HAMLET_MODELS_DIR", "HAMLET_DATA_DIR", "COLUMNS"):
                patch.setenv(name, environment[name])
            patch.chdir(tmp_path)
            patch.setattr(sys, "argv", ["hamlet", *arguments])
            with pytest.raises(SystemExit) as ended:
                main()
        torch.set_num_threads(threads)
        output, errors = capfd.readouterr()
        code = ended.value.code or 0
        assert isinstance(code, int)
        return subprocess.CompletedProcess(arguments, code, output, errors)

    return run
