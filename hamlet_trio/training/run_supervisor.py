"""One run from its plan to its end, over as many trainer processes as it takes."""

from collections.abc import Sequence
from typing import Final

import msgspec
import trio

from hamlet_trio.agent.models import DEFAULT_MODEL
from hamlet_trio.common.lock import FileLock
from hamlet_trio.connection import MessageQueue, QueueFullError
from hamlet_trio.history import HistoryWriter
from hamlet_trio.logs import Logger
from hamlet_trio.protocol.commands import Pause, Resume, SetShow, Stop
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.messages import (
    Error,
    Paused,
    Resumed,
    TrainingComplete,
    TrainingEpisodeStart,
    TrainingFailed,
    TrainingStarted,
    TrainingStopped,
)
from hamlet_trio.protocol.parameters import Showing
from hamlet_trio.settings import Settings
from hamlet_trio.training.hub import Hub, Viewer
from hamlet_trio.training.inputs import Inputs, OnInput, TrainerMessages, TrainerSilent, decode_messages
from hamlet_trio.training.link import LinkError, Message
from hamlet_trio.training.orders import (
    BeginOrder,
    EndedReport,
    EpisodeReport,
    FailedReport,
    HeartbeatReport,
    Order,
    PausedReport,
    Report,
    ResumedReport,
    ResumeOrder,
    ShowOrder,
    StartedReport,
    SyncOrder,
    TrainerEvent,
    UnrecordedReport,
    order_of,
)
from hamlet_trio.training.plan import RunPlan
from hamlet_trio.training.run_history import RunHistory
from hamlet_trio.training.run_status import RunStatus
from hamlet_trio.training.showcase import Showcase
from hamlet_trio.training.silence import SilenceWatch
from hamlet_trio.training.store import RunStore
from hamlet_trio.training.trainer_process import COMMAND, run_trainer
from hamlet_trio.training.transitions import Phase, after_heartbeat, after_report, after_silence

MAX_RESTARTS: Final = 3
MAX_ORDERS: Final = 64
_FAREWELL: Final = 1.0  # seconds to keep that the run was interrupted
_STOP_PATIENCE: Final = 60.0  # seconds from a stop; its last evaluation and saving take a few


