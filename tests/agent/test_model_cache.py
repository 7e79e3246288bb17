"""What is known of models is kept by their content; whatever is wrong with the cache, lists are right."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hamlet_trio.agent import model_cache
from hamlet_trio.agent.models import CACHE_FILE, ModelFolder
from tests.agent.test_models import set_age, write_model


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder, beside a models folder with two models and a damaged one."""
    models = tmp_path / "models"
    models.mkdir()
    write_model(models / "one.pt", episode=1, title="The first")
    write_model(models / "two.pt", episode=2, age=5)
    (models / "broken.pt").write_bytes(b"no model")
    set_age(models / "broken.pt", 9)
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def folder_of(data: Path) -> ModelFolder:
    return ModelFolder.of(models_dir=str(data.parent / "models"), data_dir=str(data))


def kept(data: Path) -> dict[str, dict[str, object]]:
    """The models that the file holds, by hash."""
    found = json.loads((data / CACHE_FILE).read_bytes()[64:])["models"]
    assert isinstance(found, dict)
    return found


def change_cache(data: Path, change: Callable[[str], str]) -> None:
    """Change the file as one would who knows its form, check sum included."""
    body = change((data / CACHE_FILE).read_bytes()[64:].decode()).encode()
    (data / CACHE_FILE).write_bytes(hashlib.sha256(body).hexdigest().encode() + body)


def test_models_that_were_validated_once_are_listed_without_torch(data: Path) -> None:
    (data.parent / "models" / "broken.pt").unlink()
    details = folder_of(data).details()
    script = (
        "import sys\n"
        "from hamlet_trio.agent.models import ModelFolder\n"
        "details = ModelFolder.of(models_dir=sys.argv[1], data_dir=sys.argv[2]).details()\n"
        "print(details, 'torch' in sys.modules)\n"
    )
    command = [sys.executable, "-c", script, str(data.parent / "models"), str(data)]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert shown == f"{details} False\n"


def test_only_valid_models_are_kept_and_those_that_went_are_forgotten(data: Path) -> None:
    details = folder_of(data).details()
    assert [one.error is None for one in details] == [True, True, False]
    assert kept(data).keys() == {one.sha256 for one in details[:2]}
    (data.parent / "models" / "one.pt").unlink()
    folder_of(data).details()
    assert kept(data).keys() == {details[1].sha256}


def test_a_file_that_was_replaced_is_not_taken_for_the_one_before(data: Path) -> None:
    path = data.parent / "models" / "one.pt"
    folder_of(data).details()
    before = path.stat()
    content = path.read_bytes()
    write_model(path, episode=7, title="The first")
    assert len(path.read_bytes()) == len(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert folder_of(data).details()[0].episode == 7
    # The hash tells, and not the name: what was known is found again.
    path.rename(path.with_name("renamed.pt"))
    assert {one.name: one.episode for one in folder_of(data).details()}["renamed.pt"] == 7


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes().replace(b"The first", b"The worst")),
        lambda path: path.write_bytes(bytes(range(256))),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: change_cache(path.parent, lambda body: body.replace('"form":2', '"form":1')),
        lambda path: change_cache(path.parent, lambda body: body.replace('"version":"', '"version":"0.')),
        lambda path: change_cache(path.parent, lambda body: body.replace('"episode":1', '"episode":"1"')),
        lambda path: change_cache(path.parent, lambda _: "[]"),
    ],
)
def test_a_cache_that_is_not_whole_and_of_this_version_is_none(
    data: Path, damage: Callable[[Path], object]
) -> None:
    details = folder_of(data).details()
    damage(data / CACHE_FILE)
    assert model_cache.ModelCache(data / CACHE_FILE).read() == {}
    assert folder_of(data).details() == details
    if (data / CACHE_FILE).is_file():
        assert len(kept(data)) == 2, "it is written anew"


def test_one_that_is_too_large_is_neither_written_nor_read(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    details = folder_of(data).details()
    monkeypatch.setattr(model_cache, "_MAX_BYTES", 200)
    assert model_cache.ModelCache(data / CACHE_FILE).read() == {}
    (data / CACHE_FILE).unlink()
    assert folder_of(data).details() == details
    assert not (data / CACHE_FILE).exists()


def test_listing_makes_no_data_folder(data: Path) -> None:
    data.rmdir()
    assert len(folder_of(data).details()) == 3
    assert not data.exists()
