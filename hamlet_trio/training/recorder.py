"""Which episodes of a run are kept as recordings."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.recording.capture import make_recording
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.recording.info import MAX_STEPS, Reason
from hamlet_trio.training.run import EpisodeRecord, StepOutcome, TrainingRun
from hamlet_trio.world import WorldState

FIRST_COMPARED: Final = 10
"""The episode from which on the best and the worst so far are kept: before, nearly every one is either."""


class _Noted(Struct):
    """One world's episode under way; without a start its beginning was not seen."""

    start: WorldState | None
    actions: bytearray


class Recorder:
    """Notes each step's actions, and keeps the episodes that are worth seeing again.

    Those are one in `every`, each that is the best or the worst so far, and the first that ended for each
    reason; none where `every` is 0. An episode whose beginning was not seen, as after a resume, is not kept.
    Changes nothing in the run. Memory: one byte a step of each episode under way.

    The Q-values that go with one are those of the network as it is at the episode's end.
    """

    def __init__(
        self, folder: RecordingFolder, run_id: str, *, every: int, past: Iterable[EpisodeComplete] = ()
    ) -> None:
        """`past` are the run's episodes up to now, for one that is resumed."""
        self._folder = folder
        self._run_id = run_id
        self._every = every
        self._noted: list[_Noted] = []
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
        self._note_actions(outcome.actions, run)
        problem = None
        for record in outcome.records:
            reasons, noted = self._why(record), self._noted[record.world]
            if not reasons or noted.start is None or len(noted.actions) > MAX_STEPS:
                continue
            try:
                self._keep(reasons, noted.start, bytes(noted.actions), record.episode, run)
            except OSError as error:
                if not self._has_failed:
                    self._has_failed = True
                    problem = f"A recording could not be saved: {error.strerror}."
        return problem

    def _note_actions(self, actions: bytes, run: TrainingRun) -> None:
        """Add an action to the episode of each world, which may have begun with it."""
        if not self._noted:
            self._noted = [_Noted(None, bytearray()) for _ in actions]
        steps = run.worlds.steps.tolist()
        for noted, action, step, start in zip(self._noted, actions, steps, run.episode_starts, strict=True):
            if step == 1:
                noted.start = start
                noted.actions.clear()
            noted.actions.append(action)

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

    def _keep(
        self, reasons: list[Reason], start: WorldState, actions: bytes, episode: int, run: TrainingRun
    ) -> None:
        self._folder.save(
            make_recording(
                run.worlds.config,
                start,
                actions,
                reasons=reasons,
                source="training",
                run_id=self._run_id,
                episode=episode,
                policy=run.policy(),
            )
        )
