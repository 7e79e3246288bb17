"""Hold the app's state: one object that owns the services and knows the server's condition."""

import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import trio

from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.history import HistoryReader, HistoryWriter, history_path
from hamlet_trio.inference import InferenceService
from hamlet_trio.inference.session_keeper import SNAPSHOT_FORM
from hamlet_trio.protocol.errors import CloseCode
from hamlet_trio.room import ReplicatedRooms, RoomService
from hamlet_trio.settings import Settings, SettingsError
from hamlet_trio.training import TrainingService
from hamlet_trio.web.access.access_control import AccessControl
from hamlet_trio.web.access.limits import ClientPlaces, ClientRate
from hamlet_trio.web.film_service import FilmService
from hamlet_trio.web.guard import ConnectionCounts
from hamlet_trio.web.origins import Origins

if TYPE_CHECKING:
    from hamlet_trio.shared import RedisLog, RedisShelf, RedisStore, SharedRun

_FILE_THREADS: Final = 4

Value = TypeVar("Value")


class Metaserver:
    """Represent one server: its settings, its services, and whether it is draining.

    Attributes:
        history, history_reader: write and read what is kept of runs.
        store, shelf, shared_run: keep sessions, and the run of all instances, in Redis; None without
            HAMLET_REDIS_URL.
        films: makes films of recordings.
        draining: set once, when the server begins to shut down; sessions watch it.
        connections: counts of connections, kept by the guard.
        errors: counts of problem documents by code, refused handshakes included.
        closes: counts of WebSockets closed by the server, by close code.
        access: decides who may do what.
        handshakes: limits each client's rate of handshakes.
        sessions, viewers, room_members: limit each client's open connections.
        rooms: lets people point, draw, vote and follow.

    Raises `SettingsError` if logins are required but impossible, or the extra `redis` is missing.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings: Final = settings
        self.models: Final = ModelFolder.of(models_dir=settings.models_dir, data_dir=settings.data_dir)
        self.inference: Final = InferenceService(settings, self.models)
        self.store: RedisStore | None
        self.shelf: RedisShelf | None
        self.shared_run: SharedRun | None
        self.store, self.shelf, self.shared_run, log = _open_store(settings)
        self.inference.keeper.shelf = self.shelf
        self.history: Final = HistoryWriter(settings)
        self.history_reader: Final = HistoryReader(history_path(settings))
        self.training: Final = TrainingService(settings, self.models, self.history, shared=self.shared_run)
        sessions = self.inference.shared
        self.rooms: Final = (
            RoomService(settings, sessions) if log is None else ReplicatedRooms(settings, sessions, log)
        )
        self.films: Final = FilmService(settings)
        self.origins: Final = Origins(settings.allowed_origins)
        self.access: Final = AccessControl(settings)
        self.handshakes: Final = ClientRate(settings.handshake_rate, settings.handshake_burst)
        self.sessions: Final = ClientPlaces(
            "sessions", settings.max_sessions_per_client, "HAMLET_MAX_SESSIONS_PER_CLIENT"
        )
        self.viewers: Final = ClientPlaces(
            "training viewers", settings.max_viewers_per_client, "HAMLET_MAX_VIEWERS_PER_CLIENT"
        )
        self.room_members: Final = ClientPlaces(
            "places in rooms", settings.max_room_members, "HAMLET_MAX_ROOM_MEMBERS"
        )
        self.draining: Final = trio.Event()
        self.connections: Final = ConnectionCounts()
        self.errors: Final[Counter[str]] = Counter()
        self.closes: Final[Counter[CloseCode]] = Counter()
        self._started_at = time.monotonic()
        self._file_threads = trio.CapacityLimiter(_FILE_THREADS)

    @property
    def is_ready(self) -> bool:
        """Return whether sessions can play: inference is loaded and the server is not draining."""
        return self.inference.ready.is_set() and not self.draining.is_set()

    @property
    def degraded(self) -> list[str]:
        """Return the names of services that fail while others work."""
        problems = {
            "inference": self.inference.problem,
            "training": self.training.problem,
            "history": self.history.problem,
            "logins": self.access.problem,
            "redis": None if self.store is None else self.store.problem,
        }
        return [name for name, problem in problems.items() if problem]

    @property
    def uptime(self) -> float:
        """Return the seconds since the server was created."""
        return time.monotonic() - self._started_at

    async def read_files(self, function: Callable[..., Value], *arguments: Any) -> Value:
        """Call a function that reads or writes files in a thread, so that a slow disk delays no session.

        On cancellation the thread is abandoned, and finishes what it began. So the function must write
        atomically, and nothing may depend on its end.
        """
        return await trio.to_thread.run_sync(
            function, *arguments, limiter=self._file_threads, abandon_on_cancel=True
        )


def _open_store(
    settings: Settings,
) -> "tuple[RedisStore, RedisShelf, SharedRun, RedisLog] | tuple[None, None, None, None]":
    """Return what keeps sessions, the run and rooms in Redis.

    Nothing of it is imported without HAMLET_REDIS_URL.
    """
    if not settings.redis_url:
        return None, None, None, None
    try:
        from hamlet_trio.shared import RedisLog, RedisShelf, RedisStore, SharedRun  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"HAMLET_REDIS_URL needs the extra redis ({error}): pip install 'hamlet-trio[redis]'."
        ) from error
    store = RedisStore(settings.redis_url)
    shelf = RedisShelf(
        store,
        prefix=settings.redis_prefix,
        seconds=settings.session_kept,
        capacity=settings.max_sessions,
        form=SNAPSHOT_FORM,
    )
    run = SharedRun(
        store,
        settings.redis_url,
        prefix=settings.redis_prefix,
        port=settings.port,
        lease=settings.run_lease,
    )
    return store, shelf, run, RedisLog(store, settings.redis_url, settings.redis_prefix)
