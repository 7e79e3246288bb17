"""Define what a training loop reports about its run, to objects that listen."""

from typing import TYPE_CHECKING

from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.messages import CheckpointSaved
from hamlet_trio.protocol.parameters import Showing
from hamlet_trio.training.run_result import RunResult

if TYPE_CHECKING:  # these import torch, which takes seconds
    from hamlet_trio.training.episodes import StepOutcome
    from hamlet_trio.training.managed_run import ManagedRun


class RunListener:
    """Listen to one run: the loop calls these methods, which do nothing unless a subclass overrides them.

    They are called between two environment steps, in the thread that trains, and must not change the run.
    """

    def on_start(self, managed: "ManagedRun") -> None:
        """The run is set up and about to make its next step."""

    def on_episode_start(self, episode: int, epsilon: float) -> None:
        """An episode to be shown live begins, or goes on after a resume."""

    def on_step(self, outcome: "StepOutcome", *, watched: bool) -> None:
        """Every world made a step; `watched`: of an episode that is shown live while somebody watches."""

    def on_showing(self, showing: Showing) -> None:
        """Episodes are shown in another way from now on."""

    def on_episode(self, complete: EpisodeComplete) -> None:
        """An episode is over."""

    def on_recorded(self, episode: int) -> None:
        """The server has the episodes up to this one in its history."""

    def on_saving(self) -> None:
        """The run is about to be saved."""

    def on_save(self, saved: CheckpointSaved) -> None:
        """The run and its model were saved, in the middle or at the end of the run."""

    def on_problem(self, problem: Exception | str) -> None:
        """Something could not be saved; training goes on."""

    def on_pause(self, episode: int, step: int) -> None:
        """The run stands still after `step` steps of `episode`."""

    def on_resume(self, episode: int, step: int) -> None:
        """The run goes on with the step after `step` of `episode`."""

    def on_heartbeat(self) -> None:
        """The loop goes round; called about every `HEARTBEAT` seconds, also while paused."""

    def on_end(self, result: RunResult) -> None:
        """The run ended, and what could be saved is saved."""
