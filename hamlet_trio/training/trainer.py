"""The trainer process: one run, controlled over a pipe (`python -m hamlet_trio.training.trainer`).

Its server starts it and is the only one that ends it. An interrupt or termination signal, which a terminal or
a service manager sends to the whole group, is ignored: the server then asks over the pipe, or is gone, which
closes the pipe. Either way the run is saved before the process ends.
"""

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.errors import ErrorCode
from hamlet_trio.protocol.messages import CheckpointSaved, Error, TrainingEpisodeStart
from hamlet_trio.training.listener import RunListener
from hamlet_trio.training.orders import (
    BeginOrder,
    EndedReport,
    FailedReport,
    HeartbeatReport,
    PausedReport,
    ResumedReport,
    StartedReport,
)
from hamlet_trio.training.pipes import MessageWriter, OrderReader, complain, take_over_pipes
from hamlet_trio.training.plan import RunPlan
from hamlet_trio.training.run_result import RunResult
from hamlet_trio.training.store import RunStore

if TYPE_CHECKING:
    # These import torch, which takes seconds: `train` imports them once the pipes are served.
    from hamlet_trio.training.episodes import StepOutcome
    from hamlet_trio.training.managed_run import ManagedRun

_NICENESS: Final = 5  # the server's sessions come first where cores are few


def started_report(managed: "ManagedRun") -> StartedReport:
    """Return what is told of a run that begins, or goes on."""
    from hamlet_trio.protocol.parameters import world_of  # noqa: PLC0415
    from hamlet_trio.protocol.world_info import world_info  # noqa: PLC0415

    run = managed.run
    return StartedReport(
        parameters=run.parameters,
        device=run.device,
        episode=run.completed,
        world=world_info(world_of(run.parameters)),
    )


def ended_report(result: RunResult) -> EndedReport | FailedReport:
    """Return what is told of a run that has ended."""
    if result.how == "failed":
        return FailedReport(reason=str(result.problem), retry=False)
    return EndedReport(
        how=result.how,
        model_saved=None if result.model is None else result.model.name,
        average_reward=result.average_reward,
        average_length=result.average_length,
        problem=result.problem,
    )


class MessageListener(RunListener):
    """Report a run to its server; frames are built only of steps that somebody watches."""

    def __init__(self, writer: MessageWriter) -> None:
        self._writer = writer

    def on_start(self, managed: "ManagedRun") -> None:
        """Report the parameters in force."""
        from hamlet_trio.training.frames import FrameRenderer, run_heat_map  # noqa: PLC0415

        run = managed.run
        renderer = FrameRenderer(run.worlds.config)

        def show(outcome: "StepOutcome") -> None:
            self._writer.show(renderer.render(run.worlds, outcome, run_heat_map(run.visits)))

        self._show, self._num_agents = show, run.worlds.num_agents
        self._writer.report(started_report(managed))

    def on_episode_start(self, episode: int, epsilon: float) -> None:
        """Announce an episode that is shown."""
        self._writer.announce(TrainingEpisodeStart(episode, epsilon, self._num_agents))

    def on_step(self, outcome: "StepOutcome", *, watched: bool) -> None:
        """Send the frame, if anybody watches."""
        if watched:
            self._show(outcome)

    def on_episode(self, complete: EpisodeComplete) -> None:
        """Announce the episode."""
        self._writer.announce(complete)

    def on_save(self, saved: CheckpointSaved) -> None:
        """Announce the checkpoint."""
        self._writer.announce(saved)

    def on_problem(self, problem: Exception | str) -> None:
        """Tell the viewers what was not saved."""
        sentence = f"{problem} Training goes on; free some space before the next save."
        self._writer.announce(Error(sentence, code=ErrorCode.SAVE_FAILED.value))

    def on_pause(self, episode: int, step: int) -> None:
        """Confirm a pause."""
        self._writer.report(PausedReport(episode, step))

    def on_resume(self, episode: int, step: int) -> None:
        """Confirm that the run goes on."""
        self._writer.report(ResumedReport(episode, step))

    def on_heartbeat(self) -> None:
        """Show the supervisor that the learner does not hang."""
        self._writer.report(HeartbeatReport())

    def on_end(self, result: RunResult) -> None:
        """Report how the run ended."""
        self._writer.report(ended_report(result))


class SeriesListener(RunListener):
    """Report the episodes of a resumed run, after those that an earlier process may not have reported."""

    def __init__(self, writer: MessageWriter, *, resume: bool) -> None:
        self._writer = writer
        self._resume = resume

    def on_start(self, managed: "ManagedRun") -> None:
        """Report the episodes, if the run is resumed."""
        if self._resume:
            self._writer.announce(managed.series.message())


class ComplaintListener(RunListener):
    """Write problems that concern only the operator to the server's log."""

    def on_problem(self, problem: Exception | str) -> None:
        """Write one line."""
        complain(str(problem))


def train(begin: BeginOrder, orders: OrderReader, writer: MessageWriter) -> None:
    """Make the run that the order begins, and report how it ended."""
    import torch  # noqa: PLC0415

    from hamlet_trio.training.loop import TrainingLoop  # noqa: PLC0415
    from hamlet_trio.training.managed_run import StartError, open_run, training_here  # noqa: PLC0415
    from hamlet_trio.training.recorder import Recorder  # noqa: PLC0415
    from hamlet_trio.training.scalars import EpisodeScalars  # noqa: PLC0415
    from hamlet_trio.training.showcase_episodes import ShowcaseEpisodes  # noqa: PLC0415
    from hamlet_trio.training.unrecorded import UnrecordedEpisodes  # noqa: PLC0415

    torch.set_num_threads(1)
    settings = begin.settings.with_native_paths()
    plan = RunPlan(begin.run_id, begin.parameters, begin.resume, begin.file)
    store = RunStore(Path(settings.data_dir))
    listener = MessageListener(writer)
    try:
        with training_here(store, begin.run_id):
            scalars = EpisodeScalars.wanted(settings, begin.run_id, ComplaintListener())
            managed = open_run(plan, settings)
            if hasattr(os, "nice"):
                os.nice(_NICENESS)
            TrainingLoop(
                managed,
                orders,
                [
                    listener,
                    UnrecordedEpisodes(store, begin.run_id, writer),
                    SeriesListener(writer, resume=begin.resume),
                    ShowcaseEpisodes(writer),
                    Recorder.of(settings, listener),
                    *scalars,
                ],
                paused=begin.paused,
                watched=begin.watched,
                showing=managed.run.parameters.showing,
            ).run()
    except StartError as error:
        writer.report(FailedReport(reason=str(error), retry=error.retry))


def main() -> int:
    """Serve one supervisor; the exit code is 1 if the trainer itself failed."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    incoming, outgoing = take_over_pipes()
    orders, writer = OrderReader(incoming), MessageWriter(outgoing)
    try:
        begin = orders.get()
        if isinstance(begin, BeginOrder):
            train(begin, orders, writer)
    except Exception as error:
        traceback.print_exc()
        writer.report(FailedReport(reason=f"The trainer failed: {error!r}.", retry=True))
        return 1
    finally:
        writer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
