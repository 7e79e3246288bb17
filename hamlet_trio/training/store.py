"""What is kept of runs under the data folder: a record each, and what an unfinished one needs to resume.

<data_dir>/training.lock            held by the server that trains, and by its trainer
<data_dir>/runs/<run_id>/run.json   the record: parameters, state, episode
<data_dir>/runs/<run_id>/state.bin  everything a resume needs; gone once the run is finished
<data_dir>/runs/<run_id>/unrecorded.json  episodes that may not be in the history yet
<data_dir>/runs/<run_id>/lock       held by the process that trains this run
"""

import re
import secrets
import shutil
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from hamlet_trio.agent.models import run_models_path
from hamlet_trio.common.decoding import decode_json
from hamlet_trio.common.encoding import to_json
from hamlet_trio.common.files import read_regular, remove_temporaries, write_atomically
from hamlet_trio.common.lock import FileLock
from hamlet_trio.common.text import printable
from hamlet_trio.history.records import EpisodeEnded
from hamlet_trio.protocol.parameters import TrainingParameters

FORM: Final = 1
"""The form of a run's record and saved state; grows when an earlier version could not read them."""

KEPT_FINISHED: Final = 20  # records, of about 1 KB
KEPT_UNFINISHED: Final = 5  # records with their resume state, which may be large

_RUN_ID: Final = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")


class RunNotFoundError(Exception):
    """No run of that id can be resumed; the message says why."""


class NewerRunError(RunNotFoundError):
    """The run was saved by a newer version, which alone can resume or forget it."""


class _Form(Struct, frozen=True):
    """The part of a record that every version can read."""

    form: int = 1


class RunRecord(Struct, frozen=True, kw_only=True):
    """Represent one run; `episode` counts finished episodes at the last save, `model` is the last one saved.

    `previous_kept`: the model that this run replaces was already set aside. `reason` says why a failed run
    failed. `file` is the name of its model among those of runs, `out` the path of one saved elsewhere.
    `number` orders the runs of a data folder, whatever the clock said; 0 in records of older versions.
    `form` is that of the record and of the saved state; a version refuses those with a higher one.
    """

    run_id: str
    parameters: TrainingParameters
    state: Literal["unfinished", "complete", "stopped", "failed"] = "unfinished"
    episode: Annotated[int, Meta(ge=0)] = 0
    model: str | None = None
    previous_kept: bool = False
    out: str | None = None
    file: str | None = None
    reason: str | None = None
    number: Annotated[int, Meta(ge=0)] = 0
    form: int = FORM


# The values under which versions without these parameters trained, where today's default is another.
_BEFORE: Final[dict[str, Any]] = {"random_start": 0.0}


def _as_written(record: Any) -> Any:
    """Give a record of an older version the parameters it lacks, so that its run goes on as it began."""
    match record:
        case {"parameters": dict(parameters)}:
            return record | {"parameters": _BEFORE | parameters}
        case _:
            return record


