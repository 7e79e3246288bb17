"""Save the episodes of a run that are worth seeing again as recordings."""

from typing import Final, Self

from msgspec import Struct

from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.recording.capture import make_recording
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.recording.info import MAX_STEPS, Reason
from hamlet_trio.settings import Settings
from hamlet_trio.training.episodes import StepOutcome
from hamlet_trio.training.listener import RunListener
from hamlet_trio.training.managed_run import ManagedRun
from hamlet_trio.world import WorldState

FIRST_COMPARED: Final = 10
"""The best and the worst so far are saved from this episode on: before, nearly every one is either."""


class _EpisodeActions(Struct):
    """One world's episode under way; without a start its beginning was not seen."""

    start: WorldState | None
    actions: bytearray


class Recorder(RunListener):
    """Collect each step's actions, and save the episodes that are worth seeing again.

    Those are one in `every`, each that is the best or the worst so far, and the first that ended for each
    reason; none if `every` is 0. An episode whose beginning was not seen, as after a resume, is not saved.
    A failure to save is reported once to `reporter`. Memory: one byte a step of each episode under way.

    The Q-values stored with one are those of the network at the episode's end.
    """

    def __init__(self, folder: RecordingFolder, *, every: int, reporter: RunListener) -> None:
        self._folder = folder
        self._every = every
        self._reporter = reporter
        self._under_way: list[_EpisodeActions] = []
        self._best = float("-inf")
        self._worst = float("inf")
        self._reasons: set[str | None] = {None}
        self._has_failed = False

    @classmethod
    def of(cls, settings: Settings, reporter: RunListener) -> Self:
        """Return the recorder that these settings ask for."""
        return cls(RecordingFolder.of(settings), every=settings.record_every, reporter=reporter)

    def on_start(self, managed: ManagedRun) -> None:
        """Compare the episodes to come with those that the run has made."""
        self._run_id = managed.run_id
        self._run = managed.run
        for episode in managed.series.message().episodes:
            self._compare(episode)

    def on_step(self, outcome: StepOutcome, *, watched: bool) -> None:
        """Collect the step's actions, and save the episodes that ended with it and are worth it."""
        if not self._every:
            return
        agents = self._run.worlds.num_agents
        self._collect([outcome.actions[at : at + agents] for at in range(0, len(outcome.actions), agents)])
        for world, record in zip(outcome.worlds, outcome.records, strict=True):
            reasons, played = self._reasons_to_save(record), self._under_way[world]
            if not reasons or played.start is None or len(played.actions) > MAX_STEPS:
                continue
            try:
                self._save(reasons, played.start, bytes(played.actions), record.episode)
            except OSError as error:
                if not self._has_failed:
                    self._has_failed = True
                    self._reporter.on_problem(f"A recording could not be saved: {error.strerror}.")

    def _collect(self, actions: list[bytes]) -> None:
        """Add the actions of a step to the episode of each world, which may have begun with it."""
        if not self._under_way:
            self._under_way = [_EpisodeActions(None, bytearray()) for _ in actions]
        steps, starts = self._run.worlds.steps.tolist(), self._run.episode_starts
        for played, action, step, start in zip(self._under_way, actions, steps, starts, strict=True):
            if step == 1:
                played.start = start
                played.actions.clear()
            played.actions += action

    def _reasons_to_save(self, record: EpisodeComplete) -> list[Reason]:
        reasons: list[Reason] = []
        if (record.episode - 1) % self._every == 0:
            reasons.append("every_nth")
        is_best, is_worst, is_first = self._compare(record)
        if is_best and record.episode >= FIRST_COMPARED:
            reasons.append("best_so_far")
        if is_worst and record.episode >= FIRST_COMPARED:
            reasons.append("worst_so_far")
        if is_first:
            reasons.append("first_death")
        return reasons

    def _compare(self, episode: EpisodeComplete) -> tuple[bool, bool, bool]:
        """Return whether an episode is the best, the worst, the first of its reason, and remember it."""
        reward, reason = episode.reward, episode.failure_reason
        answer = reward > self._best, reward < self._worst, reason not in self._reasons
        self._best, self._worst = max(self._best, reward), min(self._worst, reward)
        self._reasons.add(reason)
        return answer

    def _save(self, reasons: list[Reason], start: WorldState, actions: bytes, episode: int) -> None:
        self._folder.save(
            make_recording(
                self._run.worlds.config,
                start,
                actions,
                reasons=reasons,
                source="training",
                run_id=self._run_id,
                episode=episode,
                policy=self._run.policy(),
            )
        )
