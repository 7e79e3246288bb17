"""The processes that a server starts import nothing from the folder it was started in."""

import subprocess
from pathlib import Path

import pytest

from hamlet_trio.training.trainer_process import COMMAND as TRAINER
from hamlet_trio.web.film_service import COMMAND as FILM


@pytest.mark.parametrize("command", [TRAINER, (*FILM, "{}")], ids=["trainer", "film"])
def test_a_file_there_is_not_imported_in_place_of_a_library(command: tuple[str, ...], tmp_path: Path) -> None:
    for name in ("random", "queue", "signal", "msgspec", "hamlet_trio"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the working folder')\n")
    run = subprocess.run(
        command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert "working folder" not in run.stderr
    assert run.returncode == 0 or "missing required field" in run.stderr
