"""The history of one run of a server, as its supervisor writes it."""

from collections.abc import Iterable
from typing import Final

from hamlet_trio.history import CheckpointStored, EpisodeEnded, HistoryWriter, Record, RunEnded, RunStarted
from hamlet_trio.history.records import Ending
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.errors import ErrorCode
from hamlet_trio.protocol.messages import AGENT_ID, CheckpointSaved, Error
from hamlet_trio.training.hub import Hub
from hamlet_trio.training.orders import Report, StartedReport, TrainerEvent, UnrecordedReport
from hamlet_trio.training.run_status import RunStatus


class RunHistory:
    """Write what a trainer tells to the history; viewers are told once if that fails, and the run goes on.

    Attributes:
        is_open: the run has started and has not ended yet.
        recorded: the episodes up to this one are in the history.
    """

    def __init__(self, writer: HistoryWriter, run_id: str, status: RunStatus, hub: Hub) -> None:
        self._writer: Final = writer
        self._run_id = run_id
        self._status = status
        self._hub = hub
        self._has_told = False
        self.is_open = False
        self.recorded = 0

    async def write(self, contents: Iterable[TrainerEvent | Report | None]) -> bool:
        """Write what these messages tell; return whether further episodes are recorded."""
        records = [record for content in contents for record in self._records(content)]
        if not records:
            return False
        await self._write(records)
        episodes = [record.complete.episode for record in records if isinstance(record, EpisodeEnded)]
        if self._writer.problem is not None or not episodes:
            return False
        self.recorded = episodes[-1]
        return True

    async def end(self, state: Ending, reason: str | None = None) -> None:
        """Write how the run ended."""
        self.is_open = False
        model = self._status.model
        await self._write([RunEnded(run_id=self._run_id, state=state, reason=reason, model=model)])

    def _records(self, content: TrainerEvent | Report | None) -> list[Record]:
        run_id = self._run_id
        match content:
            case StartedReport(parameters=parameters, device=device) if not self.is_open:
                self.is_open = True
                return [RunStarted(run_id=run_id, parameters=parameters, device=device, source="server")]
            case EpisodeComplete():
                return [EpisodeEnded(run_id=run_id, complete=content, agent_id=AGENT_ID)]
            case CheckpointSaved(model=model, episode=episode):
                return [CheckpointStored(run_id=run_id, model=model, episode=episode)]
            case UnrecordedReport(episodes):
                return list(episodes)
            case _:
                return []

    async def _write(self, records: list[Record]) -> None:
        await self._writer.write(*records)
        problem = self._writer.problem
        if problem is not None and not self._has_told:
            sentence = f"{problem} The run goes on, and what happens in it may not be kept."
            self._status.count_error(ErrorCode.HISTORY_FAILED)
            self._hub.broadcast(Error(sentence, code=ErrorCode.HISTORY_FAILED.value))
        self._has_told = problem is not None
