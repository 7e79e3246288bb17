"""One run from its plan to its end, over as many trainer processes as it takes."""

from collections.abc import Sequence
from typing import Final

import msgspec
import trio

from hamlet_trio.common.lock import FileLock
from hamlet_trio.history import CheckpointKept, EpisodeEnded, HistoryWriter, Record, RunBegan, RunEnded
from hamlet_trio.history.records import Ending
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.commands import Pause, Resume, Stop
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.messages import (
    AGENT_ID,
    CheckpointSaved,
    Error,
    Paused,
    Resumed,
    TrainingComplete,
    TrainingFailed,
    TrainingStarted,
    TrainingState,
    TrainingStopped,
)
from hamlet_trio.settings import Settings
from hamlet_trio.training.hub import Viewer
from hamlet_trio.training.link import LinkError, Message, MessageKind
from hamlet_trio.training.order_queue import OrderQueue, OrderQueueFullError
from hamlet_trio.training.orders import (
    BeginOrder,
    EndedReport,
    FailedReport,
    Order,
    PausedReport,
    PauseOrder,
    Report,
    ResumedReport,
    ResumeOrder,
    StartedReport,
    StopOrder,
    decode_report,
)
from hamlet_trio.training.plan import RunPlan
from hamlet_trio.training.run_metrics import (
    RunMetrics,
    RunProgress,
    TrainerEvent,
    model_path,
    read_event,
)
from hamlet_trio.training.run_status import RunStatus
from hamlet_trio.training.store import RunStore
from hamlet_trio.training.trainer_process import COMMAND, run_trainer

MAX_RESTARTS: Final = 3
_FAREWELL: Final = 1.0  # seconds to keep that the run was interrupted
_STOP_PATIENCE: Final = 60.0  # seconds from a stop; its last evaluation and saving take a few


