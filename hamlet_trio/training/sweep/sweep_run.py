"""One sweep from its plan to its end: as many trials at once as there are jobs."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import trio

from hamlet_trio.common.lock import FileLock, LockedError
from hamlet_trio.history import HistoryWriter
from hamlet_trio.logs import Logger
from hamlet_trio.protocol.sweeps import SweepResult, SweepState, SweepStatus, SweepTrial
from hamlet_trio.settings import Settings
from hamlet_trio.training.sweep.sweep_results import best_model_name, rank, result_of
from hamlet_trio.training.sweep.sweep_store import SweepRecord, SweepStore
from hamlet_trio.training.sweep.trial_executor import LocalExecutor, TrialExecutor
from hamlet_trio.training.sweep.trial_runner import TrialRunner, copy_model
from hamlet_trio.training.sweep.trials import PlannedTrial
from hamlet_trio.training.trainer_process import COMMAND

_FAREWELL: Final = 2.0  # seconds to keep the record of a sweep that was interrupted


class SweepStartError(Exception):
    """The sweep cannot begin; the message is a sentence."""


def cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class SweepRun:
    """Run the trials of a sweep that are missing; made by `open_sweep`, which takes its lock.

    `on_change` is called with each newer state of a trial. The record is written whenever a trial begins or
    ends, so that a later process can go on wherever this one was killed.
    """

    def __init__(
        self,
        record: SweepRecord,
        lock: FileLock,
        *,
        jobs: int,
        resumed: bool,
        settings: Settings,
        history: HistoryWriter,
        on_change: Callable[[SweepTrial], None],
        log: Logger,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self.jobs: Final = jobs
        self.resumed: Final = resumed
        self._record = record
        self._lock = lock
        self._settings = settings
        self._history = history
        self._on_change = on_change
        self._log = log.bind(sweep_id=record.sweep_id)
        self._command = command
        self._data_dir = Path(settings.data_dir)
        self._store = SweepStore(self._data_dir)
        self._writing = trio.Lock()

    @property
    def sweep_id(self) -> str:
        """The sweep's id."""
        return self._record.sweep_id

    def result(self) -> SweepResult:
        """Return what the complete trials show so far."""
        return result_of(self.sweep_id, self._record.told())

    def status(self) -> SweepStatus:
        """Return the state of the sweep and of its trials."""
        return SweepStatus(
            sweep_id=self.sweep_id,
            state=self._record.state,
            jobs=self.jobs,
            trials=self._record.told(),
            result=self.result(),
        )

    async def run(self, executor: TrialExecutor | None = None) -> None:
        """Run the trials to their ends: with an executor, else in processes of this machine.

        Cancelled, those under way in such processes get `shutdown_grace` seconds to save, and can be resumed.
        One that fails ends none of the others.
        """
        if executor is None:
            held = self._lock.descriptor
            executor = LocalExecutor(
                grace=self._settings.shutdown_grace,
                command=self._command,
                inherited=() if held is None else (held,),
            )
        try:
            missing = iter([one for one in self._record.trials if one.trial.state != "complete"])
            async with trio.open_nursery() as nursery:
                for _ in range(self.jobs):
                    nursery.start_soon(self._run_trials, missing, executor)
            await self._write("complete")
        finally:
            await self.close()

    async def close(self) -> None:
        """Record that the sweep was interrupted, unless it is complete, and release its lock."""
        if self._record.state == "running":
            with trio.move_on_after(_FAREWELL, shield=True):
                await self._write("interrupted")
        self._lock.release()

    async def _run_trials(self, missing: Iterator[PlannedTrial], executor: TrialExecutor) -> None:
        for planned in missing:
            runner = TrialRunner(
                planned,
                self.sweep_id,
                settings=self._settings,
                history=self._history,
                on_change=self._note,
                log=self._log,
                executor=executor,
            )
            trial = await runner.run()
            if trial.state == "complete":
                await self._keep_best(trial)
            await self._write()

    def _note(self, trial: SweepTrial) -> None:
        self._record = self._record.with_trial(trial)
        self._on_change(trial)

    async def _keep_best(self, trial: SweepTrial) -> None:
        """Copy the model of a trial that is the best so far, before the quota of models can remove it."""
        async with self._writing:  # the copy of a better one comes later, and is not overtaken
            complete = [one for one in self._record.told() if one.result is not None]
            if (
                trial.model is None
                or trial.result is None
                or any(rank(one) > rank(trial) for one in complete)
            ):
                return
            name = best_model_name(self.sweep_id)
            try:
                await trio.to_thread.run_sync(copy_model, self._data_dir, trial.model, name)
            except OSError as error:
                self._log.warning("best_model_not_kept", reason=error.strerror)

    async def _write(self, state: SweepState = "running") -> None:
        async with self._writing:
            self._record = msgspec.structs.replace(self._record, state=state)
            try:
                await trio.to_thread.run_sync(self._store.write, self._record)
            except OSError as error:  # the history has the trials all the same
                self._log.warning("sweep_not_kept", reason=error.strerror)


def open_sweep(
    planned: Sequence[PlannedTrial],
    settings: Settings,
    *,
    jobs: int,
    history: HistoryWriter,
    on_change: Callable[[SweepTrial], None],
    log: Logger,
    command: Sequence[str] = COMMAND,
) -> SweepRun:
    """Return the run of a new sweep, or of one of exactly these trials of which some are missing. File I/O.

    Raises `SweepStartError` when another process runs that one, or the data folder cannot be used.
    """
    store = SweepStore(Path(settings.data_dir))
    left = store.find_unfinished(planned)
    record = left or SweepRecord.new(planned)
    record = msgspec.structs.replace(record, state="running")
    lock = store.lock(record.sweep_id)
    try:
        lock.acquire()
        store.write(record)
    except LockedError as error:
        raise SweepStartError(
            f"Sweep {record.sweep_id} of these trials is being run, or still being saved, by another process."
        ) from error
    except OSError as error:
        lock.release()
        raise SweepStartError(
            f"The data folder {settings.data_dir} cannot be used: {error.strerror}."
        ) from error
    return SweepRun(
        record,
        lock,
        jobs=min(jobs, len(record.trials)),
        resumed=left is not None,
        settings=settings,
        history=history,
        on_change=on_change,
        log=log,
        command=command,
    )
