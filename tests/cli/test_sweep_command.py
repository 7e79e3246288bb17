"""`hamlet sweep` as a person uses it: from options or a file, interrupted, looked at."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Hamlet

TOML = """
seeds = "1-2"
jobs = 1
[settings]
network_type = "qnetwork"
num_episodes = 8
max_steps = 20
batch_size = [8]
"""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--seeds", "1-x"), "--seeds 1-x: give numbers and ranges"),
        (("--seeds", "0-5000"), "`seeds` must be a list of 1 to 1000"),
        (("--set", "gamma"), "--set gamma: give a parameter and its values"),
        (("--set", "gamma=0.9,2"), "`gamma` must be a number from 0 to 1; 2 was given."),
        (("--world", "nowhere"), "nowhere"),
        (("--file", "none.toml"), "none.toml cannot be read"),
        (("show",), "There is no sweep yet"),
        (("show", ""), "There is no sweep ''."),
        (("show", "20260101-000000-aaaaaa"), "There is no sweep 20260101-000000-aaaaaa."),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    arguments: tuple[str, ...], words: str, hamlet: Hamlet, tmp_path: Path
) -> None:
    done = hamlet("sweep", *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("hamlet: ")
    assert words in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.long
def test_an_interrupted_sweep_makes_what_is_missing(
    hamlet: Hamlet, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "lesson.toml").write_text(TOML)
    command = ["sweep", "--file", "lesson.toml", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "hamlet_trio.cli", *command],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        first = json.loads(process.stdout.readline())
        # The second trial begins once the first is complete.
        while json.loads(process.stdout.readline())["trials"][0]["trial"] != 2:
            pass
        process.send_signal(signal.SIGINT)
        last = json.loads(process.stdout.read().splitlines()[-1])
    assert process.returncode == 0
    assert last["state"] == "interrupted"
    assert [trial["state"] for trial in last["trials"]] == ["complete", "waiting"]
    shown = json.loads(hamlet("sweep", "show", "--json").stdout)
    assert (shown["sweep_id"], shown["state"]) == (first["sweep_id"], "interrupted")

    again = hamlet(*command)
    assert again.returncode == 0, again.stderr
    lines = [json.loads(line) for line in again.stdout.splitlines()]
    assert {line["sweep_id"] for line in lines} == {first["sweep_id"]}
    assert {line["trials"][0]["trial"] for line in lines[1:-1]} == {2}, "the first was not made again"
    assert lines[-1]["state"] == "complete"
    run_id = lines[-1]["trials"][1]["run_id"]
    exported = json.loads(hamlet("export", run_id, "--format", "json").stdout)
    assert [episode["episode"] for episode in exported["episodes"]] == list(range(1, 9))
    assert exported["run"]["sweep_id"] == first["sweep_id"]

    shown_to_a_person = hamlet("sweep", "show").stdout
    assert lines[-1]["result"]["model"] in shown_to_a_person
    assert "complete, 2 of 2 trials complete." in shown_to_a_person
    assert len(json.loads(hamlet("runs", "--sweep", first["sweep_id"], "--json").stdout)["runs"]) == 2
    assert first["sweep_id"] in hamlet("sweep", "list").stdout
