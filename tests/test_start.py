"""start.py installs what is wanted once, and says why where it cannot."""

import ast
import json
import subprocess
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from scripts.doc_tables.pages import REPOSITORY

SCRIPT = REPOSITORY / "start.py"


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, with a checkout and a virtual environment of its own."""
    spec = spec_from_file_location("start", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text((REPOSITORY / name).read_text())
    (tmp_path / ".venv").mkdir()
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "STAMP", tmp_path / ".venv" / ".installed")
    # pip's arguments are printed by a Python that stands in for that of the virtual environment.
    monkeypatch.setattr(module, "python", lambda: Path(sys.executable))
    return module


@pytest.fixture
def commands(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Collect what would be run, for installing takes minutes and the network."""
    run: list[list[str]] = []

    def note(command: list[str], **_: object) -> None:
        run.append([str(part) for part in command])

    monkeypatch.setattr(start.subprocess, "run", note)
    return run


def test_what_running_needs_brings_no_tools_of_developers(start: ModuleType) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *(need for name in start.EXTRAS["run"].split(",") for need in extras[name]),
    ]
    for tool in ("mkdocs", "mypy", "tensorboard", "stable-baselines3", "playwright", "pytest"):
        assert not any(need.startswith(tool) for need in wanted)
        assert any(
            need.startswith(tool)
            for need in [*extras["dev"], *extras["docs"], *extras["bench"], *extras["tensorboard"]]
        )


def test_a_set_is_installed_once(start: ModuleType, commands: list[list[str]]) -> None:
    start.install("run", None)
    assert len(commands) == 1
    assert commands[0][-1] == f"{start.ROOT}[film,client]"
    assert str(start.ROOT / "constraints.txt") in commands[0]
    start.install("run", None)
    assert len(commands) == 1
    start.install("dev", None)
    start.install("run", None)
    assert len(commands) == 2, "the tools of developers include what running needs"


def test_a_change_of_the_pinned_versions_installs_anew(start: ModuleType, commands: list[list[str]]) -> None:
    start.install("run", None)
    (start.ROOT / "constraints.txt").write_text("trio==0.36.0\n")
    start.install("run", None)
    assert len(commands) == 2


@pytest.mark.parametrize("stamp", ["", "[]", "{}", '{"fingerprint": 1, "sets": 2}', "\x00"])
def test_a_stamp_that_cannot_be_read_installs_anew(
    start: ModuleType, commands: list[list[str]], stamp: str
) -> None:
    start.STAMP.write_text(stamp)
    start.install("run", None)
    assert len(commands) == 1
    assert json.loads(start.STAMP.read_text())["sets"] == ["run"]


def test_the_small_build_of_torch_is_installed_first(start: ModuleType, commands: list[list[str]]) -> None:
    start.install("run", "cpu")
    assert [command[-1] for command in commands] == ["uv", "torch", f"{start.ROOT}[film,client]"]
    assert commands[1][-3:-1] == ["--torch-backend", "cpu"]


def test_a_failure_of_pip_is_a_sentence(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(command: list[str], **_: object) -> None:
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(start.subprocess, "run", fail)
    monkeypatch.setattr(sys, "argv", ["start.py", "install"])
    assert start.main() == 1
    assert "Hamlet was not set up" in capsys.readouterr().err


def test_an_older_python_is_refused_in_a_sentence(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ast.parse(SCRIPT.read_text(), feature_version=(3, 8))
    monkeypatch.setattr(start, "OLDEST", (99, 0))
    monkeypatch.setattr(sys, "argv", ["start.py"])
    assert start.main() == 1
    assert "Hamlet needs Python 3.11 or newer" in capsys.readouterr().err