def new_run_id() -> str:
    """Return a new run's id, which sorts by time: `20250131-235959-a1b2c3` (UTC)."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


class RunStore:
    """Keep the runs under one data folder. Every method does file I/O: call them from a thread."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir: Final = data_dir
        self._runs = data_dir / "runs"

    def server_lock(self) -> FileLock:
        """Return the lock that a server holds for the length of a run; a new object at each call."""
        return FileLock(self.data_dir / "training.lock")

    def training(self, run_id: str) -> FileLock:
        """Return the lock that a process holds while it trains the run; a new object at each call."""
        return FileLock(self._folder(run_id) / "lock")

    def read(self, run_id: str) -> RunRecord:
        """Return a run's record; raises `RunNotFoundError` if there is none or it cannot be read."""
        if not _RUN_ID.fullmatch(run_id):
            raise RunNotFoundError(f"There is no run {run_id[:80]!r}.")
        try:
            content = read_regular(self._folder(run_id) / "run.json")
            form = msgspec.json.decode(content, type=_Form).form
            if form > FORM:
                raise NewerRunError(
                    f"Run {run_id} was saved by a newer Hamlet: it has form {form}, this one reads {FORM}."
                )
            return msgspec.convert(_as_written(msgspec.json.decode(content)), RunRecord)
        except FileNotFoundError:
            raise RunNotFoundError(f"There is no run {run_id}.") from None
        except OSError as error:
            raise RunNotFoundError(f"The record of run {run_id} cannot be read: {error.strerror}.") from error
        except (ValueError, RecursionError) as error:
            raise RunNotFoundError(
                f"The record of run {run_id} cannot be read: {printable(error, 200)}."
            ) from error

    def write(self, record: RunRecord) -> None:
        """Write a run's record; raises `OSError`, and then the older record is whole."""
        folder = self._folder(record.run_id)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "run.json", msgspec.json.format(to_json(record), indent=2))

    def write_state(self, run_id: str, state: bytes) -> None:
        """Write what a resume needs; raises `OSError`, and then the older state is whole."""
        write_atomically(self._state_path(run_id), state)

    def read_state(self, run_id: str) -> bytes | None:
        """Return what a resume needs; `None` before the run's first save. Raises `OSError`."""
        path = self._state_path(run_id)
        return read_regular(path) if path.exists() else None

    def write_unrecorded(self, run_id: str, episodes: Sequence[EpisodeEnded]) -> None:
        """Write the episodes that may not be in the history yet; without any, remove the file.

        Raises `OSError`.
        """
        path = self._unrecorded_path(run_id)
        if episodes:
            write_atomically(path, msgspec.json.encode(episodes))
        else:
            path.unlink(missing_ok=True)

    def read_unrecorded(self, run_id: str) -> list[EpisodeEnded]:
        """Return those episodes; raises `OSError`, or `ValueError` if the file is damaged."""
        try:
            content = read_regular(self._unrecorded_path(run_id))
        except FileNotFoundError:
            return []
        return decode_json(content, list[EpisodeEnded])

    def unrecorded_runs(self) -> list[str]:
        """Return the runs that have such episodes and are not being trained, oldest first."""
        left = (name for name in self._run_ids() if self._unrecorded_path(name).exists())
        return self._newest_first(name for name in left if not self.is_training(name))[::-1]

    def finish(self, record: RunRecord) -> None:
        """Write a finished run's record, drop its resume state, and forget runs that are too old.

        Raises `OSError` if the record cannot be written; the run can be resumed then.
        """
        assert record.state != "unfinished"
        self.write(record)
        self._state_path(record.run_id).unlink(missing_ok=True)
        self.prune()

    def find_resumable(self, run_id: str) -> RunRecord:
        """Return the record of an interrupted run; raises `RunNotFoundError` if it cannot be resumed."""
        record = self.read(run_id)
        if record.state != "unfinished":
            raise RunNotFoundError(f"Run {run_id} is over ({record.state}); its model can be resumed from.")
        if not self._state_path(run_id).exists():
            raise RunNotFoundError(f"Run {run_id} ended before anything of it was saved.")
        if self.is_training(run_id):
            raise RunNotFoundError(f"Run {run_id} is being trained right now.")
        return record

    def resumable(self) -> list[str]:
        """Return the ids of interrupted runs, newest first."""
        return [run_id for run_id in self._newest_first(self._run_ids()) if self._can_resume(run_id)]

    def prune(self) -> None:
        """Forget all but the newest finished and the newest unfinished runs, and what is unreadable."""
        kept = {"finished": 0, "unfinished": 0}
        for run_id in self._newest_first(self._run_ids()):
            if self.is_training(run_id):
                continue
            try:
                kind = "unfinished" if self.read(run_id).state == "unfinished" else "finished"
            except NewerRunError:
                continue
            except RunNotFoundError:
                kind = "finished"
            kept[kind] += 1
            if kept[kind] > (KEPT_FINISHED if kind == "finished" else KEPT_UNFINISHED):
                shutil.rmtree(self._folder(run_id), ignore_errors=True)

    def _can_resume(self, run_id: str) -> bool:
        try:
            self.find_resumable(run_id)
        except RunNotFoundError:
            return False
        return True

    def is_training(self, run_id: str) -> bool:
        """Return whether a process trains this run now; a lock that cannot be opened counts as held."""
        return _RUN_ID.fullmatch(run_id) is not None and self.training(run_id).is_held()

    def next_number(self) -> int:
        """Return the `number` of the next run. Raises `OSError`."""
        return 1 + max(map(self._number, self._run_ids()), default=0)

    def remove_temporaries(self) -> None:
        """Remove the temporary files of killed writers. Raises `OSError` if the runs cannot be listed."""
        own = self.data_dir, run_models_path(self.data_dir)
        for folder in (*own, *map(self._folder, self._run_ids())):
            remove_temporaries(folder)

    def _run_ids(self) -> list[str]:
        try:
            return [path.name for path in self._runs.iterdir() if _RUN_ID.fullmatch(path.name)]
        except FileNotFoundError:
            return []

    def _newest_first(self, run_ids: Iterable[str]) -> list[str]:
        """Sort runs by their numbers, for which each record is read."""
        # Not by the time in the id alone: runs that a wrong clock dates into the future must not push out
        # those of today.
        return sorted(run_ids, key=lambda name: (self._number(name), name), reverse=True)

    def _number(self, run_id: str) -> int:
        try:
            return self.read(run_id).number
        except RunNotFoundError:
            return 0

    def _unrecorded_path(self, run_id: str) -> Path:
        return self._folder(run_id) / "unrecorded.json"

    def _state_path(self, run_id: str) -> Path:
        return self._folder(run_id) / "state.bin"

    def _folder(self, run_id: str) -> Path:
        return self._runs / run_id
