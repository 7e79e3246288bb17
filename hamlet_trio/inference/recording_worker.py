"""Loading and saving recordings and rewinding episodes for all sessions, in one worker thread."""

import bisect
import itertools
from collections.abc import Callable
from typing import Final, TypeVar

import trio

from hamlet_trio.inference.fair_share import Share
from hamlet_trio.inference.replay import PlayedEpisode, Replay, played_life
from hamlet_trio.inference.world_group import Players
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.messages import Life
from hamlet_trio.recording.capture import make_recording
from hamlet_trio.recording.file import RecordingError
from hamlet_trio.recording.folder import RecordingFolder, UnknownRecordingError
from hamlet_trio.recording.info import RecordingInfo

_THREADS: Final = 1
Result = TypeVar("Result")


class _WaitingJob:
    """A job that waits for the thread; the one of the lowest rank is next."""

    def __init__(self, rank: tuple[bool, float, int]) -> None:
        self.rank = rank
        self.granted = trio.Event()


class RecordingWorker:
    """The recordings folder as sessions use it, and the replays of their own episodes.

    Playing an episode out takes about 0.1 ms a step of pure Python, so one thread does it for all sessions:
    more threads would take the interpreter from sessions that play, without being faster. Of the jobs that
    wait, rewinds go first, for a client waits for its picture; then the session that had least played out
    recently. Not abandoned when cancelled: a job takes less than a second, and a file is whole or absent.

    Bounds: a session has one rewind and one load or save waiting.
    """

    def __init__(self, folder: RecordingFolder) -> None:
        self._folder = folder
        self._limiter = trio.CapacityLimiter(_THREADS)
        self._is_busy = False
        self._waiting: list[_WaitingJob] = []
        self._order = itertools.count()

    @property
    def waiting(self) -> int:
        """The number of jobs that wait for the thread."""
        return len(self._waiting)

    async def load(self, recording: str, share: Share) -> Replay:
        """Return the replay of a recording; raises `BadMessageError`, ready to be sent, if it is unusable."""
        try:
            replay = await self._run(share, lambda: Replay.of_recording(self._folder.load(recording)))
        except UnknownRecordingError as error:
            raise _refusal(ErrorCode.UNKNOWN_RECORDING, error, "load_recording", "recording") from error
        except RecordingError as error:
            raise _refusal(ErrorCode.UNUSABLE_RECORDING, error, "load_recording", "recording") from error
        share.played_out.add(replay.steps)
        return replay

    async def save(
        self,
        played: PlayedEpisode,
        policy: Players,
        session_id: str,
        share: Share,
    ) -> RecordingInfo:
        """Save an episode of at least one step; raises `BadMessageError` if that fails."""
        try:
            return await self._run(
                share, lambda: self._save(played, policy, session_id), steps=len(played.actions)
            )
        except RecordingError as error:
            raise _refusal(ErrorCode.NOTHING_TO_RECORD, error, "record") from error
        except OSError as error:
            get_logger().warning("recording_failed", reason=str(error))
            sentence = f"The recording could not be saved: {error.strerror}."
            raise BadMessageError(ErrorCode.RECORDING_FAILED, sentence, command="record") from error

    async def rewind(
        self,
        played: PlayedEpisode,
        policy: Players,
        visits: dict[str, int],
        share: Share,
    ) -> Replay:
        """Return the replay of a session's own episode; `visits` are its heat map's, with this episode."""
        return await self._run(
            share,
            lambda: Replay.of_episode(played, policy, visits),
            steps=len(played.actions),
            is_rewind=True,
        )

    async def life(self, replay: Replay, share: Share, agent: int = 0) -> Life:
        """Return the whole episode of a replay for one agent, in columns."""
        return await self._run(share, lambda: replay.life(agent), steps=replay.steps, is_rewind=True)

    async def own_life(self, played: PlayedEpisode, share: Share, agent: int = 0) -> Life:
        """Return a session's own episode so far for one agent, in columns."""
        return await self._run(
            share, lambda: played_life(played, agent), steps=len(played.actions), is_rewind=True
        )

    async def _run(
        self, share: Share, job: Callable[[], Result], *, steps: int = 0, is_rewind: bool = False
    ) -> Result:
        """Run a job that plays out so many steps, in the thread and when it is its turn."""
        rank = (not is_rewind, share.played_out.rank, next(self._order))
        share.played_out.add(steps)
        if self._is_busy:
            await self._wait(_WaitingJob(rank))
        self._is_busy = True
        try:
            return await trio.to_thread.run_sync(job, limiter=self._limiter)
        finally:
            self._pass_on()

    async def _wait(self, waiter: "_WaitingJob") -> None:
        bisect.insort(self._waiting, waiter, key=lambda one: one.rank)
        try:
            await waiter.granted.wait()
        except trio.Cancelled:
            if waiter.granted.is_set():
                self._pass_on()
            else:
                self._waiting.remove(waiter)
            raise

    def _pass_on(self) -> None:
        """Give the thread to the next job, if one waits."""
        self._is_busy = bool(self._waiting)
        if self._waiting:
            self._waiting.pop(0).granted.set()

    def _save(self, played: PlayedEpisode, policy: Players, session_id: str) -> RecordingInfo:
        recording = make_recording(
            played.config,
            played.start,
            played.actions,
            reasons=["asked_for"],
            source="session",
            episode=played.episode,
            model=played.model_name,
            session_id=session_id,
            policy=policy,
        )
        return self._folder.save(recording)


def _refusal(code: ErrorCode, error: Exception, command: str, field: str | None = None) -> BadMessageError:
    return BadMessageError(code, str(error), command=command, field=field)
