"""Acknowledged episodes survive SIGKILL at any moment."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
KILLS = 200


@pytest.mark.skipif(os.name == "nt", reason="no fork and no SIGKILL")
def test_200_kills_lose_no_acknowledged_episode(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.history.killed_writers", str(tmp_path), str(KILLS), "7"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kills, episodes = map(int, re.findall(r"\d+", done.stdout))
    assert kills == KILLS
    assert episodes > KILLS  # each had written something when it was killed
