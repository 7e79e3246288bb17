"""The history of a server: one task writes, and whoever has something to keep waits for it or need not."""

from collections import deque
from collections.abc import Callable
from typing import Final, TypeVar

import trio
from msgspec import Struct

from hamlet_trio.common.backoff import Backoff
from hamlet_trio.history.database import HistoryError, history_path
from hamlet_trio.history.log import HistoryLog
from hamlet_trio.history.records import Record, RunBegan
from hamlet_trio.logs import get_logger
from hamlet_trio.settings import Settings

MAX_WAITING: Final = 10_000
_PATIENCE: Final = 5.0  # seconds until a database that does not answer is one in trouble
_FAREWELL: Final = 2.0  # seconds to write what waits when the server ends

Value = TypeVar("Value")


class HistoryStatistics(Struct, frozen=True):
    """Counters since the start of the server, for the metrics; `waiting` and `working` are of now."""

    working: bool
    waiting: int
    written: int
    lost: int
    transactions: int
    seconds: float


class HistoryWriter:
    """Keeps what happens in runs; `run` is the one task that writes.

    What waits is written in one transaction, whatever came while the last one was written: a server that is
    busy makes larger ones. Of records, `MAX_WAITING` may wait while the database is in trouble; more push
    out the oldest, which are lost and counted.

    Trouble, such as a full disk, is logged once, and written again after a wait that grows to half a minute.
    Meanwhile nobody waits: `keep` takes what it is given and returns.
    """

    def __init__(self, settings: Settings) -> None:
        self._log_file = HistoryLog(history_path(settings))
        self._runs_kept = settings.history_runs
        self._episodes_kept = settings.history_episodes
        self._log = get_logger(service="history")
        self._backoff = Backoff()
        self._thread = trio.CapacityLimiter(1)
        self._waiting: deque[Record] = deque()
        self._arrived = trio.Event()
        self._waiters: list[trio.Event] = []
        self._running = False
        self._trouble: str | None = None
        self._needs_room = True
        self._written = self._lost = self._transactions = 0
        self._seconds = 0.0

    @property
    def trouble(self) -> str | None:
        """Why nothing is written at the moment, as a sentence; None where all is well."""
        return self._trouble

    def statistics(self) -> HistoryStatistics:
        """Counters for the metrics."""
        return HistoryStatistics(
            working=self._running and self._trouble is None,
            waiting=len(self._waiting),
            written=self._written,
            lost=self._lost,
            transactions=self._transactions,
            seconds=self._seconds,
        )

    async def keep(self, *records: Record) -> None:
        """Keep records: when this returns they are in the database, for good unless the power fails.

        Or else `trouble` says why not, and they wait. Never raises for trouble, and never takes longer than
        `_PATIENCE`. While `run` does not run, nothing is waited for either.
        """
        self._waiting.extend(records)
        self._drop_overflow()
        self._arrived.set()
        if self._trouble is not None or not self._running:
            await trio.lowlevel.checkpoint()
            return
        done = trio.Event()
        self._waiters.append(done)
        with trio.move_on_after(_PATIENCE) as patience:
            await done.wait()
        if patience.cancelled_caught:
            self._enter_trouble(f"The history did not answer within {_PATIENCE:g} s.")

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write until cancelled; then what waits is written still, for `_FAREWELL` seconds at most."""
        self._running = True
        try:
            await self._write()
            task_status.started()
            while True:
                if self._trouble is None:
                    self._backoff.reset()
                    await self._arrived.wait()
                else:
                    await self._backoff.wait()
                await self._write()
        finally:
            self._running = False
            with trio.move_on_after(_FAREWELL, shield=True):
                await self._write()
                await self._in_thread(self._log_file.close)
            self._release()

    async def _write(self) -> None:
        """Write what waits, until nothing does; open the file also where nothing does."""
        try:
            await self._write_batch()
            while self._waiting:
                await self._write_batch()
            while self._needs_room and not self._waiting:
                self._needs_room = await self._in_thread(self._make_room)
        except HistoryError as error:
            self._enter_trouble(str(error))
            return
        if self._trouble is not None:
            self._log.info("the history is written again")
            self._trouble = None

    async def _write_batch(self) -> None:
        self._arrived = trio.Event()
        batch, self._waiting = self._waiting, deque()
        waiters, self._waiters = self._waiters, []
        started = trio.current_time()
        try:
            await self._in_thread(lambda: self._log_file.write(batch))
        except (HistoryError, trio.Cancelled):
            # Perhaps it was written, where the wait for it was cancelled; twice does no harm.
            self._waiters = waiters + self._waiters
            self._waiting = batch + self._waiting
            self._drop_overflow()
            raise
        except BaseException:
            # What no database can hold would fail for ever.
            self._waiters = waiters + self._waiters
            self._lost += len(batch)
            raise
        self._needs_room |= any(isinstance(record, RunBegan) for record in batch)
        self._written += len(batch)
        self._transactions += bool(batch)
        self._seconds += trio.current_time() - started
        for waiter in waiters:
            waiter.set()

    def _make_room(self) -> bool:
        return self._log_file.make_room(runs=self._runs_kept, episodes=self._episodes_kept)

    async def _in_thread(self, function: Callable[[], Value]) -> Value:
        # One at a time, and left to itself when cancelled: a disk that hangs must not keep the server.
        return await trio.to_thread.run_sync(function, limiter=self._thread, abandon_on_cancel=True)

    def _enter_trouble(self, sentence: str) -> None:
        if self._trouble is None:
            self._log.error("the history is not written", reason=sentence)
        self._trouble = sentence
        self._release()

    def _release(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.set()

    def _drop_overflow(self) -> None:
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            self._lost += 1
