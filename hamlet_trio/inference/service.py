"""The inference service, one for each app: the policy engine, the policies and the session limit."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import trio

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.common.backoff import Backoff
from hamlet_trio.connection import ServerFullError, SharedSessions
from hamlet_trio.inference.admission import Admission
from hamlet_trio.inference.class_board import ClassBoard
from hamlet_trio.inference.fair_share import FairShare
from hamlet_trio.inference.session_keeper import SessionKeeper
from hamlet_trio.inference.statistics import EngineCounters, InferenceStatistics, SessionCounters
from hamlet_trio.inference.timers import Timers
from hamlet_trio.logs import get_logger
from hamlet_trio.settings import Settings

if TYPE_CHECKING:
    from hamlet_trio.inference.engine import PolicyEngine
    from hamlet_trio.inference.policies import PolicyStore
    from hamlet_trio.inference.recording_worker import RecordingWorker
    from hamlet_trio.world.library import WorldLibrary

_SWITCH_INTERVAL: Final = 0.0005


class _Parts(NamedTuple):
    """The parts that need torch and numpy."""

    engine: "PolicyEngine"
    policies: "PolicyStore"
    recordings: "RecordingWorker"
    worlds: "WorldLibrary"


class InferenceService:
    """Hold what all sessions share. `run` must be running; until `ready` is set, sessions wait.

    Creating one is quick: `run` imports torch and numpy, in a thread.
    """

    def __init__(self, settings: Settings, models: ModelFolder) -> None:
        self.ready = trio.Event()
        self.counters = SessionCounters()
        self.work = FairShare()
        self.shared = SharedSessions()
        self.admission = Admission(settings.max_load, self.work, self._batch_seconds)
        self.timers = Timers(self._observe_lag)
        self.capacity = settings.max_sessions
        self.keeper = SessionKeeper(grace=settings.session_grace, capacity=settings.max_sessions)
        self.class_board = ClassBoard()
        self.active_sessions = 0
        self._settings = settings
        self._models = models
        self._parts: _Parts | None = None
        self._restarts = 0

    @property
    def engine(self) -> "PolicyEngine":
        """The policy engine, once the service is ready."""
        assert self._parts is not None, "wait for `ready` first"
        return self._parts.engine

    @property
    def policies(self) -> "PolicyStore":
        """The policies, once the service is ready."""
        assert self._parts is not None, "wait for `ready` first"
        return self._parts.policies

    @property
    def worlds(self) -> "WorldLibrary":
        """The worlds by name, once the service is ready."""
        assert self._parts is not None, "wait for `ready` first"
        return self._parts.worlds

    @property
    def recordings(self) -> "RecordingWorker":
        """The recordings, once the service is ready."""
        assert self._parts is not None, "wait for `ready` first"
        return self._parts.recordings

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Reserve a place for one session, which takes its world when it begins.

        Raises `ServerFullError` when all `capacity` places are taken, and `OverloadedError` when those who
        play leave no room for another one.
        """
        if self.active_sessions >= self.capacity:
            raise ServerFullError("sessions", self.capacity, "HAMLET_MAX_SESSIONS")
        self.admission.check(self.active_sessions, self.keeper.left)
        self.active_sessions += 1
        try:
            yield
        finally:
            self.active_sessions -= 1

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. If the engine fails, the error is logged and the engine is restarted.

        Sessions that were waiting for the engine end with an error; all others go on.
        """
        task_status.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.timers.run)
            nursery.start_soon(self.work.run)
            await self._run_engine()

    async def _run_engine(self) -> None:
        backoff = Backoff(first=0.1, longest=10.0, healthy_after=10.0)
        while True:
            try:
                if self._parts is None:
                    self._parts = await self._prepare()
                    self.ready.set()
                await self.engine.run()
            except Exception:
                self._restarts += 1
                get_logger().exception("inference_failed", restarts=self._restarts)
            await backoff.wait()

    @property
    def problem(self) -> str | None:
        """What is wrong while sessions play: they take all the time there is, and no more are admitted."""
        return "overloaded" if self.admission.is_overloaded else None

    def _observe_lag(self, lag: float) -> None:
        self.work.observe_lag(lag)
        self.admission.observe(lag)

    def _batch_seconds(self) -> float:
        return 0.0 if self._parts is None else self.engine.processor_seconds

    def statistics(self) -> InferenceStatistics:
        """Return a snapshot for the metrics."""
        counters = EngineCounters() if self._parts is None else self.engine.counters
        return InferenceStatistics(
            ready=self.ready.is_set(),
            active_sessions=self.active_sessions,
            capacity=self.capacity,
            loaded_policies=0 if self._parts is None else self.policies.loaded,
            engine_restarts=self._restarts,
            deferred=self.work.deferred,
            load=self.admission.load,
            lateness=self.admission.lateness,
            refused=self.admission.refused,
            playouts_waiting=0 if self._parts is None else self.recordings.waiting,
            **msgspec.structs.asdict(counters),
            **msgspec.structs.asdict(self.counters),
        )

    async def _prepare(self) -> _Parts:
        began = time.perf_counter()
        parts = await trio.to_thread.run_sync(
            _build,
            self._settings,
            self._models,
            abandon_on_cancel=True,  # importing torch takes long
        )
        get_logger().info("inference_ready", seconds=round(time.perf_counter() - began, 2))
        return parts


def _build(settings: Settings, models: ModelFolder) -> _Parts:
    """Import and build the parts; in a thread, since importing torch takes a second or two."""
    import torch  # noqa: PLC0415

    from hamlet_trio.inference import session_controller  # noqa: F401, PLC0415 (no session waits for an import)
    from hamlet_trio.inference.engine import PolicyEngine  # noqa: PLC0415
    from hamlet_trio.inference.policies import PolicyStore  # noqa: PLC0415
    from hamlet_trio.inference.recording_worker import RecordingWorker  # noqa: PLC0415
    from hamlet_trio.recording.folder import RecordingFolder  # noqa: PLC0415
    from hamlet_trio.world.library import WorldLibrary, worlds_path  # noqa: PLC0415

    # Batches are small: a second thread would cost more than it brings, and the other cores are for the
    # trainer and the event loop.
    torch.set_num_threads(1)
    # Each operation of torch releases the GIL, and a busy event loop would keep it for a whole interval
    # before the worker thread gets it back: at the default 5 ms a batch of ten operations could take 50 ms.
    sys.setswitchinterval(_SWITCH_INTERVAL)
    engine = PolicyEngine(settings.max_sessions)
    return _Parts(
        engine,
        PolicyStore(models, keeps_content=bool(settings.redis_url)),
        RecordingWorker(RecordingFolder.of(settings)),
        WorldLibrary(worlds_path(settings.data_dir)),
    )
