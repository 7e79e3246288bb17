"""Loading and saving recordings and rewinding episodes for all sessions, in one worker thread."""

from typing import TYPE_CHECKING, Final

import trio

from hamlet_trio.inference.replay import PlayedEpisode, Replay
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.recording.capture import make_recording
from hamlet_trio.recording.file import RecordingError
from hamlet_trio.recording.folder import RecordingFolder, UnknownRecordingError
from hamlet_trio.recording.info import RecordingInfo
from hamlet_trio.world import WorldConfig

if TYPE_CHECKING:
    from hamlet_trio.agent.policy import Policy

_THREADS: Final = 1


class RecordingWorker:
    """The recordings folder as sessions use it, and the replays of their own episodes.

    Playing an episode out takes about 0.1 ms a step of pure Python, so one thread does it for all sessions:
    more threads would take the interpreter from sessions that play, without being faster. Not abandoned when
    cancelled: it takes less than a second, and a file is either whole or absent.
    """

    def __init__(self, folder: RecordingFolder, config: WorldConfig) -> None:
        self.config: Final = config
        self._folder = folder
        self._limiter = trio.CapacityLimiter(_THREADS)

    async def load(self, recording: str) -> Replay:
        """Return the replay of a recording; raises `BadMessageError`, ready to be sent, if it is unusable."""
        try:
            return await trio.to_thread.run_sync(
                lambda: Replay.of_recording(self._folder.load(recording)), limiter=self._limiter
            )
        except UnknownRecordingError as error:
            raise _refusal(ErrorCode.UNKNOWN_RECORDING, error, "load_recording", "recording") from error
        except RecordingError as error:
            raise _refusal(ErrorCode.UNUSABLE_RECORDING, error, "load_recording", "recording") from error

    async def save(self, played: PlayedEpisode, policy: "Policy", session_id: str) -> RecordingInfo:
        """Save an episode of at least one step; raises `BadMessageError` if that fails."""
        try:
            return await trio.to_thread.run_sync(
                self._save, played, policy, session_id, limiter=self._limiter
            )
        except RecordingError as error:
            raise _refusal(ErrorCode.NOTHING_TO_RECORD, error, "record") from error
        except OSError as error:
            get_logger().warning("recording_failed", reason=str(error))
            sentence = f"The recording could not be saved: {error.strerror}."
            raise BadMessageError(ErrorCode.RECORDING_FAILED, sentence, command="record") from error

    async def rewind(self, played: PlayedEpisode, policy: "Policy", visits: dict[str, int]) -> Replay:
        """Return the replay of a session's own episode; `visits` are its heat map's, with this episode."""
        return await trio.to_thread.run_sync(
            Replay.of_episode, self.config, played, policy, visits, limiter=self._limiter
        )

    def _save(self, played: PlayedEpisode, policy: "Policy", session_id: str) -> RecordingInfo:
        recording = make_recording(
            self.config,
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
