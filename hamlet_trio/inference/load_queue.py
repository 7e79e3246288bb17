"""A session's slow jobs, done beside its play: reading models and recordings, saving episodes."""

from typing import Final, NamedTuple, TypeAlias

import trio
from msgspec import UnsetType

from hamlet_trio.inference.fair_share import Share
from hamlet_trio.inference.policies import LoadedPolicy, PolicyLease
from hamlet_trio.inference.recording_worker import RecordingWorker
from hamlet_trio.inference.replay import PlayedEpisode, Replay
from hamlet_trio.inference.session_claim import ClaimedSession, SessionClaims
from hamlet_trio.inference.session_keeper import KeptSession
from hamlet_trio.inference.session_queue import SessionQueue
from hamlet_trio.inference.world_group import Players
from hamlet_trio.protocol import commands
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.world_info import find_world
from hamlet_trio.recording.info import RecordingInfo
from hamlet_trio.world.library import WorldLibrary
from hamlet_trio.world.world_file import World

MAX_WAITING: Final = 8


class SaveEpisode(NamedTuple):
    """An episode to save as a recording, and the policy whose outputs go with it."""

    played: PlayedEpisode
    policy: Players


Job: TypeAlias = (
    commands.LoadModel | commands.LoadRecording | commands.SetWorld | commands.ResumeSession | SaveEpisode
)


class JobDone(NamedTuple):
    """A job and its result, which is an error ready to be sent if the job failed.

    None for a `set_world` that keeps the session's world.
    """

    job: Job
    result: LoadedPolicy | Replay | World | RecordingInfo | ClaimedSession | BadMessageError | None


SessionEvent: TypeAlias = commands.InferenceCommand | BadMessageError | JobDone
"""What a session controller takes from its queue: a command, why a frame is not one, or a finished job."""


class LoadQueue:
    """Do one session's jobs one after another, while it plays on.

    Each result is put into the session queue. Bounds: `MAX_WAITING` jobs wait behind the one in progress;
    more are refused with `too_many_loads`.

    Its task begins in `nursery` with the first job: most sessions never have one.
    """

    def __init__(
        self,
        lease: PolicyLease,
        recordings: RecordingWorker,
        worlds: WorldLibrary,
        *,
        results: SessionQueue[SessionEvent],
        kept: KeptSession,
        share: Share,
        claims: SessionClaims,
        nursery: trio.Nursery,
    ) -> None:
        self._lease = lease
        self._recordings = recordings
        self._worlds = worlds
        self._results = results
        self._kept = kept
        self._claims = claims
        self._share = share
        self._nursery = nursery
        self._send: trio.MemorySendChannel[Job] | None = None

    def put(self, job: Job) -> None:
        """Queue a job; raises `BadMessageError` if too many wait."""
        if self._send is None:
            self._send, jobs = trio.open_memory_channel[Job](MAX_WAITING)
            self._nursery.start_soon(self._run, jobs)
        try:
            self._send.send_nowait(job)
        except trio.WouldBlock:
            raise too_many_loads(job) from None

    async def _run(self, jobs: trio.MemoryReceiveChannel[Job]) -> None:
        """Do queued jobs until cancelled."""
        async for job in jobs:
            try:
                done = JobDone(job, await self._do(job))
            except BadMessageError as error:
                done = JobDone(job, error)
            await self._results.put_when_room(done)

    async def _do(self, job: Job) -> LoadedPolicy | Replay | World | RecordingInfo | ClaimedSession | None:
        match job:
            case commands.LoadModel():
                return await self._lease.acquire(job.model)
            case commands.LoadRecording():
                return await self._recordings.load(job.recording, self._share)
            case commands.SetWorld():
                if isinstance(job.world, UnsetType):
                    return None
                return await trio.to_thread.run_sync(find_world, job.world, self._worlds, "set_world")
            case commands.ResumeSession():
                return await self._claims.claim(job)
            case SaveEpisode():
                return await self._recordings.save(job.played, job.policy, self._kept.session_id, self._share)


def too_many_loads(job: Job) -> BadMessageError:
    """Return the refusal of one job too many."""
    command = commands.RecordEpisode if isinstance(job, SaveEpisode) else type(job)
    return BadMessageError(
        ErrorCode.TOO_MANY_LOADS,
        "Too many models or recordings wait to be read or written; wait for one, then send it again.",
        command=str(command.__struct_config__.tag),
    )
