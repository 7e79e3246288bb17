"""An output that cannot be written is one sentence and exit code 1; a reader that left is no error."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from hamlet_trio.history import HistoryDatabase
from hamlet_trio.web.access.token_file import read_tokens
from tests.history.support import ended, started
from tests.patience import PATIENCE

COMMANDS = (
    ["export"],
    ["export", "--format", "json"],
    ["runs"],
    ["failures", "--json"],
    ["models"],
    ["--help"],
)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    with closing(HistoryDatabase(tmp_path / "data" / "history.db")) as database:
        database.write([started("a"), *(ended("a", episode) for episode in range(1, 3000))])
    return tmp_path


def run(command: list[str], folder: Path, environment: dict[str, str], out: int) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "hamlet_trio.cli", *command],
        cwd=folder,
        env=environment,
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_full_output_is_one_sentence(
    command: list[str], history: Path, environment: dict[str, str]
) -> None:
    with open("/dev/full", "w") as full:
        code, said = run(command, history, environment, full.fileno())
    assert (code, said) == (1, "hamlet: The output cannot be written: No space left on device.\n")


@pytest.mark.skipif(os.name == "nt", reason="no SIGPIPE")
def test_a_reader_that_ends_early_is_no_error(history: Path, environment: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code, said = run(["export"], history, environment, writing)
    os.close(writing)
    assert (code in (0, 1), said) == (True, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("output", ["/dev/full", os.devnull])
def test_a_token_whose_secret_nobody_is_told_does_not_exist(
    output: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    create = ["tokens", "create", "--role", "teacher", "--name", "Ms Jones"]
    with open(output, "w") as lost:
        code, said = run(create, tmp_path, environment, lost.fileno())
    assert code == 1
    assert ("so the token was removed again" if output == "/dev/full" else "nothing was created") in said
    assert read_tokens(tmp_path / "data" / "tokens.json").tokens == ()
