"""Test worlds by name: read-only presets, and a bounded folder of other worlds."""

import json
from pathlib import Path

import pytest

from hamlet_trio.world import Worlds, library
from hamlet_trio.world.library import (
    USUAL,
    ReadOnlyWorldError,
    UnknownWorldError,
    WorldExistsError,
    WorldLibrary,
    WorldsFullError,
    version_of,
)
from hamlet_trio.world.world_file import World, WorldError, make_world

PAGE_WORDS = Path(__file__).parents[2] / "frontend" / "src" / "messages" / "en"
NINE = make_world({"title": "Nine", "width": 9})


@pytest.fixture
def worlds(tmp_path: Path) -> WorldLibrary:
    return WorldLibrary(tmp_path / "worlds")


def names(worlds: WorldLibrary) -> list[str]:
    return [entry.name for entry in worlds.worlds() if not entry.preset]


def test_the_page_repeats_the_words_of_every_preset() -> None:
    shown = json.loads((PAGE_WORDS / "worlds.json").read_text())["preset"]
    assert shown == {
        entry.name.replace("-", "_"): {"title": entry.world.title, "about": entry.world.about}
        for entry in WorldLibrary().worlds()
        if entry.world is not None
    }


def test_every_preset_can_be_stepped_and_tells_what_it_is() -> None:
    presets = WorldLibrary().worlds()
    assert presets[0].name == USUAL
    assert len(presets) >= 8
    for entry in presets:
        assert entry.world is not None, entry.error
        assert entry.world.title
        assert entry.world.about
        stepped = Worlds(2, entry.world.config, seed=1)
        stepped.reset()
        stepped.step([[4], [0]])
    assert len({entry.world.digest for entry in presets if entry.world}) == len(presets)


def test_a_saved_world_is_listed_read_and_removed(worlds: WorldLibrary) -> None:
    assert names(worlds) == []
    assert worlds.save("nine", NINE)
    assert names(worlds) == ["nine"]
    assert worlds.get("nine") == NINE
    worlds.delete("nine")
    with pytest.raises(UnknownWorldError):
        worlds.get("nine")
    with pytest.raises(UnknownWorldError):
        worlds.delete("nine")


def test_a_file_that_can_name_no_world_is_listed_with_why(worlds: WorldLibrary, tmp_path: Path) -> None:
    worlds.save("nine", NINE)
    for name in ("Bad Name.json", "usual.toml", "nine.toml", "Ten.JSON", ".nine.json", "notes.txt"):
        (tmp_path / "worlds" / name).write_text("")
    listed = {entry.name: entry.error or "" for entry in worlds.worlds() if not entry.preset}
    assert set(listed) == {"nine", "Bad Name.json", "usual.toml", "nine.toml", "Ten.JSON"}
    assert listed["nine"] == ""
    assert "lower-case letters" in listed["Bad Name.json"]
    assert "is a preset" in listed["usual.toml"]
    assert "nine.json has the same name" in listed["nine.toml"]
    with pytest.raises(UnknownWorldError):
        worlds.get("Bad Name.json")


def test_a_world_is_replaced_only_with_its_current_version(worlds: WorldLibrary, tmp_path: Path) -> None:
    worlds.save("nine", NINE)
    version = version_of(tmp_path / "worlds" / "nine.json")
    with pytest.raises(WorldExistsError):
        worlds.save("nine", World())
    with pytest.raises(WorldExistsError):
        worlds.save("nine", World(), replacing="0" * 16)
    assert worlds.get("nine") == NINE
    assert not worlds.save("nine", World(), replacing=version)
    with pytest.raises(WorldExistsError):
        worlds.save("nine", NINE, replacing=version)
    worlds.delete("nine")
    with pytest.raises(WorldExistsError):
        worlds.save("nine", NINE, replacing=version)


def test_presets_are_read_only(worlds: WorldLibrary) -> None:
    with pytest.raises(ReadOnlyWorldError):
        worlds.save("two-bars", NINE)
    with pytest.raises(ReadOnlyWorldError):
        worlds.delete("usual")


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "a-", "../a", "a/b", "a.json", "\x00", "a" * 65, "ä"])
def test_a_name_that_could_be_a_path_is_refused(worlds: WorldLibrary, name: str) -> None:
    with pytest.raises(WorldError):
        worlds.save(name, NINE)
    with pytest.raises(UnknownWorldError):
        worlds.get(name)
    with pytest.raises(UnknownWorldError):
        worlds.delete(name)


def test_the_folder_is_bounded(worlds: WorldLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "MAX_WORLDS", 2)
    worlds.save("one", NINE)
    worlds.save("two", NINE)
    with pytest.raises(WorldsFullError):
        worlds.save("three", NINE)
    assert names(worlds) == ["one", "two"]


def test_one_bad_file_is_one_bad_file(worlds: WorldLibrary, tmp_path: Path) -> None:
    worlds.save("nine", NINE)
    folder = tmp_path / "worlds"
    (folder / "bad.json").write_bytes(b"\xff")
    (folder / "bad.toml").write_text("width = 9")
    (folder / "folder.json").mkdir()
    (folder / "notes.txt").write_text("not a world")
    listed = {entry.name: entry for entry in worlds.worlds() if not entry.preset}
    assert set(listed) == {"bad", "bad.toml", "nine"}
    assert listed["bad"].world is None
    assert listed["bad"].error is not None
    assert listed["nine"].world == NINE
    with pytest.raises(WorldError):
        worlds.get("bad")


def test_a_toml_world_of_the_folder_can_be_replaced(worlds: WorldLibrary, tmp_path: Path) -> None:
    folder = tmp_path / "worlds"
    folder.mkdir()
    (folder / "mine.toml").write_text("width = 9")
    assert worlds.get("mine").config.width == 9
    worlds.save("mine", World(), replacing=version_of(folder / "mine.toml"))
    assert [path.name for path in folder.iterdir()] == ["mine.json"]
