"""The service of training: one run at a time, commanded by viewers and told to all of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trio

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.connection import ServerFullError
from hamlet_trio.history import HistoryError, HistoryWriter, history_path
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.commands import StartTraining, Status, TrainingCommand
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.messages import Error, TrainingStatus
from hamlet_trio.settings import Settings
from hamlet_trio.training.abandoned_runs import abandoned_runs
from hamlet_trio.training.hub import Hub, Viewer
from hamlet_trio.training.plan import make_plan, take_lock
from hamlet_trio.training.run_status import RunStatus, TrainingStatistics
from hamlet_trio.training.run_supervisor import Input, Inputs, RunSupervisor, ViewerCommand
from hamlet_trio.training.store import RunStore
from hamlet_trio.training.trainer_process import COMMAND
from hamlet_trio.training.transitions import Phase, after_command

_MAX_INPUTS: Final = 64


class TrainingService:
    """One run at a time, in a process of its own.

    One task, `run`, owns the state: it takes what viewers command and what the trainer tells in the order in
    which they came. Nobody ever waits for a viewer, but for its commands, which wait while `_MAX_INPUTS`
    are before them.

    The lock of the data folder is held from the start of each run to its end, by the server and by its
    trainer: while the trainer of a killed server still saves, no other server can start one.
    """

    def __init__(
        self,
        settings: Settings,
        models: ModelFolder,
        history: HistoryWriter,
        *,
        command: Sequence[str] = COMMAND,
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
        )
        self._status = RunStatus(self._hub, self._log)
        self._supervisor: RunSupervisor | None = None
        self._lock = self._store.server_lock()
        self._admitted = 0
        self._inputs = Inputs(*trio.open_memory_channel[Input](_MAX_INPUTS))

    # --- what others see -------------------------------------------------------------------------------

    @property
    def viewers(self) -> int:
        """The number of viewers."""
        return len(self._hub)

    @property
    def is_training(self) -> bool:
        """Whether a run is on, in whatever state."""
        return self._status.is_training

    def status(self) -> TrainingStatus:
        """Return the run's state; between runs, that of the last one."""
        return self._status.status()

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
        """Add a viewer, who is told the status at once, and the run's episodes so far while one is on."""
        with self._hub.joined(session_id) as viewer:
            viewer.tell(self.status())
            if self.is_training:
                viewer.tell(self._status.charts())
            yield viewer

    async def submit(self, viewer: Viewer, command: TrainingCommand | BadMessageError) -> None:
        """Have a viewer's command carried out, or its flaw answered, after those that came before it."""
        await self._inputs.sender.send(ViewerCommand(viewer, command))

    def _on_watched(self, watched: bool) -> None:
        if self._supervisor is not None:
            self._supervisor.set_watched(watched)

    # --- the service's life ----------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; a run that is on then gets `shutdown_grace` to save and end.

        Error handling: an unexpected error in a run is logged and fails that run alone.
        """
        await self._look_for_resumable()
        await self._end_abandoned_runs()
        try:
            task_status.started()
            while True:
                received = await self._inputs.receiver.receive()
                assert isinstance(received, ViewerCommand), "without a run there is no trainer"
                await self._answer(received)
                if self._supervisor is not None:
                    await self._supervise(self._supervisor)
        finally:
            self._supervisor = None
            self._lock.release()
            if self.is_training:
                self._status.change(Phase("idle"))

    async def _look_for_resumable(self) -> None:
        self._status.note_resumable(await trio.to_thread.run_sync(self._store.resumable))

    async def _end_abandoned_runs(self) -> None:
        """Have the history say "interrupted" of runs whose process was killed before it could.

        Not while the history is in trouble: the true ends of runs may wait to be written.
        """
        if self._history.problem is not None:
            return
        try:
            path = history_path(self._settings)
            ended = await trio.to_thread.run_sync(abandoned_runs, path, self._store)
        except HistoryError as error:
            self._log.warning("history_unreadable", reason=str(error))
            return
        if ended:
            await self._history.write(*ended)

    async def _supervise(self, supervisor: RunSupervisor) -> None:
        try:
            await supervisor.run()
        except Exception:
            self._log.exception("supervisor_failed", run_id=supervisor.run_id)
            self._status.change(Phase("failed"), "The server failed to supervise the run; its log tells why.")
        finally:
            self._supervisor = None

    async def _answer(self, received: ViewerCommand) -> None:
        viewer, command = received
        try:
            if isinstance(command, BadMessageError):
                raise command
            await self._execute(viewer, command)
        except BadMessageError as error:
            self._status.count_error(error.code)
            viewer.tell(Error(error.message, code=error.code.value, command=error.command, field=error.field))
            if error.code is ErrorCode.ALREADY_TRAINING:
                viewer.tell(self.status())
        except Exception:
            # Whatever one command ran into, such as a data folder that went away, concerns its sender alone.
            self._log.exception("command_failed", session_id=viewer.session_id)
            self._status.count_error(ErrorCode.INTERNAL_ERROR)
            sentence = "The server failed to carry out the command; its log tells why."
            viewer.tell(Error(sentence, code=ErrorCode.INTERNAL_ERROR.value))

    async def _execute(self, viewer: Viewer, command: TrainingCommand) -> None:
        phase = after_command(self._status.phase, command)
        if isinstance(command, StartTraining):
            await self._start(viewer, command)
        elif isinstance(command, Status) or phase == self._status.phase:
            if not self.is_training:  # a run of the command line, or of a killed server, may have ended since
                await self._look_for_resumable()
            viewer.tell(self.status())
        else:
            assert self._supervisor is not None, "a run that is on has its supervisor"
            self._supervisor.obey(command)
            self._status.change(phase)

    async def _start(self, viewer: Viewer, command: StartTraining) -> None:
        plan = await trio.to_thread.run_sync(make_plan, command.parameters(), self._store, self._models)
        await self._end_abandoned_runs()  # one of the command line may have been killed since
        await trio.to_thread.run_sync(take_lock, self._lock)
        self._supervisor = RunSupervisor(
            plan,
            status=self._status,
            hub=self._hub,
            history=self._history,
            store=self._store,
            settings=self._settings,
            lock=self._lock,
            starter=viewer,
            inputs=self._inputs,
            on_command=self._answer,
            log=self._log,
            command=self._command,
        )
