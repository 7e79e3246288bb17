"""Episodes that a trainer told its server, until the server says that the history has them."""

from collections import deque
from typing import TYPE_CHECKING, Final

from hamlet_trio.history.records import EpisodeEnded
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.messages import AGENT_ID
from hamlet_trio.training.listener import RunListener
from hamlet_trio.training.orders import UnrecordedReport
from hamlet_trio.training.pipes import MessageWriter, complain
from hamlet_trio.training.store import RunStore

if TYPE_CHECKING:
    from hamlet_trio.training.managed_run import ManagedRun

LIMIT: Final = 10_000


class UnrecordedEpisodes(RunListener):
    """Keep the episodes that are not acknowledged, and write them beside the run's state when that is saved.

    So a kill of the server, or of both, costs the history no episode that the run's state includes: the next
    trainer of the run reports them, or a server finds them where there is none. Memory: `LIMIT` episodes, of
    which the oldest give way; a server that lives acknowledges them within a second.
    """

    def __init__(self, store: RunStore, run_id: str, writer: MessageWriter) -> None:
        self._store = store
        self._run_id = run_id
        self._writer = writer
        self._episodes: deque[EpisodeEnded] = deque(maxlen=LIMIT)

    def on_start(self, managed: "ManagedRun") -> None:
        """Report the episodes that an earlier process left."""
        try:
            left = self._store.read_unrecorded(self._run_id)
        except (OSError, ValueError):
            return
        if left:
            self._episodes.extend(left)
            self._writer.report(UnrecordedReport(left))

    def on_episode(self, complete: EpisodeComplete) -> None:
        """Keep an episode."""
        self._episodes.append(EpisodeEnded(run_id=self._run_id, complete=complete, agent_id=AGENT_ID))

    def on_recorded(self, episode: int) -> None:
        """Forget the episodes that the history has."""
        while self._episodes and self._episodes[0].complete.episode <= episode:
            self._episodes.popleft()

    def on_saving(self) -> None:
        """Write the others, before the state that follows them."""
        try:
            self._store.write_unrecorded(self._run_id, list(self._episodes))
        except OSError as error:
            complain(f"The episodes that are not in the history yet cannot be saved: {error.strerror}.")
