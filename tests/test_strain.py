"""Strain for the suite: a process at half speed, and busy loops that end with the command."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.patience import PATIENCE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

ROOT = Path(__file__).parents[1]
STOPPED_CHILDREN = """
import os, psutil, signal, subprocess, sys
stops = 0
def count(*_):
    global stops
    stops += 1
signal.signal(signal.SIGCONT, count)
child = psutil.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
states = set()
for _ in range(10):
    before = stops
    while stops == before:  # until this process itself was stopped, and goes on
        pass
    child.suspend()
    while child.status() != "stopped":
        pass
    before = stops
    while stops < before + 2:
        states.add(child.status())
    child.resume()
child.communicate(b"\\n")
print(states)
"""


def strained(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "scripts.strain", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=PATIENCE,
    ).stdout


def test_what_a_test_has_stopped_stays_stopped_at_half_speed() -> None:
    assert strained("--half", "--", sys.executable, "-c", STOPPED_CHILDREN) == "{'stopped'}\n"


def test_a_signal_ends_the_command_and_the_busy_loops() -> None:
    wait = "import os, psutil, time; print(*(each.pid for each in psutil.Process(os.getppid()).children()))"
    command = [sys.executable, "-m", "scripts.strain", "--busy", "2", "--", sys.executable, "-u", "-c"]
    with subprocess.Popen(
        [*command, f"{wait}; time.sleep(1000)"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        children = process.stdout.readline().split()
        process.terminate()
    assert len(children) == 3
    assert not any(psutil.pid_exists(int(pid)) for pid in children)


def test_busy_loops_end_with_the_command() -> None:
    tell = "import os, psutil; print(*(each.pid for each in psutil.Process(os.getppid()).children()))"
    children = strained("--busy", "3", "--", sys.executable, "-c", tell).split()
    assert len(children) == 4
    assert not any(psutil.pid_exists(int(pid)) for pid in children)
