"""A wheel that is installed alone, as from a package index, works in an empty folder."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from hamlet_trio import __version__
from hamlet_trio.world import FAILURE_REASONS
from tests.needs import left_out
from tests.patience import PATIENCE

REPOSITORY = Path(__file__).parents[2]
EPISODE = """
import gymnasium
import hamlet_trio
env = gymnasium.make("Hamlet-v0")
env.reset(seed=1)
while True:
    *_, terminated, truncated, info = env.step(4)
    if terminated or truncated:
        break
print(hamlet_trio.__file__, info["failure_reason"])
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the built wheel is installed, without what it depends on."""
    if find_spec("hatchling") is None or find_spec("pip") is None:
        left_out("needs hatchling and pip")
    built, target = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True, timeout=PATIENCE)
    (wheel,) = built.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", str(target), str(wheel)], check=True, timeout=PATIENCE)
    return target


def run(installed: Path, folder: Path, *arguments: str) -> str:
    """Run Python in an empty folder with the installed package before that of the checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HAMLET_")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_says_its_version(installed: Path, tmp_path: Path) -> None:
    assert run(installed, tmp_path, "-m", "hamlet_trio", "--version") == f"hamlet {__version__}\n"


def test_it_brings_the_models_and_what_is_needed_to_play_them(installed: Path, tmp_path: Path) -> None:
    models = json.loads(run(installed, tmp_path, "-m", "hamlet_trio", "models", "--json"))["models"]
    assert {model["name"] for model in models} == {path.name for path in (REPOSITORY / "models").glob("*.pt")}
    assert [model["name"] for model in models if model["is_default"]] == ["trained_agent.pt"]
    played = json.loads(
        run(installed, tmp_path, "-m", "hamlet_trio", "evaluate", "trained_agent.pt", "--json")
    )
    assert played["mean_length"] == 500


def test_gymnasium_finds_its_world(installed: Path, tmp_path: Path) -> None:
    location, reason = run(installed, tmp_path, "-c", EPISODE).split()
    assert Path(location).is_relative_to(installed)
    assert reason in FAILURE_REASONS


def test_the_models_of_the_working_folder_come_first(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    assert json.loads(run(installed, tmp_path, "-m", "hamlet_trio", "models", "--json")) == {"models": []}
