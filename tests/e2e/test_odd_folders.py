"""Folders whose names are not UTF-8, which neither JSON nor a terminal can hold."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client import QUICK, viewing, watching
from tests.e2e.conftest import ROOT, StartServer


@pytest.fixture
def odd_folder(tmp_path: Path) -> Path:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    return folder


def get(address: str) -> Any:
    with urllib.request.urlopen(address) as response:  # noqa: S310  # always http
        return json.load(response)


@pytest.mark.long
async def test_a_server_trains_and_records_in_such_a_folder(
    start_server: StartServer, odd_folder: Path
) -> None:
    server = start_server(data_dir=odd_folder / "data", models_dir=odd_folder / "models")
    async with viewing(server.port) as viewer:
        await viewer.send("start_training", **QUICK, num_episodes=2)
        done = await viewer.expect("training_complete")
        assert done["model_saved"].endswith("trained_agent.pt")
    async with watching(server.port) as player:
        await player.send("step")
        await player.expect("state_update", step=1)
        await player.send("record")
        recording = (await player.expect("recording_saved"))["recording"]["recording"]
    recordings = get(f"http://127.0.0.1:{server.port}/api/recordings")["recordings"]
    assert recording in {entry["recording"] for entry in recordings}
    runs = get(f"http://127.0.0.1:{server.port}/api/runs")["runs"]
    assert [run["state"] for run in runs] == ["complete"]


@pytest.mark.parametrize("encoding", [pytest.param("utf-8:strict", marks=pytest.mark.long), "ascii"])
@pytest.mark.parametrize("options", [[], pytest.param(["--json"], marks=pytest.mark.long)])
def test_the_command_line_tells_of_such_a_folder_in_any_encoding(
    encoding: str, options: list[str], odd_folder: Path
) -> None:
    def hamlet(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", "from hamlet_trio.cli import main; main()", *arguments],
            cwd=odd_folder,
            env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT), "COLUMNS": "1000"},
            capture_output=True,
            check=True,
        ).stdout.decode("ascii" if encoding == "ascii" else "utf-8")

    out = str(odd_folder / "models" / "agent.pt")
    short = ["train", "--episodes", "2", "--network-type", "qnetwork", "--max-steps", "9", "--out", out]
    told = hamlet(*short, *options)
    path = json.loads(told.splitlines()[-1])["model_saved"] if options else told
    assert r"caf\xe9/models/agent.pt" in path
    assert "agent.pt" in hamlet("runs")
