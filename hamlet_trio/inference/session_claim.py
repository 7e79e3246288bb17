"""Take another connection's session over: claim its snapshot, and load what that names."""

from typing import TYPE_CHECKING, NamedTuple

from hamlet_trio.inference.engine import TooManyWorldsError
from hamlet_trio.inference.fair_share import Share
from hamlet_trio.inference.recording_worker import RecordingWorker
from hamlet_trio.inference.refusals import too_many_worlds
from hamlet_trio.inference.replay import Replay
from hamlet_trio.inference.session_keeper import unknown_session
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.commands import ResumeSession
from hamlet_trio.protocol.errors import BadMessageError

if TYPE_CHECKING:
    from hamlet_trio.inference.policies import LoadedPolicy, PolicyLease
    from hamlet_trio.inference.session_keeper import KeptSession, SessionKeeper
    from hamlet_trio.inference.session_snapshot import ModelFacts, SessionSnapshot


class ClaimedSession(NamedTuple):
    """A claimed session with its agents' models, and the recording on screen where that still exists."""

    seen: ResumeSession
    snapshot: "SessionSnapshot"
    models: "list[LoadedPolicy]"
    replay: Replay | None


class SessionClaims:
    """The claims of one session's connection."""

    def __init__(
        self,
        keeper: "SessionKeeper",
        kept: "KeptSession",
        lease: "PolicyLease",
        recordings: RecordingWorker,
        share: Share,
    ) -> None:
        self._keeper = keeper
        self._kept = kept
        self._lease = lease
        self._recordings = recordings
        self._share = share

    async def claim(self, command: ResumeSession) -> ClaimedSession:
        """Claim a session; its connection ends. Raises `BadMessageError`; the session is kept on then."""
        snapshot = await self._keeper.claim(command.resume, self._kept)
        try:
            models = await self._load_models(snapshot)
        except BadMessageError:
            self._keeper.give_back(self._kept)
            raise
        return ClaimedSession(command, snapshot, models, await self._load_replay(snapshot))

    def give_back(self, error: Exception, models: "list[LoadedPolicy]") -> BadMessageError:
        """Undo a claim whose session cannot go on here for this reason; return the refusal."""
        for model in set(models):
            self._lease.release(model)
        self._keeper.give_back(self._kept)
        if isinstance(error, TooManyWorldsError):
            return too_many_worlds(error.most, "resume_session")
        get_logger().warning("snapshot_refused", session_id=self._kept.session_id, reason=str(error))
        return unknown_session()

    async def _load_models(self, snapshot: "SessionSnapshot") -> "list[LoadedPolicy]":
        """Load the model of each agent; one use of each is held, however many agents play it."""
        loaded: dict[ModelFacts | None, LoadedPolicy] = {}
        try:
            for facts in snapshot.models:
                if facts in loaded:
                    continue
                if facts is None:
                    loaded[None] = self._lease.acquire_untrained()
                else:
                    fetch = self._keeper.fetch_weights
                    loaded[facts] = await self._lease.acquire_version(facts.name, facts.sha256, fetch)
        except BadMessageError:
            for model in loaded.values():
                self._lease.release(model)
            raise
        return [loaded[facts] for facts in snapshot.models]

    async def _load_replay(self, snapshot: "SessionSnapshot") -> Replay | None:
        if snapshot.replay is None or snapshot.replay.recording is None:
            return None
        try:
            return await self._recordings.load(snapshot.replay.recording, self._share)
        except BadMessageError as error:
            get_logger().info("replay_not_resumed", reason=error.message)
            return None
