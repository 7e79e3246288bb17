"""Offer the episodes of a showcase to the server, which shows some of them beside the learner."""

import msgspec

from hamlet_trio.protocol.parameters import Showing
from hamlet_trio.recording.info import MAX_STEPS
from hamlet_trio.training.episodes import StepOutcome
from hamlet_trio.training.frames import run_heat_map
from hamlet_trio.training.listener import RunListener
from hamlet_trio.training.managed_run import ManagedRun
from hamlet_trio.training.orders import EpisodeReport
from hamlet_trio.training.pipes import MessageWriter
from hamlet_trio.world import WorldState


class ShowcaseEpisodes(RunListener):
    """Collect the shown episodes of a run in a showcase, and offer each to the server at its end.

    One whose beginning was not seen, as after a resume, or that is longer than a recording may be, is left
    out. Memory: one byte a step of each agent, of one episode.
    """

    def __init__(self, writer: MessageWriter) -> None:
        self._writer = writer
        self._start: WorldState | None = None
        self._actions = bytearray()
        self._seen = 0

    def on_start(self, managed: ManagedRun) -> None:
        """Take note of the run."""
        self._run = managed.run
        self._is_showcase = managed.run.parameters.show == "showcase"

    def on_showing(self, showing: Showing) -> None:
        """Offer episodes from now on, or no longer."""
        self._is_showcase = showing.show == "showcase"

    def on_step(self, outcome: StepOutcome, *, watched: bool) -> None:
        """Collect the step's action; also in a run that is live, as that may change before its end."""
        if outcome.step == 1:
            self._start = self._run.episode_starts[0]
            self._actions.clear()
            self._seen = 0
        agents = self._run.worlds.num_agents
        self._actions += outcome.actions[:agents]
        if watched:
            self._seen = outcome.step
        if outcome.record is None or not (outcome.shown and self._is_showcase):
            return
        if self._start is None or self._seen == outcome.step or len(self._actions) > MAX_STEPS:
            return
        self._writer.offer(
            EpisodeReport(
                episode=outcome.record.episode,
                epsilon=outcome.record.epsilon,
                config=msgspec.to_builtins(self._run.worlds.config),
                start=msgspec.to_builtins(self._start),
                actions=bytes(self._actions),
                heat_map=run_heat_map(self._run.visits),
                seen=self._seen,
            )
        )
