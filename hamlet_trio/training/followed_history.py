"""The history of runs that other instances train, for an instance whose data folder is not theirs."""

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from hamlet_trio.history import (
    CheckpointStored,
    EpisodeEnded,
    HistoryError,
    HistoryWriter,
    Record,
    RunEnded,
    RunStarted,
)
from hamlet_trio.history.missing import has_episode, missing_records
from hamlet_trio.history.records import time_text
from hamlet_trio.logs import Logger
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.messages import (
    AGENT_ID,
    CheckpointSaved,
    TrainingComplete,
    TrainingFailed,
    TrainingStarted,
    TrainingStatus,
    TrainingStopped,
)
from hamlet_trio.training.run_status import FollowedMessage, decode_followed

if TYPE_CHECKING:
    from hamlet_trio.shared.run_log import ToldEvent

MAX_WAITING: Final = 20_000
"""Records that wait to be written at most; past them the oldest go."""


class FollowedHistory:
    """Write what other instances tell of their runs to the history of this one, as far as it is not there.

    Whoever trains keeps first and tells then. So where both have one data folder nothing is missing, and
    nothing is written; elsewhere, as on another machine, everything is. Which it is may change whenever
    another instance goes on with the run, so the history itself is asked each time.
    """

    def __init__(self, writer: HistoryWriter, path: Path, log: Logger) -> None:
        self._writer: Final = writer
        self._path: Final = path
        self._log: Final = log
        self._past: list[Record] = []  # what was told while this instance was not there
        self._waiting: deque[Record] = deque(maxlen=MAX_WAITING)

    async def reaches(self, run_id: str, episode: int) -> bool:
        """Return whether the history has this episode of a run."""
        try:
            return await trio.to_thread.run_sync(has_episode, self._path, run_id, episode)
        except HistoryError:  # it is being made
            return False

    def hear(self, run_id: str | None, message: FollowedMessage, at: float) -> bool:
        """Take note of a message of this run, told at this time; return whether it ends the run."""
        record = _record_of(run_id, message, time_text(at))
        if record is not None:
            self._waiting.append(record)
        return isinstance(record, RunEnded)

    def hear_past(self, events: "Iterable[ToldEvent]", run_id: str | None) -> None:
        """Take note of what was told while this instance was not there; `run_id` is that of the last run."""
        told = [(message, event.at) for event in events if (message := _decoded(event)) is not None]
        names = [name for message, _ in told if (name := _run_named(message)) is not None]
        current = names[0] if names else run_id
        past: list[Record] = []
        for message, at in told:
            current = _run_named(message) or current
            if (record := _record_of(current, message, time_text(at))) is not None:
                past.append(record)
        self._past = past

    def end(self, run_id: str, reason: str) -> None:
        """Take note that a run is not gone on with by any instance."""
        self._waiting.append(RunEnded(run_id=run_id, state="interrupted", reason=reason))

    async def keep(self) -> None:
        """Write what is missing of what was heard."""
        if not (self._past or self._waiting) or self._writer.problem is not None:
            return
        past, heard = self._past, list(self._waiting)
        self._past = []
        self._waiting.clear()
        try:
            missing = await trio.to_thread.run_sync(missing_records, self._path, past, heard)
        except HistoryError as error:
            self._log.warning("history_unreadable", reason=str(error))
            return
        if missing:
            await self._writer.write(*missing)


def _decoded(event: "ToldEvent") -> FollowedMessage | None:
    try:
        return decode_followed(event.text)
    except msgspec.DecodeError:  # of a sweep, or of a newer version
        return None


def _run_named(message: FollowedMessage) -> str | None:
    return message.run_id if isinstance(message, TrainingStatus | TrainingStarted) else None


def _record_of(run_id: str | None, message: FollowedMessage, at: str) -> Record | None:
    if run_id is None:
        return None
    record: Record | None = None
    match message:
        case TrainingStarted(parameters=parameters, device=device):
            record = RunStarted(run_id=run_id, parameters=parameters, device=device, source="server", at=at)
        case EpisodeComplete():
            record = EpisodeEnded(run_id=run_id, complete=message, agent_id=AGENT_ID, at=at)
        case CheckpointSaved(model=model, episode=episode):
            record = CheckpointStored(run_id=run_id, model=model, episode=episode, at=at)
        case TrainingComplete(model=model):
            record = RunEnded(run_id=run_id, state="complete", model=model, at=at)
        case TrainingStopped(model=model):
            record = RunEnded(run_id=run_id, state="stopped", model=model, at=at)
        case TrainingFailed(reason=reason, restart=False, model=model):
            record = RunEnded(run_id=run_id, state="failed", reason=reason, model=model, at=at)
    return record
