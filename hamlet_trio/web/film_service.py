"""Films of recordings, each made in a process of its own at the lowest priority."""

import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
import trio
from msgspec import Meta, Struct

from hamlet_trio.common.agents import AgentId
from hamlet_trio.common.descriptions import reason_of
from hamlet_trio.common.encoding import path_to_text
from hamlet_trio.film.formats import FilmFormat
from hamlet_trio.film.worker import FilmOrder, FilmReport
from hamlet_trio.logs import get_logger
from hamlet_trio.recording.info import recordings_path
from hamlet_trio.settings import Settings
from hamlet_trio.web.access.addresses import limit_key

COMMAND: Final = (sys.executable, "-P", "-m", "hamlet_trio.film.worker")  # -P: as for the trainer process
MAX_WAITING: Final = 8
MAX_WAITING_OF_ONE: Final = 6
"""How many of them one client may have ordered, so that others find a place."""
PATIENCE: Final = 30.0
"""Seconds after which a film that nobody asks about is cancelled."""
LEAVING: Final = 3.0
"""Seconds after which a film that a client no longer wants is cancelled, unless another asks about it."""
_NEEDED: Final = ("PIL", "imageio_ffmpeg", "svg")
_END_PATIENCE: Final = 1.0  # seconds from terminating a film's process to killing it
_FAILURES_KEPT: Final = 16
_LONGEST_LINE: Final = 10_000

State = Literal["waiting", "making", "ready", "failed"]


class FilmKey(NamedTuple):
    """Which film: of which recording, in which format, how fast, and which of several agents it follows."""

    recording: str
    format: FilmFormat
    speed: float
    agent: AgentId | None = None

    @property
    def file_name(self) -> str:
        """The name of the film's file."""
        followed = "" if self.agent is None else f"-{self.agent}"
        return f"{self.recording}{followed}-x{self.speed:g}.{self.format}"


class Film(Struct, frozen=True, kw_only=True):
    """The state of one film of a recording."""

    recording: Annotated[str, Meta(description="id of the recording")]
    format: Annotated[FilmFormat, Meta(description="file format")]
    speed: Annotated[float, Meta(description="multiple of 10 steps/s")]
    state: Annotated[State, Meta(description="state of the film")]
    made: Annotated[int, Meta(description="number of frames made so far")] = 0
    of: Annotated[int, Meta(description="number of frames in all; 0 while unknown")] = 0
    size_bytes: Annotated[int | None, Meta(description="size of the finished file")] = None
    error: Annotated[str | None, Meta(description="why it failed, in one sentence")] = None
    agent: Annotated[
        AgentId | None, Meta(description="agent that it follows; null: all agents are shown alike")
    ] = None


class FilmsBusyError(Exception):
    """Too many films wait, in all or of this client."""


class FilmsUnavailableError(Exception):
    """Films need a package that is not installed; the message names it."""


class FilmsStoppedError(Exception):
    """The service is not running: the server is starting or shutting down."""


