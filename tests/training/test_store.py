"""What is kept of runs: which can be resumed, what is forgotten, what is locked."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from hamlet_trio.common.files import NotAFileError
from hamlet_trio.common.lock import FileLock, LockedError
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.store import (
    KEPT_FINISHED,
    KEPT_UNFINISHED,
    RunNotFoundError,
    RunRecord,
    RunStore,
    new_run_id,
)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path)


def unfinished(store: RunStore, run_id: str) -> RunRecord:
    record = RunRecord(run_id=run_id, parameters=TrainingParameters(seed=1))
    store.write(record)
    store.write_state(run_id, b"state")
    return record


def finished(store: RunStore, run_id: str) -> None:
    store.finish(msgspec.structs.replace(unfinished(store, run_id), state="complete"))


def run_id(number: int) -> str:
    return f"20250131-{number:06d}-a1b2c3"


def test_a_record_comes_back_as_it_was(store: RunStore) -> None:
    record = RunRecord(
        run_id=new_run_id(),
        parameters=TrainingParameters(seed=3, num_episodes=7),
        episode=5,
        model="trained_agent.pt",
        previous_kept=True,
    )
    store.write(record)
    assert store.read(record.run_id) == record


def test_an_unfinished_run_that_was_saved_is_resumable_newest_first(store: RunStore) -> None:
    unfinished(store, run_id(1))
    unfinished(store, run_id(3))
    finished(store, run_id(2))
    store.write(RunRecord(run_id=run_id(4), parameters=TrainingParameters(seed=1)))
    assert store.resumable() == [run_id(3), run_id(1)]
    assert store.find_resumable(run_id(1)).run_id == run_id(1)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nonsense", "no run"),
        ("../../etc", "no run"),
        (run_id(9), "no run"),
        (run_id(2), "is over"),
        (run_id(4), "before anything"),
        (run_id(5), "cannot be read"),
    ],
)
def test_why_a_run_cannot_be_resumed(store: RunStore, tmp_path: Path, name: str, reason: str) -> None:
    finished(store, run_id(2))
    store.write(RunRecord(run_id=run_id(4), parameters=TrainingParameters(seed=1)))
    unfinished(store, run_id(5))
    (tmp_path / "runs" / run_id(5) / "run.json").write_text('{"run_id": 1}')
    with pytest.raises(RunNotFoundError, match=reason):
        store.find_resumable(name)


def test_a_run_being_trained_is_neither_resumable_nor_pruned(store: RunStore) -> None:
    for number in range(KEPT_UNFINISHED + 3):
        unfinished(store, run_id(number))
    with store.training(run_id(0)):
        with pytest.raises(RunNotFoundError, match="trained right now"):
            store.find_resumable(run_id(0))
        with pytest.raises(LockedError), store.training(run_id(0)):
            pass
        assert run_id(0) not in store.resumable()
        store.prune()
    assert store.resumable() == [run_id(n) for n in range(KEPT_UNFINISHED + 2, 2, -1)] + [run_id(0)]


def test_finishing_drops_the_resume_state_and_old_records(store: RunStore, tmp_path: Path) -> None:
    for number in range(KEPT_FINISHED + 4):
        finished(store, run_id(number))
    unfinished(store, run_id(99))
    kept = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert kept == [run_id(n) for n in range(4, KEPT_FINISHED + 4)] + [run_id(99)]
    assert store.read_state(run_id(10)) is None
    assert store.read_state(run_id(99)) == b"state"


def test_runs_dated_in_the_future_push_out_none_of_today(store: RunStore) -> None:
    def interrupted(name: str) -> None:
        record = unfinished(store, name)
        store.write(msgspec.structs.replace(record, number=store.next_number()))

    legacy = run_id(7)
    unfinished(store, legacy)
    for number in range(KEPT_UNFINISHED):
        interrupted(f"20990101-{number:06d}-a1b2c3")
    interrupted(run_id(1))
    store.prune()
    assert store.resumable()[0] == run_id(1)
    assert len(store.resumable()) == KEPT_UNFINISHED
    assert legacy not in store.resumable()


@pytest.mark.parametrize("content", [b'{"run_id": "\xff"}', b"\xff\xfe", b"{", b'{"episode": -1}', b""])
def test_a_record_that_cannot_be_read_is_one_run_that_cannot_be_resumed(
    store: RunStore, tmp_path: Path, content: bytes
) -> None:
    unfinished(store, run_id(1))
    unfinished(store, run_id(2))
    (tmp_path / "runs" / run_id(2) / "run.json").write_bytes(content)
    assert store.resumable() == [run_id(1)]
    assert store.next_number() == 1
    store.prune()
    finished(store, run_id(3))


@pytest.mark.parametrize("content", [b"", b"{", b'[{"run_id": "\xff"}]', b"[1]", b'[{"x": ' + b"[" * 100_000])
def test_damaged_unrecorded_episodes_are_one_kind_of_error(
    store: RunStore, tmp_path: Path, content: bytes
) -> None:
    record = unfinished(store, run_id(1))
    (tmp_path / "runs" / record.run_id / "unrecorded.json").write_bytes(content)
    with pytest.raises(ValueError):  # noqa: PT011 - as documented: the messages are msgspec's
        store.read_unrecorded(record.run_id)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("file", ["run.json", "state.bin", "unrecorded.json"])
def test_a_pipe_among_the_files_of_a_run_holds_up_nobody(store: RunStore, tmp_path: Path, file: str) -> None:
    record = unfinished(store, run_id(1))
    (path := tmp_path / "runs" / record.run_id / file).unlink(missing_ok=True)
    os.mkfifo(path)
    kept = {"run.json": store.read, "state.bin": store.read_state, "unrecorded.json": store.read_unrecorded}
    with pytest.raises((RunNotFoundError, NotAFileError), match="not a file but a folder, device or pipe"):
        kept[file](record.run_id)


def test_a_run_of_a_newer_version_is_refused_and_never_removed(store: RunStore, tmp_path: Path) -> None:
    newer = "20240101-000000-aaaaaa"
    folder = tmp_path / "runs" / newer
    folder.mkdir(parents=True)
    content = b'{"run_id": "20240101-000000-aaaaaa", "parameters": {"of": "later"}, "form": 2}'
    (folder / "run.json").write_bytes(content)
    (folder / "state.bin").write_bytes(b"later")
    with pytest.raises(RunNotFoundError, match=f"Run {newer} was saved by a newer Hamlet: it has form 2"):
        store.find_resumable(newer)
    for number in range(KEPT_FINISHED + 2):
        finished(store, run_id(number))
    left = {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "lock"}
    assert left == {"run.json": content, "state.bin": b"later"}


def test_temporary_files_of_killed_writers_are_removed_and_those_of_living_ones_stay(
    store: RunStore, tmp_path: Path
) -> None:
    unfinished(store, run_id(1))
    folder = tmp_path / "runs" / run_id(1)
    dead, alive, young = (folder / f".state.bin.{name}.tmp" for name in ("00000000", "11111111", "22222222"))
    for path in (dead, alive, young):
        path.write_bytes(b"half")
    for path in (dead, alive):
        os.utime(path, (0, 0))
    with FileLock(alive):
        store.remove_temporaries()
        assert sorted(path.name for path in folder.iterdir() if path.suffix == ".tmp") == [
            alive.name,
            young.name,
        ]
    assert store.read_state(run_id(1)) == b"state"


def test_no_folder_is_no_runs(store: RunStore) -> None:
    assert store.resumable() == []
    store.prune()


def test_a_lock_is_held_against_another_process_until_released(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "deep" / "lock")
    attempt = (
        "import sys; from pathlib import Path; from hamlet_trio.common.lock import FileLock;"
        "FileLock(Path(sys.argv[1])).acquire()"
    )

    def attempts() -> str:
        done = subprocess.run(
            [sys.executable, "-c", attempt, str(lock.path)], capture_output=True, text=True, check=False
        )
        return done.stderr

    with lock:
        assert "LockedError" in attempts()
    assert attempts() == ""


@pytest.mark.skipif(sys.platform == "win32", reason="a child shares no lock under Windows")
def test_a_child_that_inherits_the_lock_keeps_it_after_its_holder(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    holder = (
        "import subprocess, sys; from pathlib import Path; from hamlet_trio.common.lock import FileLock;"
        "lock = FileLock(Path(sys.argv[1])); lock.acquire();"
        "subprocess.Popen(['sh', '-c', 'read line'], pass_fds=[lock.descriptor])"
    )
    child = subprocess.Popen([sys.executable, "-c", holder, str(first.path)], stdin=subprocess.PIPE)
    assert child.wait() == 0
    with pytest.raises(LockedError):
        second.acquire()
    assert child.stdin is not None
    child.stdin.close()
