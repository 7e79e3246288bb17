"""The folder of recordings."""

import errno
import os
from pathlib import Path

import msgspec
import pytest

from hamlet_trio.recording import folder as module
from hamlet_trio.recording.file import DamagedRecordingError, Recording, encode
from hamlet_trio.recording.folder import RecordingFolder, UnknownRecordingError
from hamlet_trio.recording.info import is_recording_id, new_id
from hamlet_trio.world.world_file import digest_of
from tests.recording.support import record, resigned

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
    assert entry.world_digest == digest_of(made.config)
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


def grow_old(folder: RecordingFolder, recordings: list[str]) -> None:
    """Have them be kept in this order, each a second after the one before."""
    for at, recording in enumerate(recordings):
        if (path := folder.path / f"{recording}.rec").exists():
            os.utime(path, (1000 + at, 1000 + at))


def test_a_session_that_records_much_takes_little_from_the_others(tmp_path: Path) -> None:
    folder = RecordingFolder(tmp_path / "recordings", kept=20)
    saved: dict[str, list[str]] = {}
    order: list[str] = []

    def save(session_id: str, times: int) -> None:
        for _ in range(times):
            name = folder.save(record(actions=[0], session_id=session_id)).recording
            saved.setdefault(session_id, []).append(name)
            order.append(name)
            grow_old(folder, order)

    def left() -> dict[str, int]:
        there = {entry.recording for entry in folder.entries()}
        return {session: len(there.intersection(names)) for session, names in saved.items()}

    save("alone", 20)
    assert left() == {"alone": 20}  # as long as there is room
    save("early", 2)
    save("greedy", 60)
    # Of "early" none is lost, for it never had more than a tenth; the others gave up what they had over that.
    assert left() == {"alone": 9, "early": 2, "greedy": 9}
    kept = {entry.recording for entry in folder.entries()}
    assert kept >= {*saved["greedy"][-9:], *saved["alone"][-9:], *saved["early"]}
    for number in range(10):
        save(f"one of a class {number}", 2)
    # Where nobody has more than a share, the oldest make room, whosever they are.
    assert left() == {"alone": 0, "early": 0, "greedy": 0} | {f"one of a class {n}": 2 for n in range(10)}


def test_what_cannot_be_used_makes_room_too(folder: RecordingFolder) -> None:
    usable = folder.save(record(run_id=RUN, episode=1, source="training")).recording
    names = [new_id() for _ in range(5)]
    for name in names:
        (folder.path / f"{name}.rec").write_bytes(b"HAMLETREC, but cut off")
    grow_old(folder, [usable, *names])
    last = folder.save(record()).recording
    assert [entry.recording for entry in folder.entries()] == [last, *names[:1:-1], usable]


def test_recordings_of_a_newer_version_are_left_to_it(folder: RecordingFolder) -> None:
    folder.save(record())
    sound = (folder.path / f"{folder.entries()[0].recording}.rec").read_bytes()
    names = [new_id() for _ in range(6)]
    for name in names:
        (folder.path / f"{name}.rec").write_bytes(sound[:9] + b"\xff" + sound[10:])
    grow_old(folder, names)
    folder.save(record())
    assert set(names) < {entry.recording for entry in folder.entries()}


def test_what_could_not_be_read_for_a_moment_is_neither_forgotten_nor_remembered_so(
    folder: RecordingFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [
        folder.save(record(run_id=RUN, episode=number, source="training")).recording for number in (1, 2)
    ]
    names += [folder.save(record(actions=[0] * number)).recording for number in (1, 2)]
    again = RecordingFolder(folder.path, kept=1)
    with monkeypatch.context() as short:
        short.setattr(module, "read_recording", _no_descriptor_left)
        assert {entry.error for entry in again.entries()} == {"It cannot be read: Too many open files."}
        names.append(again.save(record()).recording)
    assert {entry.recording for entry in again.entries()} == set(names)
    assert all(entry.info is not None for entry in again.entries())


def _no_descriptor_left(path: Path) -> Recording:
    raise OSError(errno.EMFILE, "Too many open files", str(path))


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


def test_other_files_are_left_alone(folder: RecordingFolder) -> None:
    folder.path.mkdir()
    for name in ("notes.txt", "x.rec", f"{RUN}.rec.tmp"):
        (folder.path / name).write_text("mine")
    folder.save(record())
    assert len(folder.entries()) == 1
    assert len(list(folder.path.iterdir())) == 4


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"episode":1', b'"episode":1' + b"0" * 400),
        (b'"markers":[{"step":', b'"markers":[{"step":' + b"9" * 30),
        (b'"rules_version":1', b'"rules_version":1,"rules_version":' + b"1" * 30),
        (b'"package_version":"', b'"package_version":"' + b"x" * 5000),
    ],
)
def test_facts_out_of_bounds_are_one_unusable_file_that_every_answer_can_tell_of(
    folder: RecordingFolder, old: bytes, new: bytes
) -> None:
    good = record()
    folder.save(good)
    bad = folder.path / "20250101-000000-000bad.rec"
    bad.write_bytes(resigned(encode(good), old, new))
    entries = {entry.recording: entry for entry in folder.entries()}
    assert entries[good.info.recording].info == good.info
    error = entries["20250101-000000-000bad"].error
    assert error is not None
    assert error.startswith(bad.name)
    assert msgspec.json.encode(list(entries.values()))
