"""Write a run of the command line into the history, between two environment steps."""

from collections import deque
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Final, Self

from hamlet_trio.common.text import printable
from hamlet_trio.history import (
    CheckpointStored,
    EpisodeEnded,
    HistoryDatabase,
    HistoryError,
    Record,
    RunEnded,
    RunStarted,
)
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.messages import AGENT_ID, CheckpointSaved
from hamlet_trio.training.abandoned_runs import abandoned_runs
from hamlet_trio.training.listener import RunListener
from hamlet_trio.training.managed_run import ManagedRun
from hamlet_trio.training.run_result import RunResult
from hamlet_trio.training.store import RunStore

_MAX_WAITING: Final = 10_000
_PAUSE: Final = 0.2  # seconds


class HistoryListener(RunListener):
    """Write one run into the history; to be used as a context, at whose end the log is closed.

    A run whose end was not reported by then was interrupted. Episodes are written at most every `_PAUSE`
    seconds, so that short ones cost the learner nothing either; a kill loses no more than that. A failure,
    such as a full disk, is reported once to `reporter` and training goes on. What could not be written waits
    for the next save or the end of the run; past `_MAX_WAITING` records the oldest are lost.
    """

    def __init__(self, log: HistoryDatabase, run_id: str, store: RunStore, reporter: RunListener) -> None:
        self._log = log
        self._run_id = run_id
        self._store = store
        self._reporter = reporter
        self._waiting: deque[Record] = deque(maxlen=_MAX_WAITING)
        self._is_failing = False
        self._written_at = 0.0
        self._has_ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._has_ended:
            self._write(RunEnded(run_id=self._run_id, state="interrupted", reason=None, model=None))
        self._log.close()

    def on_start(self, managed: ManagedRun) -> None:
        """Begin the run, or continue it; runs that were killed have ended."""
        with suppress(HistoryError):  # the next line meets the same error, and reports it
            self._waiting.extend(abandoned_runs(self._log.path, self._store))
        run = managed.run
        self._write(
            RunStarted(
                run_id=self._run_id, parameters=run.parameters, device=run.device, source="command_line"
            )
        )

    def on_episode(self, complete: EpisodeComplete) -> None:
        """Write the episode."""
        record = EpisodeEnded(run_id=self._run_id, complete=complete, agent_id=AGENT_ID)
        self._write(record, at_once=False)

    def on_saving(self) -> None:
        """Write the episodes that wait, before the state that follows them is saved."""
        self._write()

    def on_save(self, saved: CheckpointSaved) -> None:
        """Write that the model was saved."""
        self._write(CheckpointStored(run_id=self._run_id, model=saved.model, episode=saved.episode))

    def on_end(self, result: RunResult) -> None:
        """Write how the run ended; one whose end could not be saved has failed."""
        self._has_ended = True
        self._write(
            RunEnded(
                run_id=self._run_id,
                state=result.how if result.problem is None else "failed",
                reason=result.problem,
                model=None if result.model is None else printable(result.model.name),
            )
        )

    def _write(self, *records: Record, at_once: bool = True) -> None:
        self._waiting.extend(records)
        # While writing fails, each attempt may take as long as another process holds the database.
        if not at_once and (self._is_failing or monotonic() - self._written_at < _PAUSE):
            return
        self._written_at = monotonic()
        try:
            self._log.write(self._waiting)
        except HistoryError as error:
            if not self._is_failing:
                self._reporter.on_problem(error)
            self._is_failing = True
        else:
            self._waiting.clear()
            self._is_failing = False
