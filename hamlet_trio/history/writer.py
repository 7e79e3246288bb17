"""The writer task of a server: it commits records in a thread, one transaction at a time."""

from collections import deque
from collections.abc import Callable
from typing import Final, TypeVar

import trio
from msgspec import Struct

from hamlet_trio.common.backoff import Backoff
from hamlet_trio.history.database import HistoryDatabase
from hamlet_trio.history.opening import HistoryError, history_path
from hamlet_trio.history.records import Record, RunStarted
from hamlet_trio.logs import get_logger
from hamlet_trio.settings import Settings

MAX_WAITING: Final = 10_000
_WRITE_SECONDS: Final = 5.0  # seconds until a write that has not returned counts as failed
_SHUTDOWN_SECONDS: Final = 2.0  # seconds for the queued records when the server ends

Value = TypeVar("Value")


class HistoryStatistics(Struct, frozen=True):
    """Counters since the server started; `working` and `waiting` are the present state."""

    working: bool
    waiting: int
    written: int
    lost: int
    transactions: int
    seconds: float


class HistoryWriter:
    """Queue records of runs and commit them; `run` is the one task that writes.

    All records that arrive during a transaction go into the next one, so transactions grow with the load.
    At most `MAX_WAITING` records are queued while the database cannot be written; beyond that the oldest are
    dropped and counted as lost.

    A failure, such as a full disk, is logged once, and the write is retried with a growing pause of at most
    half a minute. Until it succeeds `write` only queues its records and returns.
    """

    def __init__(self, settings: Settings) -> None:
        self._database = HistoryDatabase(history_path(settings))
        self._runs_kept = settings.history_runs
        self._episodes_kept = settings.history_episodes
        self._log = get_logger(service="history")
        self._backoff = Backoff()
        self._thread = trio.CapacityLimiter(1)
        self._waiting: deque[Record] = deque()
        self._arrived = trio.Event()
        self._waiters: list[trio.Event] = []
        self._running = False
        self._tried = trio.Event()
        self._problem: str | None = None
        self._needs_pruning = True
        self._written = self._lost = self._transactions = 0
        self._seconds = 0.0

    @property
    def problem(self) -> str | None:
        """The reason why nothing can be written at present, as a sentence, or None."""
        return self._problem

    def statistics(self) -> HistoryStatistics:
        """Return the counters for the metrics."""
        return HistoryStatistics(
            working=self._running and self._problem is None,
            waiting=len(self._waiting),
            written=self._written,
            lost=self._lost,
            transactions=self._transactions,
            seconds=self._seconds,
        )

    async def until_opened(self) -> None:
        """Wait until the file was opened, or that failed, `_WRITE_SECONDS` at most.

        Before, a reader may find it locked: it is being created, or changed to this version's form.
        """
        with trio.move_on_after(_WRITE_SECONDS):
            await self._tried.wait()

    async def write(self, *records: Record) -> None:
        """Write records; when this returns they are committed, and only a power cut can lose them.

        If they could not be written, `problem` says why and they stay queued. Failures of the database are
        not raised, and the call takes `_WRITE_SECONDS` at most. While `run` is not running, the records are
        queued and the call returns at once.
        """
        self._waiting.extend(records)
        self._drop_overflow()
        self._arrived.set()
        if self._problem is not None or not self._running:
            await trio.lowlevel.checkpoint()
            return
        done = trio.Event()
        self._waiters.append(done)
        with trio.move_on_after(_WRITE_SECONDS) as timeout:
            await done.wait()
        if timeout.cancelled_caught:
            self._report_problem(f"The history did not answer within {_WRITE_SECONDS:g} s.")

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write until cancelled, then write the queued records within `_SHUTDOWN_SECONDS`."""
        self._running = True
        try:
            await self._write_waiting()
            task_status.started()
            while True:
                if self._problem is None:
                    self._backoff.reset()
                    await self._arrived.wait()
                else:
                    await self._backoff.wait()
                await self._write_waiting()
        finally:
            self._running = False
            with trio.move_on_after(_SHUTDOWN_SECONDS, shield=True):
                await self._write_waiting()
                await self._in_thread(self._database.close)
            self._release()

    async def _write_waiting(self) -> None:
        """Write the queued records until none is left; without any, only open the file."""
        try:
            try:
                await self._write_batch()
            finally:
                self._tried.set()
            while self._waiting:
                await self._write_batch()
            while self._needs_pruning and not self._waiting:
                self._needs_pruning = await self._in_thread(self._prune_some)
        except HistoryError as error:
            self._report_problem(str(error))
            return
        if self._problem is not None:
            self._log.info("history_write_restored")
            self._problem = None

    async def _write_batch(self) -> None:
        self._arrived = trio.Event()
        batch, self._waiting = self._waiting, deque()
        waiters, self._waiters = self._waiters, []
        started = trio.current_time()
        try:
            await self._in_thread(lambda: self._database.write(batch))
        except (HistoryError, trio.Cancelled):
            # A cancelled write may have been committed; writing it again changes nothing.
            self._waiters = waiters + self._waiters
            self._waiting = batch + self._waiting
            self._drop_overflow()
            raise
        except BaseException:
            # Values that no database can hold would fail at every retry.
            self._waiters = waiters + self._waiters
            self._lost += len(batch)
            raise
        self._needs_pruning |= any(isinstance(record, RunStarted) for record in batch)
        self._written += len(batch)
        self._transactions += bool(batch)
        self._seconds += trio.current_time() - started
        for waiter in waiters:
            waiter.set()

    def _prune_some(self) -> bool:
        return self._database.prune_some(runs=self._runs_kept, episodes=self._episodes_kept)

    async def _in_thread(self, function: Callable[[], Value]) -> Value:
        # Abandoned when cancelled: a disk that hangs must not hold up the end of the server.
        return await trio.to_thread.run_sync(function, limiter=self._thread, abandon_on_cancel=True)

    def _report_problem(self, sentence: str) -> None:
        if self._problem is None:
            self._log.error("history_write_failed", reason=sentence)
        self._problem = sentence
        self._release()

    def _release(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.set()

    def _drop_overflow(self) -> None:
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            self._lost += 1
