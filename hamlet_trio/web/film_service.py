"""Films of recordings, made beside the class: each in a process of its own, at the lowest priority."""

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

from hamlet_trio.common.descriptions import reason_of
from hamlet_trio.film.formats import FilmFormat
from hamlet_trio.film.worker import FilmOrder, FilmReport
from hamlet_trio.logs import get_logger
from hamlet_trio.settings import Settings
from hamlet_trio.web.access.addresses import limit_key

COMMAND: Final = (sys.executable, "-m", "hamlet_trio.film.worker")
MAX_WAITING: Final = 8
MAX_WAITING_OF_ONE: Final = 6
"""Of those, how many one client may have ordered: others find a place."""
PATIENCE: Final = 30.0
"""Seconds after which a film that nobody asks about is given up."""
LEAVING: Final = 3.0
"""Seconds after which a film ends that somebody has left, unless somebody else asks about it."""
_NEEDED: Final = ("PIL", "imageio_ffmpeg")
_END_PATIENCE: Final = 1.0  # seconds from asking a film's process to end to killing it
_FAILURES_KEPT: Final = 16
_LONGEST_LINE: Final = 10_000

State = Literal["waiting", "making", "ready", "failed"]


class FilmKey(NamedTuple):
    """Which film: of what, in which format, how fast."""

    recording: str
    format: FilmFormat
    speed: float

    @property
    def file_name(self) -> str:
        """The name of its file."""
        return f"{self.recording}-x{self.speed:g}.{self.format}"


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


class FilmsBusyError(Exception):
    """As many films wait as may, in all or of this client."""


class FilmsUnavailableError(Exception):
    """Films need something that is not installed; the message says what."""


class FilmsStoppedError(Exception):
    """The service is not running: the server is starting or shutting down."""


class _Job:
    """A film that waits or is being made; `client` ordered it first."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.scope = trio.CancelScope()
        self.state: State = "waiting"
        self.progress = FilmReport()
        self.keep_on()

    def keep_on(self) -> None:
        """Somebody asked about it."""
        self.scope.deadline = trio.current_time() + PATIENCE

    def leave(self) -> None:
        """Somebody does not want it any more."""
        self.scope.deadline = min(self.scope.deadline, trio.current_time() + LEAVING)


class FilmService:
    """Makes films on demand, `films_at_once` at a time, and keeps the last `films_kept` of them.

    Bounds: `MAX_WAITING` films wait, `MAX_WAITING_OF_ONE` of one client; more raise `FilmsBusyError`. Memory:
    one small object for each of them, and for the last 16 that failed.

    Resource handling: a film that is cancelled, or that nobody has asked about for `PATIENCE` seconds, ends
    its process; so does the end of the server, and its death. Each process works in a folder of its own,
    which goes with it, and from which a film is taken only while it is wanted. So nothing half made is left.
    """

    def __init__(self, settings: Settings) -> None:
        self._folder = Path(settings.data_dir) / "films"
        self._recordings = Path(settings.data_dir) / "recordings"
        self._kept = settings.films_kept
        self._places = trio.CapacityLimiter(settings.films_at_once)
        self._jobs: dict[FilmKey, _Job] = {}
        self._failures: dict[FilmKey, str] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Make what is ordered until cancelled."""
        await trio.to_thread.run_sync(self._tidy)
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None
            self._jobs.clear()

    async def order(self, key: FilmKey, client: str) -> Film:
        """Have a film made for a client, unless it is there or being made.

        Raises `FilmsBusyError` where too many wait, in all or of this client, `FilmsUnavailableError` where
        there is nothing to make them with, and `FilmsStoppedError` while `run` is not running.
        """
        self._failures.pop(key, None)
        if (film := await self.look(key)) is not None:
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

    async def look(self, key: FilmKey) -> Film | None:
        """How a film stands, None for one that was not ordered; asking keeps it going."""
        job = self._jobs.get(key)
        if job is not None and not job.scope.cancel_called:
            job.keep_on()
            return self._film(key, job.state, made=job.progress.made, of=job.progress.of)
        if (error := self._failures.get(key)) is not None:
            return self._film(key, "failed", error=error)
        size = await trio.to_thread.run_sync(_size, self.path(key))
        return None if size is None else self._film(key, "ready", size_bytes=size)

    def leave(self, key: FilmKey) -> None:
        """End a film that is waiting or being made, unless somebody else asks about it within `LEAVING`."""
        if (job := self._jobs.get(key)) is not None:
            job.leave()

    async def drop(self, key: FilmKey) -> None:
        """Cancel a film, or forget it."""
        self._failures.pop(key, None)
        if (job := self._jobs.pop(key, None)) is not None:
            job.scope.cancel()
        await trio.to_thread.run_sync(partial(self.path(key).unlink, missing_ok=True))

    def path(self, key: FilmKey) -> Path:
        """The file of a film, which is there once it is ready."""
        return self._folder / key.file_name

    async def _make(self, key: FilmKey, job: _Job) -> None:
        try:
            with job.scope:
                async with self._places:
                    job.state = "making"
                    error = await self._film_in_folder(key, job)
                    if error is not None:
                        self._note_failure(key, error)
                    await trio.to_thread.run_sync(self._prune)
        finally:
            # Not where it was dropped and ordered again meanwhile.
            if self._jobs.get(key) is job:
                del self._jobs[key]

    async def _film_in_folder(self, key: FilmKey, job: _Job) -> str | None:
        """Make the film in a folder of its own; returns why that failed, where it did."""
        folder = self._folder / f".{secrets.token_hex(4)}.tmp"
        error: str | None = None
        try:
            await trio.to_thread.run_sync(partial(folder.mkdir, parents=True))
            error = await self._film_in_process(key, job, folder)
            # It may have been dropped while its process was ending, and is then not to come back.
            if error is None and not job.scope.cancel_called:
                os.replace(folder / key.file_name, self.path(key))
        except* OSError as problems:  # of a process that cannot start, Trio's nursery makes a group
            error = f"The film could not be begun or kept: {reason_of(problems)}."
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # not in a thread, for all may be cancelled
        return error

    async def _film_in_process(self, key: FilmKey, job: _Job, folder: Path) -> str | None:
        order = FilmOrder(
            recording=str(self._recordings / f"{key.recording}.rec"),
            out=str(folder / key.file_name),
            kind=key.format,
            speed=key.speed,
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

    def _note_failure(self, key: FilmKey, error: str) -> None:
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
        )

    def _tidy(self) -> None:
        """Remove what a server that was killed left half made."""
        for folder in self._folder.glob(".*.tmp"):
            shutil.rmtree(folder, ignore_errors=True)

    def _prune(self) -> None:
        """Forget the oldest films past the bound."""
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
