"""`hamlet world` says what a world is, or which field is wrong."""

import json
from pathlib import Path

import pytest

from hamlet_trio.world.library import WorldLibrary, worlds_path
from hamlet_trio.world.world_file import make_world
from tests.cli.conftest import Hamlet


def test_a_good_file_is_described(hamlet: Hamlet, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('title = "Mine"\nwidth = 9\n')
    done = hamlet("world", "check", str(file))
    assert done.returncode == 0
    assert "Mine, 9 x 8 cells, 8 affordances" in done.stdout


@pytest.mark.parametrize("text", ["width = 33", "num_agents = 9", "width = ", "\x00"])
def test_a_bad_file_is_a_sentence(hamlet: Hamlet, tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    done = hamlet("world", "check", str(file))
    assert done.returncode == 1
    assert done.stderr.startswith(f"hamlet: {file}: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_world_is_shown_by_name_and_by_file(hamlet: Hamlet, tmp_path: Path) -> None:
    shown = json.loads(hamlet("world", "show", "two-bars").stdout)
    assert shown["affordances"]["Recreation"] is False
    file = tmp_path / "again.json"
    file.write_text(json.dumps(shown))
    assert json.loads(hamlet("world", "show", str(file)).stdout) == shown
    assert json.loads(hamlet("world", "show", "usual", "--whole").stdout)["width"] == 8


def test_an_unknown_name_says_where_to_look(hamlet: Hamlet) -> None:
    done = hamlet("world", "show", "nowhere")
    assert (done.returncode, "hamlet world list" in done.stderr) == (1, True)


def test_the_list_has_presets_and_own_worlds(hamlet: Hamlet, tmp_path: Path) -> None:
    data = tmp_path / "data"
    WorldLibrary(worlds_path(str(data))).save("nine", make_world({"title": "Nine", "width": 9}))
    (data / "worlds" / "bad.json").write_text("{")
    done = json.loads(hamlet("world", "list", "--json", "--data-dir", str(data)).stdout)
    listed = {entry["name"]: entry for entry in done["worlds"]}
    assert listed["usual"]["preset"]
    assert listed["nine"]["title"] == "Nine"
    assert listed["bad"]["error"]
    assert "Nine" in hamlet("world", "list", "--data-dir", str(data)).stdout


def test_the_schema_is_json(hamlet: Hamlet) -> None:
    assert json.loads(hamlet("world", "schema").stdout)["title"] == "A Hamlet world"
