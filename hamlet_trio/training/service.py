"""The service of training: one run at a time, commanded by viewers and told to all of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio
from msgspec import UNSET

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.connection import ServerFullError
from hamlet_trio.history import HistoryWriter, history_path
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.commands import (
    SetShow,
    SetTrainingView,
    StartSweep,
    StartTraining,
    Status,
    TrainingCommand,
)
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.messages import Error, TrainingStatus
from hamlet_trio.settings import Settings
from hamlet_trio.training.followed_history import FollowedHistory
from hamlet_trio.training.hub import Hub, Viewer
from hamlet_trio.training.inputs import (
    Input,
    Inputs,
    LockReleased,
    RunLost,
    SharedBeat,
    SharedNews,
    TrainerMessages,
    TrainerSilent,
    ViewerCommand,
)
from hamlet_trio.training.lock_watch import LockWatch
from hamlet_trio.training.plan import RunPlan, make_plan, take_lock
from hamlet_trio.training.remote_viewer import RemoteViewer
from hamlet_trio.training.run_review import RunReview
from hamlet_trio.training.run_sharing import RunSharing
from hamlet_trio.training.run_status import RunStatus, TrainingStatistics
from hamlet_trio.training.run_supervisor import RunSupervisor
from hamlet_trio.training.showcase import Showcase
from hamlet_trio.training.store import RunStore
from hamlet_trio.training.sweep.served_sweep import ServedSweep
from hamlet_trio.training.trainer_process import COMMAND
from hamlet_trio.training.transitions import Phase, after_command

if TYPE_CHECKING:
    from hamlet_trio.shared import SharedRun

_MAX_INPUTS: Final = 64


class TrainingService:
    """One run at a time, in a process of its own.

    One task, `run`, owns the state: it takes what viewers command and what the trainer tells in the order in
    which they came. Nobody ever waits for a viewer, but for its commands, which wait while `_MAX_INPUTS`
    are before them.

    The lock of the data folder is held from the start of each run to its end, by the server and by its
    trainer: while the trainer of a killed server still saves, no other server can start one.

    With a `shared` run, the run is that of all instances: viewers here see and order the one that another
    instance trains, and this one goes on with it when that one is gone.
    """

    def __init__(
        self,
        settings: Settings,
        models: ModelFolder,
        history: HistoryWriter,
        *,
        command: Sequence[str] = COMMAND,
        shared: "SharedRun | None" = None,
    ) -> None:
        self._settings = settings
        self._models = models
        self._history = history
        self._command = command
        self._store = RunStore(Path(settings.data_dir))
        self._log = get_logger(service="training")
        self._hub = Hub(
            max_events=settings.viewer_event_queue,
            max_frames=settings.viewer_frame_queue,
            on_watched=self._on_watched,
            relay=shared,
        )
        self._status = RunStatus(self._hub, self._log)
        self._showcase = Showcase(self._hub, self._log)
        self._sweep = ServedSweep(
            settings, models, history=history, hub=self._hub, log=self._log, command=command
        )
        followed = FollowedHistory(history, history_path(settings), self._log)
        self._sharing: Final = (
            None
            if shared is None
            else RunSharing(shared, self._status, self._sweep, self._hub, history=followed, log=self._log)
        )
        self._past = RunReview(settings, history, self._store, models, self._log)
        self._supervisor: RunSupervisor | None = None
        self._run_scope = trio.CancelScope()
        self._lock = self._store.server_lock()
        self._admitted = 0
        self._inputs = Inputs(*trio.open_memory_channel[Input](_MAX_INPUTS))
        self._watch = LockWatch(self._store, self._inputs)
        self._is_ready = False
        self._problem: str | None = None

    # --- what others see -------------------------------------------------------------------------------

    @property
    def viewers(self) -> int:
        """The number of viewers."""
        return len(self._hub)

    @property
    def is_training(self) -> bool:
        """Whether a run is on, in whatever state, or a sweep."""
        return self._status.is_training or self._sweep.is_shown

    def status(self) -> TrainingStatus:
        """Return the run's state; between runs, that of the last one."""
        return self._status.status()

    @property
    def sharing(self) -> RunSharing | None:
        """This instance's part in the run of all instances, where they share one."""
        return self._sharing

    @property
    def problem(self) -> str | None:
        """Why no run can be started at the moment, as a sentence; None if one can."""
        return self._problem

    def statistics(self) -> TrainingStatistics:
        """Return the counters for the metrics."""
        return self._status.statistics()

    # --- viewers ---------------------------------------------------------------------------------------

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Hold a place for a viewer within the context; raises `ServerFullError` if none is free."""
        if self._admitted >= self._settings.max_viewers:
            raise ServerFullError("training viewers", self._settings.max_viewers, "HAMLET_MAX_VIEWERS")
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    @contextmanager
    def joined(self, session_id: str) -> Iterator[Viewer]:
        """Add a viewer, who is told the status first, and then of the run that is on, or was on last.

        While the service starts, the status waits until it is known which runs can be resumed.
        """
        with self._hub.joined(session_id) as viewer:
            if self._is_ready:
                viewer.tell(self.status())
            for message in (*self._status.history(), *self._sweep.statuses()):
                viewer.tell(message)
            yield viewer

    async def submit(self, viewer: Viewer, command: TrainingCommand | BadMessageError) -> None:
        """Have a viewer's command carried out, or its flaw answered, after those that came before it.

        A start waits up to `shutdown_grace` seconds for the trainer of a killed server to save its run.
        """
        sharing = self._sharing
        if sharing is not None and (sharing.follows or sharing.follows_sweep):
            if await sharing.pass_on(viewer, command):
                return
        elif isinstance(command, StartTraining | StartSweep):
            with trio.move_on_after(self._settings.shutdown_grace):
                await self._watch.is_free.wait()
        await self._inputs.sender.send(ViewerCommand(viewer, command))

    def _on_watched(self, watched: bool) -> None:
        self._showcase.set_watched(watched)
        if self._supervisor is not None:
            self._supervisor.set_watched(watched)

    # --- the service's life ----------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; a run that is on then gets `shutdown_grace` to save and end.

        A shared one is left to the other instances then.

        Error handling: an unexpected error in a run is logged and fails that run alone.
        """
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._watch.is_on = False
            if self._sharing is not None:
                await self._sharing.open(nursery, self._inputs)
            is_told = await self._review()
            nursery.start_soon(self._showcase.run)
            self._is_ready = True
            if not is_told:
                self._hub.broadcast(self.status())
            task_status.started()
            try:
                while True:
                    received = await self._inputs.receiver.receive()
                    await self._on_input(received)
                    if self._supervisor is not None:
                        await self._supervise(self._supervisor)
                    if self._sweep.is_on:
                        await self._sweep.run(self._inputs, self._on_input)
                        if self._sharing is not None:
                            await self._sharing.end()
            finally:
                self._supervisor = None
                self._lock.release()
                if self._sharing is not None:
                    await self._sharing.close()
                if self._status.is_training:
                    self._status.change(Phase("idle"))

    async def _review(self) -> bool:
        """Review the runs of other processes; return whether everyone was told of a change.

        Which can be resumed, and which have ended without telling. While another process holds the lock, none
        can be resumed, and the lock is watched. Nothing that is found there ends the service: `problem` tells
        what is wrong.
        """
        followed = [] if self._sharing is None else self._sharing.followed
        found = await self._past.review(but=followed, is_locked=self._watch.is_on)
        if found.problem != self._problem:
            self._problem = found.problem
            if found.problem is not None:
                self._log.error("training_unavailable", reason=found.problem)
        if found.is_locked and not self._watch.is_on:
            self._watch.start(self._nursery)
        if not self._watch.is_on:
            self._watch.is_free.set()
        return self._status.note_resumable(found.resumable)

    async def _supervise(self, supervisor: RunSupervisor) -> None:
        try:
            with trio.CancelScope() as self._run_scope:
                await supervisor.run()
        except Exception:
            self._log.exception("supervisor_failed", run_id=supervisor.run_id)
            self._status.change(Phase("failed"), "The server failed to supervise the run; its log tells why.")
        finally:
            self._supervisor = None
        if self._sharing is not None:
            await self._sharing.end()

    async def _on_input(self, received: Input) -> None:
        match received:
            case LockReleased():
                self._watch.end(received)
                if not self.is_training:
                    await self._review()
            case ViewerCommand(viewer, command):
                await self._answer(viewer, command)
            case TrainerMessages() | TrainerSilent():
                pass  # left by a trainer whose run is over
            case RunLost():
                self._run_scope.cancel()
                self._sweep.stop()
            case SharedNews() | SharedBeat():
                assert self._sharing is not None, "they come from nowhere else"
                is_free = self._supervisor is None and not self._sweep.is_on
                for sender, order in await self._sharing.on_input(received, is_free=is_free):
                    await self._answer(sender, order)
                    self._nursery.start_soon(sender.send)
                if self._sharing.follows:
                    self._showcase.clear()  # of this instance's own last run
                if self._sharing.is_alone and is_free:
                    await self._take_over(self._sharing)

    async def _answer(
        self, viewer: Viewer | RemoteViewer, command: TrainingCommand | BadMessageError
    ) -> None:
        try:
            if isinstance(command, BadMessageError):
                raise command
            await self._execute(viewer, command)
        except BadMessageError as error:
            self._status.count_error(error.code)
            viewer.tell(error.as_message())
            if error.code is ErrorCode.ALREADY_TRAINING:
                viewer.tell(self.status())
        except Exception:
            # Whatever one command ran into, such as a data folder that went away, concerns its sender alone.
            self._log.exception("command_failed", session_id=viewer.session_id)
            self._status.count_error(ErrorCode.INTERNAL_ERROR)
            sentence = "The server failed to carry out the command; its log tells why."
            viewer.tell(Error(sentence, code=ErrorCode.INTERNAL_ERROR.value))

    async def _execute(self, viewer: Viewer | RemoteViewer, command: TrainingCommand) -> None:
        if isinstance(command, SetTrainingView):
            assert isinstance(viewer, Viewer), "the others keep their own viewers' forms"
            self._hub.show(viewer, viewer.frames if command.frames is UNSET else command.frames)
            return
        if self._sweep.is_shown:
            for message in self._sweep.obey(command, self.status()):
                viewer.tell(message)
            return
        phase = after_command(self._status.phase, command)
        if isinstance(command, StartSweep):
            await self._review()
            await self._sweep.open(
                command, self._problem, self._lock, take=self._take_lock, give=self._give_lock
            )
            if self._sharing is not None:
                self._sharing.begin()
            self._watch.is_free.set()
            return
        if isinstance(command, StartTraining):
            assert isinstance(viewer, Viewer), "every instance starts runs itself"
            await self._start(viewer, command)
        elif not isinstance(command, SetShow) and (
            isinstance(command, Status) or phase == self._status.phase
        ):
            # A run of the command line may have ended since.
            if self.is_training or not await self._review():
                viewer.tell(self.status())
        else:
            assert self._supervisor is not None, "a run that is on has its supervisor"
            self._supervisor.obey(command)
            self._status.change(phase)

    async def _start(self, viewer: Viewer, command: StartTraining) -> None:
        await self._review()  # a run of the command line may have been killed since
        if self._problem is not None:
            raise BadMessageError(
                ErrorCode.TRAINING_UNAVAILABLE, self._problem, command=str(command.__struct_config__.tag)
            )
        plan = await trio.to_thread.run_sync(
            make_plan, command.parameters(), self._store, self._models, command.model
        )
        await self._take_lock()
        self._begin_run(plan, viewer)

    async def _take_lock(self, command: str = "start_training") -> None:
        """Take the lease of all instances and the lock of the folder; raises `BadMessageError`."""
        if self._sharing is not None:
            await self._sharing.take_lease(command)
        try:
            await trio.to_thread.run_sync(take_lock, self._lock, command)
        except BadMessageError:
            await self._give_lock()
            raise

    async def _give_lock(self) -> None:
        self._lock.release()
        if self._sharing is not None:
            await self._sharing.give_lease()

    async def _take_over(self, sharing: RunSharing) -> None:
        """Go on with the run of an instance that is gone, or tell how it ended, if that can be done here."""
        found = await sharing.plan_takeover(self._store)
        try:
            if found is not None:
                await self._take_lock()
        except BadMessageError:
            found = None
        if found is None:
            if sharing.cannot_take_over():
                await self._review()
        elif isinstance(found, RunPlan):
            sharing.takeovers += 1
            self._begin_run(found, None)
        else:
            self._lock.release()
            await sharing.conclude(found)
            await self._review()

    def _begin_run(self, plan: RunPlan, starter: Viewer | None) -> None:
        self._watch.is_free.set()
        if self._sharing is not None:
            self._sharing.begin()
        self._supervisor = RunSupervisor(
            plan,
            status=self._status,
            hub=self._hub,
            showcase=self._showcase,
            history=self._history,
            store=self._store,
            settings=self._settings,
            lock=self._lock,
            starter=starter,
            inputs=self._inputs,
            on_input=self._on_input,
            log=self._log,
            command=self._command,
        )
