"""A run of the command line in the history, which it writes itself, between two steps."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Final, Self

from hamlet_trio.history import (
    CheckpointStored,
    EpisodeEnded,
    HistoryDatabase,
    HistoryError,
    Record,
    RunEnded,
    RunStarted,
)
from hamlet_trio.history.records import Ending
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.messages import AGENT_ID, CheckpointSaved
from hamlet_trio.training.abandoned_runs import abandoned_runs
from hamlet_trio.training.run import DivergedError, TrainingRun
from hamlet_trio.training.store import RunStore

_MAX_WAITING: Final = 10_000
_PAUSE: Final = 0.2  # seconds


class KeptRun:
    """Keeps one run, within the context it is entered for; without a log it keeps nothing.

    Episodes are written every `_PAUSE` seconds at most, so that short ones cost a learner nothing either;
    whoever kills it loses no more than that. Trouble, such as a full disk, is told once to `on_trouble` and
    ends nothing. What could not be written waits for the next save, or the end of the run; past
    `_MAX_WAITING` records the oldest are lost.
    """

    def __init__(
        self, log: HistoryDatabase | None, run_id: str, on_trouble: Callable[[HistoryError], object]
    ) -> None:
        self._log = log
        self._run_id = run_id
        self._on_trouble = on_trouble
        self._waiting: deque[Record] = deque(maxlen=_MAX_WAITING)
        self._in_trouble = False
        self._written_at = 0.0
        self._over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._over and isinstance(error, DivergedError):
            self.ended("failed", reason=str(error))
        elif not self._over:
            self.ended("interrupted")
        if self._log is not None:
            self._log.close()

    def began(self, run: TrainingRun, store: RunStore) -> None:
        """The run begins, or goes on, its lock in `store` being held; those that were killed have ended."""
        if self._log is not None:
            with suppress(HistoryError):  # which the next line runs into as well, and tells
                self._waiting.extend(abandoned_runs(self._log.path, store))
        self._keep(
            RunStarted(
                run_id=self._run_id, parameters=run.parameters, device=run.device, source="command_line"
            )
        )

    def episode(self, complete: EpisodeComplete) -> None:
        """An episode is over."""
        record = EpisodeEnded(run_id=self._run_id, complete=complete, agent_id=AGENT_ID)
        self._keep(record, at_once=False)

    def saved(self, saved: CheckpointSaved) -> None:
        """The model was saved."""
        self._keep(CheckpointStored(run_id=self._run_id, model=saved.model, episode=saved.episode))

    def ended(self, state: Ending, *, reason: str | None = None, model: str | None = None) -> None:
        """The run is over; one that ends without this was interrupted, or diverged."""
        self._over = True
        self._keep(RunEnded(run_id=self._run_id, state=state, reason=reason, model=model))

    def _keep(self, record: Record, *, at_once: bool = True) -> None:
        if self._log is None:
            return
        self._waiting.append(record)
        # In trouble each attempt may take as long as another process holds the database.
        if not at_once and (self._in_trouble or monotonic() - self._written_at < _PAUSE):
            return
        self._written_at = monotonic()
        try:
            self._log.write(self._waiting)
        except HistoryError as error:
            if not self._in_trouble:
                self._on_trouble(error)
            self._in_trouble = True
        else:
            self._waiting.clear()
            self._in_trouble = False
