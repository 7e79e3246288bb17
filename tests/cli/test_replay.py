"""`hamlet replay`: listing, playing out, and filming."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hamlet_trio.cli import app
from hamlet_trio.cli.errors import UserError
from hamlet_trio.recording.file import Recording, encode
from hamlet_trio.recording.folder import RecordingFolder
from tests.recording.support import record


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordingFolder:
    """The recordings of the data folder that the command uses."""
    monkeypatch.setenv("HAMLET_DATA_DIR", str(tmp_path / "data"))
    return RecordingFolder(tmp_path / "data" / "recordings", kept=200)


@pytest.fixture
def kept(data: RecordingFolder) -> Recording:
    made = record(actions=[0, 0, 2], model="a.pt")
    data.save(made)
    return made


def replay(*arguments: str, columns: int = 160) -> str:
    """What it prints; its errors are raised."""
    environment = {"COLUMNS": str(columns)}
    result = CliRunner().invoke(app, ["replay", *arguments], catch_exceptions=False, env=environment)
    assert result.exit_code == 0
    return result.output


def test_without_a_recording_those_there_are_listed(data: RecordingFolder) -> None:
    assert "There are no recordings" in replay()
    made = record(actions=[0, 0, 2], model="a.pt")
    data.save(made)
    (data.path / "20250101-000000-000bad.rec").write_bytes(encode(made)[:-1])
    listed = replay()
    assert made.info.recording in listed
    assert "cut off" in listed
    assert "is damaged" in listed


def test_an_id_can_be_copied_from_a_narrow_window(kept: Recording) -> None:
    assert kept.info.recording in replay(columns=80)


@pytest.mark.parametrize("ending", ["", ".rec"])
def test_a_recording_is_named_by_its_id(kept: Recording, ending: str) -> None:
    told = replay(kept.info.recording + ending)
    assert told.startswith(f"{kept.info.recording}: episode 1, 3 steps, return ")
    assert told.endswith("It plays out as it was recorded, bit for bit.\n")


def test_a_whole_episode_tells_what_happened_when(tmp_path: Path) -> None:
    whole = record()
    path = tmp_path / "mine.rec"
    path.write_bytes(encode(whole))
    told = replay(str(path))
    assert f"{whole.info.steps:>6}  ends: {whole.info.failure_reason}".replace("_", " ") in told
    assert "turns critical: " in told


@pytest.mark.parametrize("name", ["20250101-000000-abcdef", "../a", "trained_agent.pt"])
def test_a_missing_one_is_reported_in_a_sentence(data: RecordingFolder, name: str) -> None:
    with pytest.raises(UserError, match="There is no recording"):
        replay(name)


def test_a_damaged_one_is_refused_by_name(kept: Recording, tmp_path: Path) -> None:
    path = tmp_path / "lost.rec"
    path.write_bytes(encode(kept)[:-1])
    with pytest.raises(UserError, match=r"lost\.rec is damaged"):
        replay(str(path))


def test_a_film_is_made(kept: Recording, tmp_path: Path) -> None:
    film = tmp_path / "a.mp4"
    told = replay(kept.info.recording, "--video", str(film), "--speed", "0.5")
    assert f"{film}: " in told.replace("\n", "")
    assert film.read_bytes()[4:8] == b"ftyp"


def test_a_film_of_another_kind_is_refused(kept: Recording, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.avi does not name a film format"):
        replay(kept.info.recording, "--video", str(tmp_path / "a.avi"))