class RunSupervisor:
    """Starts the trainer of one run, hears its reports, and starts it again when it dies.

    From its making until `live` ends, the board shows this run; `starter` hears when no process can be
    started at all. Holds the lock of the data folder and releases it at the end.
    """

    def __init__(
        self,
        plan: RunPlan,
        *,
        board: RunStatus,
        chronicle: RunMetrics,
        history: HistoryWriter,
        store: RunStore,
        settings: Settings,
        lock: FileLock,
        starter: Viewer,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._plan = plan
        self._board = board
        self._chronicle = chronicle
        self._history = history
        self._told_trouble = False
        self._in_history = False
        self._store = store
        self._settings = settings
        self._lock = lock
        self._starter = starter
        self._command = command
        self._log = get_logger(service="training", run_id=plan.run_id)
        self._run = board.run = RunProgress(plan.run_id, plan.parameters)
        self._last_report: EndedReport | FailedReport | None = None
        self._patience = trio.CancelScope()
        self._orders = self._first_orders(resume=plan.resume)

    @property
    def run_id(self) -> str:
        """Which run it is."""
        return self._plan.run_id

    # --- what viewers want -----------------------------------------------------------------------------

    def obey(self, command: Pause | Resume | Stop) -> None:
        """Pass an accepted command on to the trainer; what comes of it is told to everyone.

        Raises `BadMessageError` if the trainer has not taken its orders for long.
        """
        match command:
            case Pause():
                self._order(PauseOrder(), "pause")
                self._run.wants_paused = True
            case Resume():
                self._order(ResumeOrder(), "resume")
                self._run.wants_paused = False
            case Stop():
                self._order(StopOrder(), "stop")
                self._board.enter("stopping")
                # A trainer that hangs takes no orders; the run must end all the same.
                self._patience.deadline = trio.current_time() + _STOP_PATIENCE

    def set_watched(self, watched: bool) -> None:
        """Whether anybody watches."""
        self._orders.set_watched(watched)

    def _order(self, order: Order, name: str) -> None:
        try:
            self._orders.put(order)
        except OrderQueueFullError as error:
            raise BadMessageError(
                ErrorCode.TRAINING_BUSY, f"The trainer does not respond: {error}.", command=name
            ) from error

    # --- the run's life --------------------------------------------------------------------------------

    async def live(self) -> None:
        """Live through the run; cancelled, its trainer gets `shutdown_grace` seconds to save and end."""
        try:
            while True:
                self._patience = trio.CancelScope()
                words = f"The trainer did not end within {_STOP_PATIENCE:g} s of the stop."
                try:
                    with self._patience:
                        words = await self._attempt()
                except OSError as error:
                    await self._cannot_start(error)
                    return
                report = self._last_report
                if isinstance(report, EndedReport) and report.how != "interrupted":
                    await self._conclude(report)
                    return
                reason, retry = words, True
                if isinstance(report, FailedReport):
                    reason, retry = report.reason, report.retry
                if not retry or self._board.state == "stopping" or self._run.restarts >= MAX_RESTARTS:
                    await self._give_up(reason)
                    return
                self._restart(reason)
        finally:
            if self._in_history:
                with trio.move_on_after(_FAREWELL, shield=True):
                    await self._end_in_history("interrupted")
            self._lock.release()

    async def _attempt(self) -> str:
        """Run one trainer to its end; the words say how the process ended."""
        self._last_report = None
        inherited = () if self._lock.descriptor is None else (self._lock.descriptor,)
        exit_ = await run_trainer(
            self._orders,
            self._on_messages,
            grace=self._settings.shutdown_grace,
            log=self._log,
            command=self._command,
            inherited=inherited,
        )
        return str(exit_)

    def _first_orders(self, *, resume: bool) -> OrderQueue:
        watched = len(self._board.hub) > 0
        orders = OrderQueue(watched=watched)
        orders.put(
            BeginOrder(
                run_id=self._plan.run_id,
                parameters=self._run.parameters,
                models_dir=self._settings.models_dir,
                data_dir=self._settings.data_dir,
                device=self._settings.device,
                record_every=self._settings.record_every,
                recordings_kept=self._settings.recordings_kept,
                tensorboard=self._settings.tensorboard,
                resume=resume,
                paused=self._run.wants_paused,
                watched=watched,
            )
        )
        return orders

    def _restart(self, reason: str) -> None:
        self._run.restarts += 1
        self._chronicle.restarts += 1
        self._orders = self._first_orders(resume=True)
        self._log.warning("the trainer is started again", reason=reason, restart=self._run.restarts)
        self._board.announce(TrainingFailed(reason, self._run.model_saved, restart=True))
        self._board.enter("starting", reason)

    async def _give_up(self, reason: str) -> None:
        if self._run.restarts >= MAX_RESTARTS:
            reason = f"{reason} It was started again {MAX_RESTARTS} times already."
        self._log.error("the run failed", reason=reason)
        await self._end_in_history("failed", reason)
        await self._leave()
        self._board.announce(TrainingFailed(reason, self._run.model_saved, restart=False))
        self._board.enter("failed", reason)

    async def _cannot_start(self, error: OSError) -> None:
        reason = f"The trainer process cannot be started: {error.strerror or error}."
        if self._run.restarts:
            await self._give_up(reason)
            return
        self._log.error("the trainer cannot be started", reason=reason)
        await self._leave()
        self._chronicle.errors[ErrorCode.TRAINING_UNAVAILABLE] += 1
        self._starter.tell(Error(reason, code=ErrorCode.TRAINING_UNAVAILABLE.value, command="start_training"))
        self._board.enter("failed", reason)

    async def _conclude(self, report: EndedReport) -> None:
        self._run.model = report.model_saved or self._run.model
        if report.how == "complete" and (report.problem is not None or report.model_saved is None):
            await self._end_in_history("failed", report.problem or "The run's model was not saved.")
        else:
            await self._end_in_history(report.how, report.problem)
        await self._leave()
        if report.how == "stopped":
            reason = report.problem or "The run was stopped on request."
            self._board.announce(TrainingStopped(reason, self._run.model_saved))
            self._board.enter("idle")
        elif report.problem is not None or report.model_saved is None:
            reason = report.problem or "The run's model was not saved."
            self._board.announce(TrainingFailed(reason, self._run.model_saved, restart=False))
            self._board.enter("failed", reason)
        else:
            path = model_path(report.model_saved)
            self._board.announce(TrainingComplete(path, report.average_reward, report.average_length))
            self._board.enter("idle")

    async def _leave(self) -> None:
        """What must be so before viewers hear that the run is over, for they may start the next at once."""
        self._lock.release()
        self._board.resumable = await trio.to_thread.run_sync(self._store.resumable)

    # --- what the trainer says -------------------------------------------------------------------------

    async def _on_messages(self, messages: Sequence[Message]) -> None:
        """Keep what these messages tell, and only then tell it to the viewers.

        So what a viewer has seen is in the history, should the server be killed in the next moment.
        """
        contents: list[TrainerEvent | Report | None] = []
        problem: msgspec.DecodeError | None = None
        for message in messages:
            try:
                contents.append(_read(message))
            except msgspec.DecodeError as error:
                problem = error
                break
        records = [record for content in contents if (record := self._record(content)) is not None]
        if records:
            await self._keep(*records)
        for message, content in zip(messages, contents, strict=False):
            # Many may have come at once: whoever is to send them on gets a turn after each.
            await trio.lowlevel.checkpoint()
            self._act(message, content)
        if problem is not None:
            raise LinkError(f"the trainer sent what is no message: {problem}") from problem

    def _act(self, message: Message, content: TrainerEvent | Report | None) -> None:
        match content:
            case None:
                self._board.hub.broadcast_frame(message.payload.decode())
            case StartedReport() | PausedReport() | ResumedReport() | EndedReport() | FailedReport():
                self._hear(content)
            case _:
                self._chronicle.note(content, self._run)
                self._board.hub.broadcast_event(message.payload.decode())

    def _hear(self, report: Report) -> None:
        match report:
            case StartedReport():
                self._on_started(report)
            case PausedReport(episode, step):
                self._board.announce(Paused(episode, step))
                self._enter_unless_stopping("paused")
            case ResumedReport(episode, step):
                self._board.announce(Resumed(episode, step))
                self._enter_unless_stopping("running")
            case EndedReport() | FailedReport():
                self._last_report = report

    def _on_started(self, report: StartedReport) -> None:
        run = self._run
        run.parameters = report.parameters
        run.episode = min(report.episode + 1, report.parameters.num_episodes)
        if not run.begun:
            run.begun = True
            self._board.announce(
                TrainingStarted(
                    num_episodes=report.parameters.num_episodes,
                    run_id=run.run_id,
                    parameters=report.parameters,
                    network_type=report.parameters.network_type,
                    device=report.device,
                )
            )
        if not run.wants_paused:  # else the confirmation of the pause follows
            self._enter_unless_stopping("running")

    # --- what is kept ----------------------------------------------------------------------------------

    def _record(self, content: TrainerEvent | Report | None) -> Record | None:
        """What the history keeps of it, if anything."""
        run_id = self._run.run_id
        match content:
            case StartedReport(parameters=parameters, device=device) if not self._in_history:
                self._in_history = True
                return RunBegan(run_id=run_id, parameters=parameters, device=device, source="server")
            case EpisodeComplete():
                return EpisodeEnded(run_id=run_id, complete=content, agent_id=AGENT_ID)
            case CheckpointSaved(model=model, episode=episode):
                return CheckpointKept(run_id=run_id, model=model, episode=episode)
            case _:
                return None

    async def _keep(self, *records: Record) -> None:
        """Keep records; viewers hear once that it does not work, and the run goes on."""
        await self._history.keep(*records)
        trouble = self._history.trouble
        if trouble is not None and not self._told_trouble:
            sentence = f"{trouble} The run goes on, and what happens in it may not be kept."
            self._chronicle.errors[ErrorCode.HISTORY_FAILED] += 1
            self._board.announce(Error(sentence, code=ErrorCode.HISTORY_FAILED.value))
        self._told_trouble = trouble is not None

    async def _end_in_history(self, state: Ending, reason: str | None = None) -> None:
        self._in_history = False
        await self._keep(RunEnded(run_id=self._run.run_id, state=state, reason=reason, model=self._run.model))

    def _enter_unless_stopping(self, state: TrainingState) -> None:
        if self._board.state != "stopping":
            self._board.enter(state)


def _read(message: Message) -> TrainerEvent | Report | None:
    """What a message says; None for a frame, which is passed on unread."""
    match message.kind:
        case MessageKind.FRAME:
            return None
        case MessageKind.EVENT:
            return read_event(message.payload)
        case MessageKind.CONTROL:
            return decode_report(message.payload)
