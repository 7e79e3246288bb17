"""The supervisor of training: one run at a time, commanded by viewers and told to all of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

import trio
from msgspec import Struct

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.connection import ServerFullError
from hamlet_trio.history import HistoryError, HistoryWriter, history_path
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.commands import Pause, Resume, StartTraining, Stop, TrainingCommand
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.messages import Error, TrainingStatus
from hamlet_trio.settings import Settings
from hamlet_trio.training.abandoned_runs import abandoned_runs
from hamlet_trio.training.hub import Hub, HubStatistics, Viewer
from hamlet_trio.training.plan import make_plan, take_lock
from hamlet_trio.training.run_metrics import RunMetrics
from hamlet_trio.training.run_status import RunStatus
from hamlet_trio.training.run_supervisor import RunSupervisor
from hamlet_trio.training.store import RunStore
from hamlet_trio.training.trainer_process import COMMAND
from hamlet_trio.training.transitions import Transition, judge

_MAILBOX: Final = 64
_Mail: TypeAlias = tuple[Viewer, TrainingCommand | BadMessageError]


class TrainingStatistics(Struct, frozen=True):
    """Counters since the start of the server, for the metrics; `steps_per_second` is the run's own speed."""

    runs: int
    restarts: int
    episodes: int
    steps: int
    steps_per_second: float
    errors: Counter[str]
    hub: HubStatistics