class RunSupervisor:
    """Start the trainer of one run, handle its reports, and start it again when it dies.

    From its making until `run` ends, the status shows this run; `starter` is told if no process can be
    started at all. Without a `starter` the run of an instance that is gone goes on here. Every change is made
    by the task that calls `run`: what other tasks have to tell comes as an `Input`, and all but the trainer's
    messages go on to `on_input`. Holds the lock of the data folder and releases it at the end.
    """

    def __init__(
        self,
        plan: RunPlan,
        *,
        status: RunStatus,
        hub: Hub,
        showcase: Showcase,
        history: HistoryWriter,
        store: RunStore,
        settings: Settings,
        lock: FileLock,
        starter: Viewer | None,
        inputs: Inputs,
        on_input: OnInput,
        log: Logger,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self.run_id: Final = plan.run_id
        self._parameters = plan.parameters
        self._file = plan.file
        self._status = status
        self._hub = hub
        self._showcase = showcase
        self._history = RunHistory(history, plan.run_id, status, hub)
        self._announced = starter is None
        self._restarts = 0
        self._watched = hub.viewers > 0
        self._store = store
        self._settings = settings
        self._lock = lock
        self._starter = starter
        self._inputs = inputs
        self._on_input = on_input
        self._command = command
        self._log = log.bind(run_id=plan.run_id)
        self._last_report: EndedReport | FailedReport | None = None
        self._exit: str | OSError = ""
        self._patience = trio.CancelScope()
        self._stop_patience = _STOP_PATIENCE
        self._silence = SilenceWatch(inputs)
        showcase.begin(plan.parameters.step_delay)
        if starter is None:
            self._tell_restart("The instance that trained the run is gone; it goes on at another one.")
        else:
            status.begin(plan.run_id, plan.parameters)
        self._orders = self._first_orders(resume=plan.resume)

    # --- what viewers want -----------------------------------------------------------------------------

    def obey(self, command: Pause | Resume | Stop | SetShow) -> None:
        """Pass an accepted command on to the trainer, whose answer is told to everyone.

        Raises `BadMessageError` if the trainer has not taken its orders for long.
        """
        order = order_of(command, self._parameters.showing)
        try:
            self._orders.put(order)
        except QueueFullError as error:
            name = str(command.__struct_config__.tag)
            sentence = f"The trainer does not respond: {MAX_ORDERS} orders wait for it."
            raise BadMessageError(ErrorCode.TRAINING_BUSY, sentence, command=name) from error
        if not isinstance(order, ResumeOrder):
            self._showcase.obey(order)
        if isinstance(order, ShowOrder):
            self._show_in(order.showing)
        if isinstance(command, Stop):
            # A trainer that hangs takes no orders; the run must end all the same.
            hangs = self._status.phase.state == "unresponsive"
            self._stop_patience = 0.0 if hangs else _STOP_PATIENCE
            self._patience.deadline = trio.current_time() + self._stop_patience

    def _show_in(self, showing: Showing) -> None:
        self._parameters = self._parameters.shown_in(showing)
        self._status.set_parameters(self._parameters)

    def set_watched(self, watched: bool) -> None:
        """Tell the trainer whether anybody watches."""
        self._watched = watched
        self._sync()

    def _sync(self) -> None:
        self._orders.put_droppable(SyncOrder(watched=self._watched, recorded=self._history.recorded))

    # --- the run's life --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Supervise the run to its end; cancelled, its trainer gets `shutdown_grace` seconds to save."""
        try:
            while True:
                await self._attempt()
                if isinstance(self._exit, OSError):
                    await self._cannot_start(self._exit)
                    return
                report = self._last_report
                if isinstance(report, EndedReport) and report.how != "interrupted":
                    await self._conclude(report)
                    return
                reason, retry = self._exit, True
                if isinstance(report, FailedReport):
                    reason, retry = report.reason, report.retry
                is_stopping = self._status.phase.state == "stopping"
                if not retry or is_stopping or self._restarts >= MAX_RESTARTS:
                    await self._give_up(reason)
                    return
                self._restart(reason)
        finally:
            if self._history.is_open:
                with trio.move_on_after(_FAREWELL, shield=True):
                    await self._history.end("interrupted")
            self._lock.release()

    async def _attempt(self) -> None:
        """Handle inputs until one trainer has ended."""
        self._last_report = None
        self._patience = trio.CancelScope()
        self._silence = SilenceWatch(self._inputs)
        async with trio.open_nursery() as nursery:
            # Cancelled, the trainer still saves, and what it tells of that is handled: it ends the shield.
            with trio.CancelScope(shield=True) as until_it_ends:
                nursery.start_soon(self._run_trainer, until_it_ends)
                nursery.start_soon(self._silence.run)
                while True:
                    received = await self._inputs.receiver.receive()
                    with trio.CancelScope(shield=True):  # what was begun is completed
                        match received:
                            case TrainerMessages(messages, handled):
                                await self._handle(messages)
                                handled.set()
                            case TrainerSilent(seconds):
                                self._on_silence(seconds)
                            case _:
                                await self._on_input(received)
            nursery.cancel_scope.cancel()

    def _on_silence(self, seconds: float) -> None:
        if self._silence.is_broken:
            return
        reason = f"The trainer has not responded for {seconds:g} s."
        self._log.warning("trainer_unresponsive", reason=reason)
        self._status.change(after_silence(self._status.phase), reason)

    async def _run_trainer(self, scope: trio.CancelScope) -> None:
        """Run one trainer, note how it ended, and cancel `scope` then. Changes nothing else."""

        async def pass_on(messages: Sequence[Message]) -> None:
            self._silence.heard()
            contents, problem = decode_messages(messages)
            handled = trio.Event()
            await self._inputs.sender.send(TrainerMessages(contents, handled))
            await handled.wait()
            if problem is not None:
                raise LinkError(f"the trainer sent what is no message: {problem}") from problem

        self._exit = ""
        try:
            with self._patience:
                end = await run_trainer(
                    self._orders,
                    pass_on,
                    grace=self._settings.shutdown_grace,
                    log=self._log,
                    command=self._command,
                    inherited=() if self._lock.descriptor is None else (self._lock.descriptor,),
                )
                self._exit = str(end)
            if self._patience.cancelled_caught:
                limit = self._stop_patience + self._settings.shutdown_grace
                self._exit = f"The trainer did not end within {limit:g} s of the stop."
        except OSError as error:
            self._exit = error
        finally:
            scope.cancel()

    def _first_orders(self, *, resume: bool) -> MessageQueue[Order]:
        orders = MessageQueue[Order](max_kept=MAX_ORDERS, max_droppable=1)
        orders.put(
            BeginOrder(
                run_id=self.run_id,
                parameters=self._parameters,
                file=self._file,
                settings=self._settings.with_portable_paths(),
                resume=resume,
                paused=self._status.phase.pause_requested,
                watched=self._watched,
            )
        )
        return orders

    def _restart(self, reason: str) -> None:
        self._restarts += 1
        self._orders = self._first_orders(resume=True)
        self._log.warning("trainer_restarted", reason=reason, restart=self._restarts)
        self._tell_restart(reason)

    def _tell_restart(self, reason: str) -> None:
        self._status.tell(TrainingFailed(reason, self._model_saved, restart=True, model=self._status.model))
        self._status.note_restart(reason)

    async def _give_up(self, reason: str) -> None:
        if self._restarts >= MAX_RESTARTS:
            reason = f"{reason} It was started again {MAX_RESTARTS} times already."
        self._log.error("run_failed", reason=reason)
        await self._history.end("failed", reason)
        await self._leave()
        self._fail(reason)

    async def _cannot_start(self, error: OSError) -> None:
        reason = f"The trainer process cannot be started: {error.strerror or error}."
        if self._restarts:
            await self._give_up(reason)
            return
        self._log.error("trainer_not_started", reason=reason)
        await self._leave()
        self._status.count_error(ErrorCode.TRAINING_UNAVAILABLE)
        if self._starter is not None:
            self._starter.tell(
                Error(reason, code=ErrorCode.TRAINING_UNAVAILABLE.value, command="start_training")
            )
        self._status.change(Phase("failed"), reason)

    async def _conclude(self, report: EndedReport) -> None:
        self._status.note_model(report.model_saved)
        problem = report.problem
        if report.how == "complete" and report.model_saved is None:
            problem = problem or "The run's model was not saved."
        has_failed = report.how == "complete" and problem is not None
        await self._history.end("failed" if has_failed else report.how, problem)
        await self._leave()
        if problem is not None and has_failed:
            self._fail(problem)
            return
        if report.how == "stopped":
            reason = problem or "The run was stopped on request."
            self._status.tell(TrainingStopped(reason, self._model_saved, self._status.model))
        else:
            path = str(self._model_saved)
            self._status.tell(
                TrainingComplete(path, report.average_reward, report.average_length, self._status.model)
            )
        self._status.change(Phase("idle"))

    def _fail(self, reason: str) -> None:
        self._showcase.clear()
        self._status.tell(TrainingFailed(reason, self._model_saved, restart=False, model=self._status.model))
        self._status.change(Phase("failed"), reason)

    async def _leave(self) -> None:
        """Clear the way for the next run, which viewers may start once they hear that this one is over."""
        self._lock.release()
        self._status.note_resumable(await trio.to_thread.run_sync(self._store.resumable))

    @property
    def _model_saved(self) -> str | None:
        """What messages at the end of a run call the model that it saved (a kept form)."""
        return None if self._status.model is None else f"models/{DEFAULT_MODEL}"

    # --- what the trainer says -------------------------------------------------------------------------

    async def _handle(self, messages: list[tuple[Message, TrainerEvent | Report | None]]) -> None:
        """Keep what these messages tell, and only then tell it to the viewers.

        So what a viewer has seen is in the history, should the server be killed in the next moment.
        """
        if await self._history.write(content for _, content in messages):
            self._sync()
        for message, content in messages:
            # Many may have come at once: the tasks that send them get a turn after each.
            await trio.lowlevel.checkpoint()
            match content:
                case None:
                    self._hub.broadcast_frame(message.payload.decode())
                case HeartbeatReport() | UnrecordedReport():
                    self._status.change(after_heartbeat(self._status.phase))
                    if isinstance(content, UnrecordedReport) and self._starter is None:
                        self._status.note_missed(content.episodes)
                case EpisodeReport():
                    if self._parameters.show == "showcase":
                        self._showcase.offer(content)
                case EndedReport() | FailedReport():
                    self._last_report = content
                case StartedReport() | PausedReport() | ResumedReport():
                    self._on_report(content)
                case _:
                    if isinstance(content, TrainingEpisodeStart):  # shown live
                        self._showcase.clear()
                    self._status.note(content)
                    self._hub.broadcast_event(message.payload.decode())

    def _on_report(self, report: StartedReport | PausedReport | ResumedReport) -> None:
        match report:
            case StartedReport():
                self._on_started(report)
            case PausedReport(episode, step):
                self._status.tell(Paused(episode, step))
            case ResumedReport(episode, step):
                self._status.tell(Resumed(episode, step))
        self._status.change(after_report(self._status.phase, report))
        if not isinstance(report, PausedReport) and not self._status.phase.pause_requested:
            # Not before: between `paused` and `resumed` nothing is shown.
            self._showcase.obey(ResumeOrder())

    def _on_started(self, report: StartedReport) -> None:
        self._silence.has_started = True
        # How it is shown may have been changed since the trainer was ordered to begin.
        self._parameters = report.parameters.shown_in(self._parameters.showing)
        self._status.note(msgspec.structs.replace(report, parameters=self._parameters))
        if not self._announced:
            self._announced = True
            self._status.tell(
                TrainingStarted(
                    num_episodes=report.parameters.num_episodes,
                    run_id=self.run_id,
                    parameters=self._parameters,
                    network_type=report.parameters.network_type,
                    device=report.device,
                    world=report.world,
                    num_agents=report.parameters.num_agents or 1,
                )
            )
