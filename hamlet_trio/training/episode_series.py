"""The episodes of a run for charts: bounded, thinned evenly."""

from typing import Final

from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.messages import TrainingHistory

LIMIT: Final = 2000


class EpisodeSeries:
    """Keep every n-th episode record, n doubling whenever more than `limit` would be kept.

    So the records lie evenly over the whole run. The latest episode is always included, so that charts reach
    the present. Memory: at most `limit` records.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._kept: list[EpisodeComplete] = []
        self._latest: EpisodeComplete | None = None
        self._stride = 1

    @property
    def latest(self) -> EpisodeComplete | None:
        """The latest episode, if there is one."""
        return self._latest

    def append(self, record: EpisodeComplete) -> None:
        """Add the next episode."""
        self._latest = record
        if self._is_due(record):
            self._kept.append(record)
        while len(self._kept) + (self._stride > 1) > self._limit:
            self._stride *= 2
            self._kept = [kept for kept in self._kept if self._is_due(kept)]

    def _is_due(self, record: EpisodeComplete) -> bool:
        return (record.episode - 1) % self._stride == 0

    def replace(self, message: TrainingHistory) -> None:
        """Take over the records of another series, and thin later episodes as it did."""
        self.clear()
        if len(message.episodes) > 1:
            self._stride = message.episodes[1].episode - message.episodes[0].episode
        for record in message.episodes:
            self.append(record)

    def message(self) -> TrainingHistory:
        """Return the records kept and the latest one, oldest first."""
        episodes = list(self._kept)
        if self._latest is None:
            return TrainingHistory(episodes=[], total=0)
        if episodes[-1] is not self._latest:
            episodes.append(self._latest)
        return TrainingHistory(episodes=episodes, total=self._latest.episode)
