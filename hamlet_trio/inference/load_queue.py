"""What a session has done beside its playing: models and recordings read, episodes kept."""

from typing import Final, NamedTuple, TypeAlias

import trio

from hamlet_trio.inference.policies import LoadedPolicy, PolicyLease
from hamlet_trio.inference.recording_worker import RecordingWorker
from hamlet_trio.inference.replay import Played, Replay
from hamlet_trio.inference.session_queue import SessionQueue
from hamlet_trio.protocol import commands
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.recording.info import RecordingInfo

MAX_WAITING: Final = 8


class Keeping(NamedTuple):
    """An episode to be kept, and the policy that is asked what it thought."""

    played: Played
    model: LoadedPolicy


Errand: TypeAlias = commands.LoadModel | commands.LoadRecording | Keeping

Outcome: TypeAlias = LoadedPolicy | Replay | RecordingInfo | BadMessageError

SessionEvent: TypeAlias = commands.InferenceCommand | Outcome
"""What waits for a playhead: a command, or what was wrong with one, or what came of an errand."""


class LoadQueue:
    """Runs one session's errands, one after the other, while the playhead plays on.

    What comes of each is put into the mailbox. Bounds: `MAX_WAITING` wait behind the one that is run, more
    are refused with `too_many_loads`.
    """

    def __init__(
        self,
        lease: PolicyLease,
        archive: RecordingWorker,
        mailbox: SessionQueue[SessionEvent],
        session_id: str,
    ) -> None:
        self._lease = lease
        self._archive = archive
        self._mailbox = mailbox
        self._session_id = session_id
        self._send, self._receive = trio.open_memory_channel[Errand](MAX_WAITING)

    def order(self, errand: Errand) -> None:
        """Have it done; raises `BadMessageError` where too many wait."""
        try:
            self._send.send_nowait(errand)
        except trio.WouldBlock:
            raise BadMessageError(
                ErrorCode.TOO_MANY_LOADS,
                "Too many models or recordings wait to be read or kept; wait for one, then send it again.",
                command=_command(errand),
            ) from None

    async def run(self) -> None:
        """Do what is ordered until cancelled."""
        async for errand in self._receive:
            outcome: Outcome
            try:
                outcome = await self._do(errand)
            except BadMessageError as error:
                outcome = error
            await self._mailbox.put_when_room(outcome)

    async def _do(self, errand: Errand) -> Outcome:
        match errand:
            case commands.LoadModel():
                return await self._lease.take(errand.model)
            case commands.LoadRecording():
                return await self._archive.load(errand.recording)
            case Keeping():
                return await self._archive.keep(errand.played, errand.model.policy, self._session_id)


def _command(errand: Errand) -> str:
    match errand:
        case Keeping():
            return "record"
        case commands.LoadRecording():
            return "load_recording"
        case commands.LoadModel():
            return "load_model"
