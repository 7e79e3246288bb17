"""Review the runs of other processes: what killed ones left unwritten, and which can be resumed."""

from collections.abc import Container
from typing import Final, NamedTuple

import trio

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.common.files import remove_temporaries
from hamlet_trio.history import HistoryError, HistoryWriter, history_path
from hamlet_trio.logs import Logger
from hamlet_trio.recording.info import recordings_path
from hamlet_trio.settings import Settings
from hamlet_trio.training.abandoned_runs import abandoned_runs
from hamlet_trio.training.store import RunStore


class Findings(NamedTuple):
    """Why no run can be started, if so, whether another process trains, and the runs that can be resumed."""

    problem: str | None
    is_locked: bool
    resumable: list[str]


class RunReview:
    """Write to the history what killed processes left unwritten, and see which runs can be resumed."""

    def __init__(
        self, settings: Settings, history: HistoryWriter, store: RunStore, models: ModelFolder, log: Logger
    ) -> None:
        self._settings: Final = settings
        self._history: Final = history
        self._store: Final = store
        self._models: Final = models
        self._log: Final = log

    async def review(self, *, but: Container[str], is_locked: bool) -> Findings:
        """Review all runs but those that another instance trains, or is about to go on with.

        `is_locked`: the lock of the data folder is known to be held. Nothing that is found raises an error.
        """
        problem, resumable = None, list[str]()
        await self._history.until_opened()
        try:
            await self._record_unrecorded(but)
            await self._end_abandoned_runs(but)
            await trio.to_thread.run_sync(self._remove_temporaries)
            is_locked = is_locked or await trio.to_thread.run_sync(self._store.server_lock().is_held)
            if not is_locked:
                resumable = await trio.to_thread.run_sync(self._store.resumable)
        except OSError as error:
            problem = f"The data folder {self._settings.data_dir} cannot be used: {error.strerror}."
        except Exception:
            self._log.exception("review_failed")
            problem = "The server failed to review its runs; its log tells why."
        return Findings(problem, is_locked, resumable)

    def _remove_temporaries(self) -> None:
        self._store.remove_temporaries()
        remove_temporaries(self._models.path)
        remove_temporaries(recordings_path(self._settings.data_dir))

    async def _end_abandoned_runs(self, but: Container[str]) -> None:
        """Have the history say "interrupted" of runs whose process was killed before it could.

        Not while the history is in trouble: the true ends of runs may wait to be written.
        """
        if self._history.problem is not None:
            return
        try:
            ended = await trio.to_thread.run_sync(abandoned_runs, history_path(self._settings), self._store)
        except HistoryError as error:
            self._log.warning("history_unreadable", reason=str(error))
            return
        except Exception:
            self._log.exception("history_unreadable")
            return
        if ended := [record for record in ended if record.run_id not in but]:
            await self._history.write(*ended)

    async def _record_unrecorded(self, but: Container[str]) -> None:
        """Write the episodes to the history that trainers left whose server was killed."""
        if self._history.problem is not None:
            return
        for run_id in await trio.to_thread.run_sync(self._store.unrecorded_runs):
            if run_id in but:
                continue
            try:
                episodes = await trio.to_thread.run_sync(self._store.read_unrecorded, run_id)
            except (OSError, ValueError) as error:
                self._log.warning("episodes_unreadable", run_id=run_id, reason=str(error))
                continue
            await self._history.write(*episodes)
            if self._history.problem is None:
                await trio.to_thread.run_sync(self._store.write_unrecorded, run_id, [])
