"""The names that people give to models of runs."""

from pathlib import Path

import pytest

from hamlet_trio.agent import given_names
from hamlet_trio.agent.given_names import (
    GivenNameError,
    GivenNames,
    NamesDamagedError,
    NamesFullError,
    NameTakenError,
)
from hamlet_trio.agent.models import ModelFolder, ModelNameError, NotNamedError, UnknownModelError
from tests.agent.test_models import touch, write_model

OWN = "run-20250131-235959-a1b2c3-ep5.pt"


@pytest.fixture
def names(tmp_path: Path) -> GivenNames:
    for name in ("a.pt", "b.pt"):
        touch(tmp_path / name)
    return GivenNames(tmp_path)


def test_a_name_is_given_changed_and_taken_away(names: GivenNames) -> None:
    assert names.read() == {}
    assert names.give("a.pt", "  Our \t champion ") == "Our champion"
    assert names.give("b.pt", "Zoë") == "Zoë"
    assert names.give("a.pt", "our CHAMPION") == "our CHAMPION"
    assert names.read() == {"a.pt": "our CHAMPION", "b.pt": "Zoë"}
    assert names.give("a.pt", None) is None
    assert names.read() == {"b.pt": "Zoë"}


@pytest.mark.parametrize("bad", ["", "   ", "x" * 61, "half\x00", "\u202ebackwards"])
def test_a_name_that_cannot_be_shown_is_refused(names: GivenNames, bad: str) -> None:
    with pytest.raises(GivenNameError):
        names.give("a.pt", bad)
    assert not names.path.exists()


def test_no_two_models_have_one_name(names: GivenNames) -> None:
    names.give("a.pt", "Champion")
    with pytest.raises(NameTakenError, match="'champion'"):
        names.give("b.pt", "champion")
    assert names.read() == {"a.pt": "Champion"}


def test_names_are_bounded_and_those_of_missing_files_make_room(
    names: GivenNames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given_names, "MOST_NAMES", 1)
    names.give("a.pt", "One")
    with pytest.raises(NamesFullError):
        names.give("b.pt", "Two")
    (tmp_path / "a.pt").unlink()
    names.give("b.pt", "One")
    assert names.read() == {"b.pt": "One"}


@pytest.mark.parametrize("content", [b"{", b'{"names": []}', b'{"names": {}, "form": 2}'])
def test_a_file_that_cannot_be_read_is_left_as_it_is(names: GivenNames, content: bytes) -> None:
    names.path.write_bytes(content)
    with pytest.raises(NamesDamagedError, match=r"names\.json"):
        names.give("a.pt", "Champion")
    assert names.path.read_bytes() == content


def test_only_a_run_s_own_model_gets_a_name(tmp_path: Path) -> None:
    folder = ModelFolder.of(models_dir=str(tmp_path / "models"), data_dir=str(tmp_path))
    shipped = ModelFolder.of(models_dir=str(tmp_path / "shipped"), data_dir=str(tmp_path))
    (tmp_path / "shipped").mkdir()
    (tmp_path / "models").mkdir()
    write_model(tmp_path / "models" / OWN, evaluation={"mean_length": 500.0, "mean_return": 9.0})
    write_model(tmp_path / "models" / "trained_agent.pt")
    write_model(tmp_path / "shipped" / "trained_agent.pt")
    assert shipped.name_model(OWN, "Champion") == "Champion"
    details = {one.name: one for one in shipped.details()}
    assert (details[OWN].given_name, details[OWN].stage) == ("Champion", "skilled")
    assert details["trained_agent.pt"].given_name is None
    for name in ("trained_agent.pt", "shipped_agent.pt"):
        with pytest.raises(NotNamedError):
            shipped.name_model(name, "Other")
    with pytest.raises(UnknownModelError):
        shipped.name_model("other.pt", "Other")
    with pytest.raises(ModelNameError):
        shipped.name_model("../other.pt", "Other")
    # Without a name they show as before, and a damaged file of names hides no model.
    (tmp_path / "models" / "names.json").write_bytes(b"{")
    assert {one.given_name for one in folder.details()} == {None}