class TrainingService:
    """One run at a time, in a process of its own.

    Two tasks share the state, each changing it only between two checkpoints: one takes the commands of
    viewers in the order they came, one lives through the runs. Neither a run nor a viewer ever waits for
    another viewer, but for a viewer's commands, which wait while `_MAILBOX` of all viewers' are before them.

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
        hub = Hub(
            max_events=settings.viewer_event_queue,
            max_frames=settings.viewer_frame_queue,
            on_watched=self._on_watched,
        )
        self._board = RunStatus(hub, self._log)
        self._chronicle = RunMetrics()
        self._conductor: RunSupervisor | None = None
        self._lock = self._store.server_lock()
        self._admitted = 0
        self._runs = 0
        self._post, self._mail = trio.open_memory_channel[_Mail](_MAILBOX)

    # --- what others see -------------------------------------------------------------------------------

    @property
    def viewers(self) -> int:
        """The number of viewers."""
        return len(self._board.hub)

    @property
    def is_training(self) -> bool:
        """Whether a run is on, in whatever state."""
        return self._board.is_training

    def status(self) -> TrainingStatus:
        """The run's state; between runs, of the last one."""
        return self._board.status()

    def statistics(self) -> TrainingStatistics:
        """Counters for the metrics."""
        return TrainingStatistics(
            runs=self._runs,
            restarts=self._chronicle.restarts,
            episodes=self._chronicle.episodes,
            steps=self._chronicle.steps,
            steps_per_second=self._chronicle.steps_per_second if self._board.state == "running" else 0.0,
            errors=self._chronicle.errors,
            hub=self._board.hub.statistics(),
        )

    # --- viewers ---------------------------------------------------------------------------------------

    @contextmanager
    def admit(self) -> Iterator[None]:
        """A viewer's slot for as long as the context lasts; raises `ServerFullError` when none is free."""
        if self._admitted >= self._settings.max_viewers:
            raise ServerFullError("training viewers", self._settings.max_viewers, "HAMLET_MAX_VIEWERS")
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    @contextmanager
    def joined(self, session_id: str) -> Iterator[Viewer]:
        """A viewer, who is told the status at once, and the run's episodes so far while one is on."""
        with self._board.hub.joined(session_id) as viewer:
            viewer.tell(self.status())
            if self._board.run and self.is_training:
                viewer.tell(self._board.run.history.message())
            yield viewer

    async def submit(self, viewer: Viewer, command: TrainingCommand | BadMessageError) -> None:
        """Have a viewer's command carried out, or its flaw answered, after those that came before it."""
        await self._post.send((viewer, command))

    def _on_watched(self, watched: bool) -> None:
        if self._conductor is not None:
            self._conductor.set_watched(watched)

    # --- the service's life ----------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; a run that is on then gets `shutdown_grace` to save and end.

        Error handling: an unexpected error in a run is logged and fails that run alone.
        """
        self._board.resumable = await trio.to_thread.run_sync(self._store.resumable)
        await self._end_abandoned_runs()
        runs_in, runs = trio.open_memory_channel[RunSupervisor](1)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._take_commands, runs_in)
                task_status.started()
                async for conductor in runs:
                    await self._live_through(conductor)
        finally:
            self._conductor = None
            self._lock.release()
            if self.is_training:
                self._board.enter("idle")

    async def _end_abandoned_runs(self) -> None:
        """Have the history say "interrupted" of runs whose process was killed before it could.

        Not while it is in trouble: the true ends of runs may wait to be written.
        """
        if self._history.trouble is not None:
            return
        try:
            past = history_path(self._settings)
            ended = await trio.to_thread.run_sync(abandoned_runs, past, self._store)
        except HistoryError as error:
            self._log.warning("the history cannot be read", reason=str(error))
            return
        if ended:
            await self._history.keep(*ended)

    async def _live_through(self, conductor: RunSupervisor) -> None:
        self._runs += 1
        try:
            await conductor.live()
        except Exception:
            self._log.exception("the supervisor of a run failed", run_id=conductor.run_id)
            self._board.enter("failed", "The server failed to supervise the run; its log tells why.")
        finally:
            self._conductor = None

    async def _take_commands(self, runs: trio.MemorySendChannel[RunSupervisor]) -> None:
        async for viewer, command in self._mail:
            try:
                if isinstance(command, BadMessageError):
                    raise command
                await self._execute(viewer, command, runs)
            except BadMessageError as error:
                self._chronicle.errors[error.code] += 1
                viewer.tell(
                    Error(error.message, code=error.code.value, command=error.command, field=error.field)
                )
                if error.code is ErrorCode.ALREADY_TRAINING:
                    viewer.tell(self.status())
            except Exception:
                # Whatever one command ran into, such as a data folder that went away, is its sender's alone.
                self._log.exception("a command failed", session_id=viewer.session_id)
                self._chronicle.errors[ErrorCode.INTERNAL_ERROR] += 1
                sentence = "The server failed to carry out the command; its log tells why."
                viewer.tell(Error(sentence, code=ErrorCode.INTERNAL_ERROR.value))

    async def _execute(
        self, viewer: Viewer, command: TrainingCommand, runs: trio.MemorySendChannel[RunSupervisor]
    ) -> None:
        run = self._board.run
        wants_paused = run is not None and run.wants_paused
        if judge(self._board.state, wants_paused, command) is Transition.UNCHANGED:
            if not self.is_training:  # a run of the command line, or of a killed server, may have ended since
                self._board.resumable = await trio.to_thread.run_sync(self._store.resumable)
            viewer.tell(self.status())
            return
        match command:
            case StartTraining():
                runs.send_nowait(await self._start(viewer, command))
            case Pause() | Resume() | Stop():
                assert self._conductor is not None, "a run that is on has its conductor"
                self._conductor.obey(command)

    async def _start(self, viewer: Viewer, command: StartTraining) -> RunSupervisor:
        plan = await trio.to_thread.run_sync(make_plan, command.parameters(), self._store, self._models)
        await self._end_abandoned_runs()  # one of the command line may have been killed since
        await trio.to_thread.run_sync(take_lock, self._lock)
        conductor = self._conductor = RunSupervisor(
            plan,
            board=self._board,
            chronicle=self._chronicle,
            history=self._history,
            store=self._store,
            settings=self._settings,
            lock=self._lock,
            starter=viewer,
            command=self._command,
        )
        self._board.enter("starting")
        return conductor
