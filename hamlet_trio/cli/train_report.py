"""What `hamlet train` prints: a progress bar for people, lines of JSON for machines."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hamlet_trio.common.encoding import to_json
from hamlet_trio.protocol.episode import EpisodeComplete, EvaluationSummary
from hamlet_trio.training.listener import RunListener
from hamlet_trio.training.managed_run import ManagedRun
from hamlet_trio.training.run_result import RunResult


class _Output:
    """Write to standard output until that fails, as when the terminal was closed; then to nowhere."""

    def __init__(self) -> None:
        self._stream = sys.stdout

    def write(self, text: str) -> int:
        """Write text."""
        with self._giving_up():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        with self._giving_up():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextmanager
    def _giving_up(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            # In place of the stream's own descriptor, so that what it holds back finds an end too.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


class Report(RunListener):
    """Show a run to the user of the command line, until it is closed. Training never fails for it."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class JsonReport(Report):
    """Print one JSON object a line on standard output, and problems on standard error."""

    def __init__(self) -> None:
        self._output = _Output()

    def on_start(self, managed: ManagedRun) -> None:
        """Print the parameters in force."""
        run = managed.run
        self._print({"type": "training_started", "parameters": run.parameters, "device": run.device})

    def on_episode(self, complete: EpisodeComplete) -> None:
        """Print the episode as on the wire."""
        self._print(complete)

    def on_problem(self, problem: Exception | str) -> None:
        """Print what was not saved or recorded; training goes on."""
        with suppress(OSError):
            print(f"hamlet: {problem}", file=sys.stderr)

    def on_end(self, result: RunResult) -> None:
        """Print how the run ended, unless the command ends with an error."""
        if result.problem is not None:
            return
        kind = "training_complete" if result.how == "complete" else "training_stopped"
        self._print(
            {
                "type": kind,
                "run_id": result.run_id,
                "episodes": result.episodes,
                "steps": result.steps,
                "model_saved": None if result.model is None else str(result.model),
                "final_avg_reward": result.average_reward,
                "final_avg_length": result.average_length,
            }
        )

    def _print(self, message: object) -> None:
        print(to_json(message).decode(), file=self._output, flush=True)


class ProgressReport(Report):
    """Show a progress bar with the newest episode's figures, means over the last five."""

    def __init__(self) -> None:
        self._console = Console(file=cast(TextIO, _Output()))
        self._progress = Progress(
            TextColumn("episode"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("return {task.fields[episode_return]:7.1f}"),
            TextColumn("survival {task.fields[survival]:5.0f}"),
            TextColumn("epsilon {task.fields[epsilon]:.2f}"),
            TextColumn("{task.fields[speed]:5.0f} steps/s"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._task = self._progress.add_task(
            "", total=None, episode_return=0.0, survival=0.0, epsilon=1.0, speed=0.0
        )
        self._started = time.monotonic()

    def close(self) -> None:
        """Stop the progress bar."""
        if self._progress.live.is_started:
            self._progress.stop()

    def on_start(self, managed: ManagedRun) -> None:
        """Begin the bar where the run begins, which is not at 0 when it is resumed."""
        run = managed.run
        parameters = run.parameters
        self._progress.start()
        self._progress.update(self._task, total=parameters.num_episodes, completed=run.completed)
        self._console.print(
            f"Training {parameters.network_type} for {parameters.num_episodes} episodes "
            f"with seed {parameters.seed} on {run.device}; Ctrl-C saves and ends."
        )

    def on_episode(self, complete: EpisodeComplete) -> None:
        """Move the bar."""
        self._progress.update(
            self._task,
            completed=complete.episode,
            episode_return=complete.avg_reward_5,
            survival=complete.avg_length_5,
            epsilon=complete.epsilon,
            speed=complete.steps_per_second,
        )
        usual, random = complete.evaluation, complete.evaluation_random
        if isinstance(usual, msgspec.UnsetType) or isinstance(random, msgspec.UnsetType):
            return
        self._console.print(
            f"episode {complete.episode}: the greedy policy survives {_told(usual)}; "
            f"from random starts {_told(random)}",
            highlight=False,
        )

    def on_problem(self, problem: Exception | str) -> None:
        """Print what was not saved or recorded; training goes on."""
        self._console.print(f"[red]{problem}[/red]")

    def on_end(self, result: RunResult) -> None:
        """Print the outcome and how to resume, unless the command ends with an error."""
        self.close()
        if result.problem is not None:
            return
        minutes, seconds = divmod(time.monotonic() - self._started, 60)
        self._console.print(
            f"{result.episodes} episodes, {result.steps:,} steps in {minutes:.0f} min {seconds:.0f} s."
        )
        if result.model is not None:
            self._console.print(
                f"Saved as {result.model}; `hamlet evaluate {result.model}` shows how long it survives."
            )
        if result.how == "interrupted":
            self._console.print("Interrupted." + _how_to_go_on(result), soft_wrap=True)


def _told(evaluation: EvaluationSummary) -> str:
    return f"{evaluation.mean_length:.0f} steps, return {evaluation.mean_return:.1f}"


def _how_to_go_on(result: RunResult) -> str:
    """Return the command that resumes an interrupted run, which remembers where it saves."""
    if result.model is None:
        return " Nothing was learnt yet; start again."
    return f" Go on with `hamlet train --resume {result.run_id}`."
