"""Which episodes of a run are kept as recordings."""

from collections.abc import Iterable
from typing import Final

from hamlet_trio.protocol.messages import EpisodeComplete
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.recording.info import MAX_STEPS, Reason
from hamlet_trio.recording.making import make_recording
from hamlet_trio.training.run import EpisodeRecord, StepOutcome, TrainingRun
from hamlet_trio.world import WorldState

FIRST_COMPARED: Final = 10
"""The episode from which on the best and the worst so far are kept: before, nearly every one is either."""


class Recorder:
    """Notes each step's action, and keeps the episodes that are worth seeing again.

    Those are one in `every`, each that is the best or the worst so far, and the first that ended for each
    reason; none where `every` is 0. An episode whose beginning was not seen, as after a resume, is not kept.
    Changes nothing in the run. Memory: one byte a step of the episode under way.

    The Q-values that go with one are those of the network as it is at the episode's end.
    """

    def __init__(
        self, folder: RecordingFolder, run_id: str, *, every: int, past: Iterable[EpisodeComplete] = ()
    ) -> None:
        """`past` are the run's episodes up to now, for one that is resumed."""
        self._folder = folder
        self._run_id = run_id
        self._every = every
        self._start: WorldState | None = None
        self._actions = bytearray()
        self._best = float("-inf")
        self._worst = float("inf")
        self._reasons: set[str | None] = {None}
        self._has_failed = False
        for episode in past:
            self._compare(episode.reward, episode.failure_reason)

    def note(self, outcome: StepOutcome, run: TrainingRun) -> str | None:
        """Note a step, and keep the episode where it was the last one of one to be kept.

        Returns why that could not be saved, the first time that it could not.
        """
        if not self._every:
            return None
        if outcome.step == 1:
            self._start = run.episode_start
            self._actions.clear()
        self._actions.append(outcome.action)
        if outcome.record is None:
            return None
        reasons = self._why(outcome.record)
        start, self._start = self._start, None
        if not reasons or start is None or len(self._actions) > MAX_STEPS:
            return None
        try:
            self._keep(reasons, start, outcome.episode, run)
        except OSError as error:
            if not self._has_failed:
                self._has_failed = True
                return f"A recording could not be saved: {error.strerror}."
        return None

    def _why(self, record: EpisodeRecord) -> list[Reason]:
        """The reasons to keep an episode."""
        reasons: list[Reason] = []
        if (record.episode - 1) % self._every == 0:
            reasons.append("every_nth")
        is_best, is_worst, is_first = self._compare(record.reward, record.failure_reason)
        if is_best and record.episode >= FIRST_COMPARED:
            reasons.append("best_so_far")
        if is_worst and record.episode >= FIRST_COMPARED:
            reasons.append("worst_so_far")
        if is_first:
            reasons.append("first_death")
        return reasons

    def _compare(self, reward: float, failure_reason: str | None) -> tuple[bool, bool, bool]:
        """Whether an episode is the best, the worst, the first of its reason; it is one of the past then."""
        answer = reward > self._best, reward < self._worst, failure_reason not in self._reasons
        self._best, self._worst = max(self._best, reward), min(self._worst, reward)
        self._reasons.add(failure_reason)
        return answer

    def _keep(self, reasons: list[Reason], start: WorldState, episode: int, run: TrainingRun) -> None:
        self._folder.save(
            make_recording(
                run.worlds.config,
                start,
                bytes(self._actions),
                reasons=reasons,
                source="training",
                run_id=self._run_id,
                episode=episode,
                policy=run.policy(),
            )
        )