class _Job:
    """A film that waits or is being made; `client` ordered it first."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.scope = trio.CancelScope()
        self.state: State = "waiting"
        self.progress = FilmReport()
        self.keep()

    def keep(self) -> None:
        """Keep the film: a client has asked about it."""
        self.scope.deadline = trio.current_time() + PATIENCE

    def leave(self) -> None:
        """Cancel the film soon: a client no longer wants it."""
        self.scope.deadline = min(self.scope.deadline, trio.current_time() + LEAVING)


class FilmService:
    """Make films on demand, `films_at_once` at a time, and keep the last `films_kept` of them.

    Bounds: `MAX_WAITING` films wait, `MAX_WAITING_OF_ONE` of one client; more raise `FilmsBusyError`. Memory:
    one small object for each of them, and for the last 16 that failed.

    Resource handling: a film's process ends when the film is cancelled, when nobody has asked about it for
    `PATIENCE` seconds, and when the server ends or dies. Each process works in a folder of its own, which is
    removed with it, and a film is moved out of it only while it is wanted. So no partial film is left.
    """

    def __init__(self, settings: Settings) -> None:
        self._folder = Path(settings.data_dir) / "films"
        self._recordings = recordings_path(settings.data_dir)
        self._kept = settings.films_kept
        self._places = trio.CapacityLimiter(settings.films_at_once)
        self._jobs: dict[FilmKey, _Job] = {}
        self._failures: dict[FilmKey, str] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Make the films ordered until cancelled."""
        await trio.to_thread.run_sync(self._tidy)
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None
            self._jobs.clear()

    async def order(self, key: FilmKey, client: str) -> Film:
        """Have a film made for a client, unless it exists or is being made.

        Raises `FilmsBusyError` if too many wait, in all or of this client, `FilmsUnavailableError` if a
        package that films need is missing, and `FilmsStoppedError` while `run` is not running.
        """
        self._failures.pop(key, None)
        if (film := await self.state(key)) is not None:
            return film
        for needed in _NEEDED:
            if importlib.util.find_spec(needed) is None:
                raise FilmsUnavailableError(
                    f"Films need {needed}, which this server does not have; install the extra `film`."
                )
        if self._nursery is None:
            raise FilmsStoppedError
        job = self._jobs.get(key)
        if job is None or job.scope.cancel_called:
            self._check_places(limit_key(client))
            self._jobs[key] = _Job(limit_key(client))
            self._nursery.start_soon(self._make, key, self._jobs[key])
        return self._film(key, "waiting")

    def _check_places(self, client: str) -> None:
        waiting = [job.client for job in self._jobs.values() if job.state == "waiting"]
        if len(waiting) >= MAX_WAITING or waiting.count(client) >= MAX_WAITING_OF_ONE:
            raise FilmsBusyError

    async def state(self, key: FilmKey) -> Film | None:
        """Return a film's state, None if it was not ordered; asking keeps it from being cancelled."""
        job = self._jobs.get(key)
        if job is not None and not job.scope.cancel_called:
            job.keep()
            return self._film(key, job.state, made=job.progress.made, of=job.progress.of)
        if (error := self._failures.get(key)) is not None:
            return self._film(key, "failed", error=error)
        size = await trio.to_thread.run_sync(_size, self.path(key))
        return None if size is None else self._film(key, "ready", size_bytes=size)

    def leave(self, key: FilmKey) -> None:
        """Cancel a film that waits or is being made, unless another client asks about it within `LEAVING`."""
        if (job := self._jobs.get(key)) is not None:
            job.leave()

    async def drop(self, key: FilmKey) -> None:
        """Cancel a film, or remove it."""
        self._failures.pop(key, None)
        if (job := self._jobs.pop(key, None)) is not None:
            job.scope.cancel()
        await trio.to_thread.run_sync(partial(self.path(key).unlink, missing_ok=True))

    def path(self, key: FilmKey) -> Path:
        """Return the file of a film, which exists once it is ready."""
        return self._folder / key.file_name

    async def _make(self, key: FilmKey, job: _Job) -> None:
        try:
            with job.scope:
                async with self._places:
                    job.state = "making"
                    error = await self._film_in_folder(key, job)
                    if error is not None:
                        self._keep_failure(key, error)
                    await trio.to_thread.run_sync(self._prune)
        finally:
            # Unless it was dropped and ordered again meanwhile.
            if self._jobs.get(key) is job:
                del self._jobs[key]

    async def _film_in_folder(self, key: FilmKey, job: _Job) -> str | None:
        """Make the film in a folder of its own; return why it failed, if it did."""
        folder = self._folder / f".{secrets.token_hex(4)}.tmp"
        error: str | None = None
        try:
            await trio.to_thread.run_sync(partial(folder.mkdir, parents=True))
            error = await self._film_in_process(key, job, folder)
            # If it was dropped while its process was ending, it must not come back.
            if error is None and not job.scope.cancel_called:
                os.replace(folder / key.file_name, self.path(key))
        except* OSError as problems:  # a group: the nursery's, if the process cannot start
            error = f"The film could not be begun or kept: {reason_of(problems)}."
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # not in a thread: everything may be cancelled
        return error

    async def _film_in_process(self, key: FilmKey, job: _Job, folder: Path) -> str | None:
        order = FilmOrder(
            recording=path_to_text(str(self._recordings / f"{key.recording}.rec")),
            out=path_to_text(str(folder / key.file_name)),
            kind=key.format,
            speed=key.speed,
            agent=key.agent,
        )
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(
                partial(
                    trio.run_process,
                    [*COMMAND, msgspec.json.encode(order).decode()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    check=False,
                    deliver_cancel=_end,
                    env=os.environ | {"TMPDIR": str(folder)},
                )
            )
            assert process.stdout is not None
            await _follow(process.stdout, job)
        if process.returncode == 0:
            return None
        reason = job.progress.error or f"Its process ended with code {process.returncode}."
        get_logger(service="films").warning("film_failed", film=key.file_name, reason=reason)
        return reason

    def _keep_failure(self, key: FilmKey, error: str) -> None:
        self._failures[key] = error
        if len(self._failures) > _FAILURES_KEPT:
            del self._failures[next(iter(self._failures))]

    def _film(
        self,
        key: FilmKey,
        state: State,
        *,
        made: int = 0,
        of: int = 0,
        size_bytes: int | None = None,
        error: str | None = None,
    ) -> Film:
        return Film(
            recording=key.recording,
            format=key.format,
            speed=key.speed,
            state=state,
            made=made,
            of=of,
            size_bytes=size_bytes,
            error=error,
            agent=key.agent,
        )

    def _tidy(self) -> None:
        """Remove what a killed server left behind."""
        for folder in self._folder.glob(".*.tmp"):
            shutil.rmtree(folder, ignore_errors=True)

    def _prune(self) -> None:
        """Remove the oldest films beyond the bound."""
        aged = []
        for path in self._folder.glob("[0-9]*"):
            with suppress(FileNotFoundError):
                aged.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(aged, reverse=True)[self._kept :]:
            path.unlink(missing_ok=True)


async def _end(process: trio.Process) -> None:
    process.terminate()
    await trio.sleep(_END_PATIENCE)
    process.kill()


async def _follow(stdout: trio.abc.ReceiveStream, job: _Job) -> None:
    waiting = b""
    async for data in stdout:
        *lines, waiting = (waiting + data[-_LONGEST_LINE:]).split(b"\n")
        for line in lines:
            with suppress(msgspec.DecodeError):  # a line that is cut off
                job.progress = msgspec.json.decode(line, type=FilmReport)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
