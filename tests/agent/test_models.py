"""The folder of models: names, what they resolve to, and what is told about each."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hamlet_trio.agent import models, safe_load
from hamlet_trio.agent.checkpoint import Checkpoint, CheckpointMetadata, save_checkpoint
from hamlet_trio.agent.models import MAX_LISTED, ModelFolder, ModelNameError
from hamlet_trio.agent.networks import build_network
from hamlet_trio.world import WorldConfig
from hamlet_trio.world.world_file import digest_of


def write_model(path: Path, *, age: int = 0, **metadata: object) -> None:
    """A real, small model, `age` seconds older than the first day of 2026."""
    network = build_network("qnetwork", 72, 5, 8, 8, hidden=[4])
    described = CheckpointMetadata(network_type="qnetwork", **metadata)  # type: ignore[arg-type]
    save_checkpoint(path, Checkpoint(network=network, metadata=described))
    set_age(path, age)


def set_age(path: Path, age: int) -> None:
    moment = 1_767_225_600 - age
    os.utime(path, (moment, moment))


def touch(path: Path, age: int = 0) -> None:
    path.write_bytes(b"x")
    set_age(path, age)


def test_names_the_trained_agent_first_then_the_newest(tmp_path: Path) -> None:
    for name, age in [("b.pt", 10), ("a.pt", 10), ("new.pt", 1), ("trained_agent.pt", 99), ("old.pt", 50)]:
        touch(tmp_path / name, age)
    folder = ModelFolder(tmp_path)
    assert folder.names() == ["trained_agent.pt", "new.pt", "a.pt", "b.pt", "old.pt"]
    (tmp_path / "trained_agent.pt").unlink()


def test_only_models_are_listed(tmp_path: Path) -> None:
    (tmp_path / "folder.pt").mkdir()
    for name in ("README.md", ".hidden.pt", ".model.pt.0a1b2c3d.tmp", "model.pt.tmp", "MODEL.PT", "model.pt"):
        touch(tmp_path / name)
    assert ModelFolder(tmp_path).names() == ["model.pt"]


def test_no_folder_has_no_models(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path / "nowhere")
    assert folder.names() == []
    assert folder.details() == []
    with pytest.raises(ModelNameError, match=r"There is no model 'x\.pt'; see the list of models"):
        folder.resolve("x.pt")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "is empty"),
        ("../secret.pt", "holds a path separator"),
        ("/etc/secret.pt", "holds a path separator"),
        ("sub/model.pt", "holds a path separator"),
        ("sub\\model.pt", "holds a path separator"),
        ("..\\secret.pt", "holds a path separator"),
        ("C:model.pt", "holds the mark of a drive"),
        ("model.pt:stream.pt", "holds the mark of a drive"),
        ("..", "begins with a dot"),
        ("..pt", "begins with a dot"),
        (".pt", "begins with a dot"),
        ("model\0.pt", "cannot be shown"),
        ("model\n.pt", "cannot be shown"),
        ("\ud800.pt", "cannot be shown"),
        ("model.txt", r"does not end in \.pt"),
        ("model.PT", r"does not end in \.pt"),
        ("model.pt ", r"does not end in \.pt"),
        ("x" * 253 + ".pt", "is longer than 255 bytes"),
        ("é" * 127 + ".pt", "is longer than 255 bytes"),
        ("x" * 252 + ".pt", "There is no model"),
        ("gone.pt", "There is no model 'gone.pt'"),
        ("folder.pt", "is not a file"),
        ("out.pt", "is a link that leaves the models folder"),
        ("up.pt", "is a link that leaves the models folder"),
        ("loop.pt", "There is no model"),
        ("dangling.pt", "There is no model"),
    ],
)
def test_names_that_are_refused(tmp_path: Path, name: str, problem: str) -> None:
    models = tmp_path / "models"
    models.mkdir()
    touch(tmp_path / "secret.pt")
    (models / "folder.pt").mkdir()
    (models / "out.pt").symlink_to(tmp_path / "secret.pt")
    (models / "up.pt").symlink_to("../secret.pt")
    (models / "loop.pt").symlink_to("loop.pt")
    (models / "dangling.pt").symlink_to("gone.pt")
    folder = ModelFolder(models)
    with pytest.raises(ModelNameError, match=problem) as caught:
        folder.resolve(name)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 220
    assert folder.names() == [], "what cannot be resolved is not listed"


def test_a_model_and_a_link_within_the_folder_resolve(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    touch(models / "model.pt")
    (models / "alias.pt").symlink_to("model.pt")
    (tmp_path / "link").symlink_to(models)
    for folder in (ModelFolder(models), ModelFolder(tmp_path / "link"), ModelFolder(str(models))):
        assert folder.resolve("model.pt") == (models / "model.pt").resolve()
        assert folder.resolve("alias.pt") == (models / "model.pt").resolve()
        assert sorted(folder.names()) == ["alias.pt", "model.pt"]


@given(st.text(max_size=40) | st.text(alphabet="./\\:~ab\0", max_size=12).map(lambda text: text + ".pt"))
@settings(max_examples=200)
def test_no_name_leaves_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = ModelFolder(tmp_path_factory.getbasetemp())
    with pytest.raises(ModelNameError):
        folder.resolve(name)


def test_details_tell_the_file_and_its_story(tmp_path: Path) -> None:
    write_model(
        tmp_path / "ours.pt",
        episode=50,
        seed=7,
        title="Early",
        story="It wanders.",
        watch_for="the Bar",
        command="hamlet train",
        world=msgspec.to_builtins(WorldConfig(max_steps=60)),
        evaluation={"mean_length": 70.5, "mean_return": -3.0, "episodes": [{"length": 70}]},
    )
    torch.save(build_network("dueling", 72, 5, 8, 8).state_dict(), tmp_path / "foreign.pt")
    set_age(tmp_path / "foreign.pt", 60)
    touch(tmp_path / "broken.pt", 120)
    ours, foreign, broken = ModelFolder(tmp_path).details()
    assert (ours.name, ours.network_type, ours.episode, ours.seed) == ("ours.pt", "qnetwork", 50, 7)
    assert (ours.title, ours.story, ours.watch_for) == ("Early", "It wanders.", "the Bar")
    assert ours.command == "hamlet train"
    assert ours.world_digest == digest_of(WorldConfig(max_steps=60))
    assert foreign.world_digest == digest_of(WorldConfig())
    assert ours.evaluation == {"mean_length": 70.5, "mean_return": -3.0}
    assert ours.modified == "2026-01-01T00:00:00Z"
    assert ours.size_bytes == (tmp_path / "ours.pt").stat().st_size
    assert ours.error is None
    assert (foreign.network_type, foreign.episode, foreign.modified) == (
        "dueling",
        None,
        "2025-12-31T23:59:00Z",
    )
    assert broken.error is not None
    assert broken.error.startswith("broken.pt is not a checkpoint")
    # sha256 of the one byte "x"
    assert broken.sha256 == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


def test_texts_for_people_are_bounded_printable_lines(tmp_path: Path) -> None:
    write_model(tmp_path / "one.pt", title="\x1b[31mred\n" + "x" * 5000, story="a\n\tb", command="\x9b2J")
    (details,) = ModelFolder(tmp_path).details()
    assert details.title is not None
    assert details.title.startswith("?[31mred xxx")
    assert (len(details.title), details.title.isprintable()) == (200, True)
    assert (details.story, details.command) == ("a b", "?2J")


def test_an_evaluation_is_listed_with_its_numbers_alone(tmp_path: Path) -> None:
    write_model(tmp_path / "one.pt", evaluation={"mean_length": 3, "note": "y", "rows": [1], "peak": None})
    (details,) = ModelFolder(tmp_path).details()
    assert details.evaluation == {"mean_length": 3}


def test_a_file_from_an_impossible_year_is_listed(tmp_path: Path) -> None:
    write_model(tmp_path / "one.pt")
    os.utime(tmp_path / "one.pt", (0, 10**12))
    (details,) = ModelFolder(tmp_path).details()
    assert (details.name, details.modified[-1], details.network_type) == ("one.pt", "Z", "qnetwork")


def test_details_read_a_file_again_only_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    read: list[str] = []
    really_read = safe_load.read_bytes

    def watched(path: Path) -> bytes:
        read.append(path.name)
        return really_read(path)

    monkeypatch.setattr(models, "read_bytes", watched)
    write_model(tmp_path / "one.pt", episode=1)
    write_model(tmp_path / "two.pt", episode=2, age=5)
    folder = ModelFolder(tmp_path)
    assert [details.episode for details in folder.details()] == [1, 2]
    assert [details.episode for details in folder.details()] == [1, 2]
    assert read == ["one.pt", "two.pt"]
    # Of the same size and time: the inode tells that it was replaced.
    write_model(tmp_path / "two.pt", episode=3, age=5)
    assert [details.episode for details in folder.details()] == [1, 3]
    assert read == ["one.pt", "two.pt", "two.pt"]
    (tmp_path / "one.pt").unlink()
    assert [details.name for details in folder.details()] == ["two.pt"]
    assert read == ["one.pt", "two.pt", "two.pt"]


def test_the_list_is_bounded_to_the_newest(tmp_path: Path) -> None:
    for index in range(MAX_LISTED + 5):
        touch(tmp_path / f"{index}.pt", age=index)
    names = ModelFolder(tmp_path).names()
    assert names == [f"{index}.pt" for index in range(MAX_LISTED)]


def test_names_need_no_torch(tmp_path: Path) -> None:
    """Start-up waits for these; `details` may take its time."""
    script = (
        "import sys\n"
        "import hamlet_trio.agent.names, hamlet_trio.common.files, hamlet_trio.agent.metadata\n"
        "from hamlet_trio.agent.models import ModelFolder\n"
        "folder = ModelFolder(sys.argv[1])\n"
        "print(folder.names(), folder.resolve('model.pt').name, 'torch' in sys.modules)\n"
    )
    touch(tmp_path / "model.pt")
    shown = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], check=True, capture_output=True, text=True
    ).stdout
    assert shown == "['model.pt'] model.pt False\n"
