"""Training on terminals, pipes and in folders as people have them."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hamlet_trio.common.text import readable
from tests.cli.conftest import Hamlet

TRAIN = [sys.executable, "-m", "hamlet_trio.cli", "train", "--seed", "1", "--max-steps", "20"]
TRAIN += ["--network-type", "qnetwork", "--buffer-capacity", "100"]
ENDLESS = [*TRAIN, "--episodes", "100000", "--json"]
NOT_UTF_8 = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("latin-1", marks=pytest.mark.long)])
@pytest.mark.parametrize(
    ("command", "last"),
    [
        (["train", "--episodes", "6", "--max-steps", "20", "--out", "my.pt"], "hamlet evaluate"),
        (["models"], ""),
    ],
)
def test_output_of_any_encoding_is_written_to_its_end(
    environment: dict[str, str], tmp_path: Path, encoding: str, command: list[str], last: str
) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "hamlet_trio.cli", *command],
        env=environment | {"PYTHONIOENCODING": encoding, "COLUMNS": "60"},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, b"")
    assert last in run.stdout.decode(encoding)
    assert (tmp_path / "my.pt").is_file() == ("my.pt" in command)


@pytest.mark.long
def test_folders_and_files_may_have_names_that_are_not_utf_8(
    environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / NOT_UTF_8
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    names = {"HAMLET_DATA_DIR": str(folder / "data"), "HAMLET_MODELS_DIR": str(folder / "models")}
    out = folder / f"{NOT_UTF_8}.pt"
    for options in ([], ["--json"]):
        command = [*TRAIN, "--episodes", "3", *options]
        if options:
            command += ["--out", str(out)]
        run = subprocess.run(
            command, env=environment | names, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(run.stdout.splitlines()[-1])["model_saved"] == readable(out)
    assert out.is_file()
    for command in (["runs"], ["runs", "--json"], ["models"], ["models", "--json"], ["evaluate", str(out)]):
        shown = subprocess.run(
            [sys.executable, "-m", "hamlet_trio.cli", *command],
            env=environment | names, cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (shown.returncode, shown.stderr) == (0, ""), command


def start(command: list[str], environment: dict[str, str], out: int) -> subprocess.Popen[bytes]:
    null = subprocess.DEVNULL
    return subprocess.Popen(command, env=environment, stdin=null, stdout=out, stderr=null)


def test_a_closed_terminal_saves_the_run_and_ends_it_in_order(
    hamlet: Hamlet, environment: dict[str, str]
) -> None:
    terminal, theirs = pty.openpty()
    with start(ENDLESS, environment, theirs) as process:
        os.close(theirs)
        text = b""
        while b"episode_complete" not in text:
            text += os.read(terminal, 10_000)
        os.close(terminal)  # whatever it prints from now on fails
        process.send_signal(signal.SIGHUP)
    assert process.returncode == 0
    (run,) = json.loads(hamlet("runs", "--json").stdout)["runs"]
    assert run["state"] == "interrupted"
    resumed = hamlet("train", "--resume", run["run_id"], "--episodes", "4", "--json")
    assert "can only be raised" in resumed.stderr  # so it can be resumed


@pytest.mark.long
def test_under_nohup_a_closed_terminal_is_no_end(environment: dict[str, str]) -> None:
    reading, writing = os.pipe()
    with start(["nohup", *ENDLESS], environment, writing) as process:
        os.close(writing)
        with open(reading, "rb") as lines:
            assert any(b"episode_complete" in line for line in lines), "it ended before an episode did"
            process.send_signal(signal.SIGHUP)
            for _ in range(20):
                assert b"episode_complete" in lines.readline()
            process.send_signal(signal.SIGTERM)
            assert b"training_stopped" in lines.read()
    assert process.returncode == 0


@pytest.mark.parametrize("options", [[], pytest.param(["--json"], marks=pytest.mark.long)])
def test_output_that_nobody_reads_ends_no_run(
    hamlet: Hamlet, environment: dict[str, str], tmp_path: Path, options: list[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [*TRAIN, "--episodes", "4", *options]
    run = subprocess.run(
        command, env=environment, cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (run.returncode, run.stderr) == (0, b"")
    (kept,) = json.loads(hamlet("runs", "--json").stdout)["runs"]
    assert (kept["state"], kept["episodes"]) == ("complete", 4)
