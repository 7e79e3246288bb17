"""What is kept of sweeps under the data folder, so that one that was interrupted goes on.

<data_dir>/sweeps/<sweep_id>/sweep.json       the record: every trial with its parameters and its state
<data_dir>/sweeps/<sweep_id>/lock             held by the process that runs the sweep, and by its trainers
<data_dir>/sweeps/<sweep_id>/trials/<run_id>  the data folder of its trainer, until a trial is complete
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from hamlet_trio.common.decoding import decode_json
from hamlet_trio.common.encoding import to_json
from hamlet_trio.common.files import read_regular, write_atomically
from hamlet_trio.common.lock import FileLock
from hamlet_trio.common.text import printable
from hamlet_trio.protocol.sweeps import SweepState, SweepTrial
from hamlet_trio.training.store import new_run_id
from hamlet_trio.training.sweep.trials import PlannedTrial

FORM: Final = 1
"""The form of a record; grows when an earlier version could not read it."""

_SWEEP_ID: Final = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")


class SweepNotFoundError(Exception):
    """There is no such sweep, or its record cannot be read; the message is a sentence."""


class _SweepForm(Struct, frozen=True):
    """The part of a record that every version can read."""

    form: int = FORM


class SweepRecord(Struct, frozen=True, kw_only=True):
    """One sweep; the trials keep the order in which they were planned."""

    sweep_id: str
    trials: list[PlannedTrial]
    state: SweepState = "running"
    form: int = FORM

    @classmethod
    def new(cls, planned: Sequence[PlannedTrial]) -> "SweepRecord":
        """Return the record of a sweep that begins, in which every trial has the id of its run."""
        trials = [
            msgspec.structs.replace(one, trial=msgspec.structs.replace(one.trial, run_id=new_run_id()))
            for one in planned
        ]
        return cls(sweep_id=new_run_id(), trials=trials)

    def told(self) -> list[SweepTrial]:
        """Return the trials as they are told."""
        return [one.trial for one in self.trials]

    def with_trial(self, trial: SweepTrial) -> "SweepRecord":
        """Return the record with a newer state of one trial."""
        trials = [
            msgspec.structs.replace(one, trial=trial) if one.trial.trial == trial.trial else one
            for one in self.trials
        ]
        return msgspec.structs.replace(self, trials=trials)

    def is_missing_trials(self) -> bool:
        """Return whether trials are left to make, or to try again."""
        return any(one.trial.state != "complete" for one in self.trials)


class SweepStore:
    """Keep the sweeps under one data folder. Every method does file I/O."""

    def __init__(self, data_dir: Path) -> None:
        self._sweeps = data_dir / "sweeps"

    def lock(self, sweep_id: str) -> FileLock:
        """Return the lock of the process that runs the sweep; a new object at each call."""
        return FileLock(self._folder(sweep_id) / "lock")

    def is_running(self, sweep_id: str) -> bool:
        """Return whether a process runs this sweep now."""
        return _SWEEP_ID.fullmatch(sweep_id) is not None and self.lock(sweep_id).is_held()

    def state_of(self, record: SweepRecord) -> SweepState:
        """Return the state of a sweep: interrupted if its process died before it could write that."""
        is_left = record.state == "running" and not self.is_running(record.sweep_id)
        return "interrupted" if is_left else record.state

    def write(self, record: SweepRecord) -> None:
        """Write a record; raises `OSError`, and then the older one is whole."""
        folder = self._folder(record.sweep_id)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "sweep.json", to_json(record))

    def read(self, sweep_id: str) -> SweepRecord:
        """Return a record; raises `SweepNotFoundError`."""
        if not _SWEEP_ID.fullmatch(sweep_id):
            raise SweepNotFoundError(f"There is no sweep {printable(sweep_id[:80])!r}.")
        try:
            content = read_regular(self._folder(sweep_id) / "sweep.json")
            form = decode_json(content, _SweepForm).form
            if form > FORM:
                raise SweepNotFoundError(
                    f"Sweep {sweep_id} was saved by a newer Hamlet: form {form}; this one reads {FORM}."
                )
            return decode_json(content, SweepRecord)
        except FileNotFoundError:
            raise SweepNotFoundError(f"There is no sweep {sweep_id}.") from None
        except OSError as error:
            raise SweepNotFoundError(
                f"The record of sweep {sweep_id} cannot be read: {error.strerror}."
            ) from error
        except msgspec.DecodeError as error:
            raise SweepNotFoundError(
                f"The record of sweep {sweep_id} cannot be read: {printable(error, 200)}."
            ) from error

    def sweep_ids(self) -> list[str]:
        """Return the ids of all sweeps, newest first."""
        try:
            return sorted((path.name for path in self._sweeps.iterdir() if _is_sweep(path)), reverse=True)
        except FileNotFoundError:
            return []

    def find_unfinished(self, planned: Sequence[PlannedTrial]) -> SweepRecord | None:
        """Return the newest sweep of exactly these trials of which some are missing, if there is one."""
        wanted = [one.parameters for one in planned]
        for sweep_id in self.sweep_ids():
            try:
                record = self.read(sweep_id)
            except SweepNotFoundError:
                continue
            if record.is_missing_trials() and [one.parameters for one in record.trials] == wanted:
                return record
        return None

    def trial_folder(self, sweep_id: str, run_id: str) -> Path:
        """Return the data folder of a trial's trainer."""
        return self._folder(sweep_id) / "trials" / run_id

    def remove_trial(self, sweep_id: str, run_id: str) -> None:
        """Remove that folder, whose model is elsewhere by then."""
        shutil.rmtree(self.trial_folder(sweep_id, run_id), ignore_errors=True)

    def _folder(self, sweep_id: str) -> Path:
        return self._sweeps / sweep_id


def _is_sweep(path: Path) -> bool:
    return _SWEEP_ID.fullmatch(path.name) is not None and (path / "sweep.json").exists()
