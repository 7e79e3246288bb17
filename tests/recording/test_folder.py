"""The folder of recordings."""

import os
from pathlib import Path

import pytest

from hamlet_trio.recording.file import DamagedRecordingError
from hamlet_trio.recording.folder import RecordingFolder, UnknownRecordingError
from hamlet_trio.recording.info import is_recording_id, new_id
from tests.recording.support import record

RUN = "20250131-235959-a1b2c3"


@pytest.fixture
def folder(tmp_path: Path) -> RecordingFolder:
    return RecordingFolder(tmp_path / "recordings", kept=3)


def test_what_is_saved_is_listed_and_comes_back(folder: RecordingFolder) -> None:
    assert folder.entries() == []
    made = record(run_id=RUN, episode=7, source="training")
    assert folder.save(made) == made.info
    assert made.info.recording == f"{RUN}-ep7"
    (entry,) = folder.entries()
    assert entry.info == made.info
    assert entry.size_bytes == (folder.path / f"{RUN}-ep7.rec").stat().st_size
    assert folder.load(f"{RUN}-ep7").play().digest() == made.digest
    assert sorted(path.name for path in folder.path.iterdir()) == [f"{RUN}-ep7.rec"]


def test_the_newest_come_first_and_each_source_keeps_its_share(folder: RecordingFolder) -> None:
    saved = []
    for number in range(1, 6):
        saved.append(folder.save(record(actions=[0] * number)).recording)
        saved.append(folder.save(record(run_id=RUN, episode=number, source="training")).recording)
        for at, recording in enumerate(saved):
            if (path := folder.path / f"{recording}.rec").exists():
                os.utime(path, (1000 + at, 1000 + at))
    assert [entry.recording for entry in folder.entries()] == saved[:3:-1]


def test_a_damaged_one_is_listed_with_its_reason_and_refused_by_name(folder: RecordingFolder) -> None:
    name = folder.save(record()).recording
    path = folder.path / f"{name}.rec"
    path.write_bytes(path.read_bytes()[:-1])
    (entry,) = folder.entries()
    assert entry.info is None
    assert entry.error is not None
    assert name in entry.error
    with pytest.raises(DamagedRecordingError, match=name):
        folder.load(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", f"{RUN}/../x", f"{RUN}.rec", f"{RUN}\0", f"{RUN}\n", "x" * 5000]
)
def test_a_name_that_is_no_id_finds_nothing(folder: RecordingFolder, name: str) -> None:
    folder.save(record())
    (folder.path.parent / "x.rec").write_bytes(b"secret")
    assert not is_recording_id(name)
    with pytest.raises(UnknownRecordingError):
        folder.load(name)


def test_an_id_that_is_not_there_is_unknown(folder: RecordingFolder) -> None:
    with pytest.raises(UnknownRecordingError, match=RUN):
        folder.load(RUN)
    folder.remove(RUN)
    assert is_recording_id(new_id())
    assert is_recording_id(new_id(RUN, 100_000))


def test_other_files_are_let_be(folder: RecordingFolder) -> None:
    folder.path.mkdir()
    for name in ("notes.txt", "x.rec", f"{RUN}.rec.tmp"):
        (folder.path / name).write_text("mine")
    folder.save(record())
    assert len(folder.entries()) == 1
    assert len(list(folder.path.iterdir())) == 4
