"""What `hamlet sweep` prints: bars and a table for people, lines of JSON for machines."""

import time
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from hamlet_trio.cli.tables import console
from hamlet_trio.common.encoding import to_json
from hamlet_trio.common.text import printable
from hamlet_trio.protocol.sweeps import SweepProgress, SweepState, SweepStatus, SweepTrial
from hamlet_trio.training.sweep.local_sweep import SweepListener
from hamlet_trio.training.sweep.sweep_results import result_of
from hamlet_trio.training.sweep.sweep_store import SweepRecord

_MOST_TRIALS = 30


class SweepReport(SweepListener):
    """Show a sweep to the user of the command line, until it is closed."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class JsonSweepReport(SweepReport):
    """Print one JSON object a line: the sweep as it begins and ends, and each trial that begins or ends."""

    def __init__(self) -> None:
        self._trials: dict[int, SweepTrial] = {}
        self._sweep_id = ""

    def on_sweep(self, status: SweepStatus, *, resumed: bool) -> None:
        """Print all trials."""
        self._sweep_id = status.sweep_id
        self._trials = {trial.trial: trial for trial in status.trials}
        print(to_json(status).decode(), flush=True)

    def on_trial(self, trial: SweepTrial) -> None:
        """Print a trial whose state is new."""
        before, self._trials[trial.trial] = self._trials[trial.trial], trial
        if trial.state != before.state:
            result = result_of(self._sweep_id, self._trials.values())
            progress = SweepProgress(sweep_id=self._sweep_id, trials=[trial], result=result)
            print(to_json(progress).decode(), flush=True)

    def on_sweep_end(self, status: SweepStatus) -> None:
        """Print all trials, and what they show."""
        print(to_json(status).decode(), flush=True)


class ProgressSweepReport(SweepReport):
    """Show a bar for the sweep and one for each trial under way; then a table."""

    def __init__(self) -> None:
        self._console = Console()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[survival]}"),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._bars: dict[int, TaskID] = {}
        self._states: dict[int, str] = {}
        self._all: TaskID | None = None
        self._began = time.monotonic()
        self._cores: int | None = None  # of a cluster

    def close(self) -> None:
        """Stop the bars."""
        if self._progress.live.is_started:
            self._progress.stop()

    def on_cluster(self, address: str, nodes: int, cores: int) -> None:
        """Say where the trials are trained."""
        self._cores = cores
        many = "1 node" if nodes == 1 else f"{nodes} nodes"
        self._print(f"Ray cluster at {address}: {many}, {cores} cores.")

    def on_sweep(self, status: SweepStatus, *, resumed: bool) -> None:
        """Say what begins, or goes on."""
        self._states = {trial.trial: trial.state for trial in status.trials}
        complete = self._count("complete")
        left = f", {complete} of them complete already" if resumed else ""
        jobs = status.jobs if self._cores is None else min(status.jobs, self._cores)
        farewell = "saves and ends" if self._cores is None else "ends"
        self._print(
            f"Sweep {status.sweep_id}: {len(status.trials)} trials{left}, {jobs} at once; Ctrl-C {farewell}."
        )
        self._all = self._progress.add_task(
            "trials", total=len(status.trials), completed=complete, survival=""
        )
        self._progress.start()

    def on_trial(self, trial: SweepTrial) -> None:
        """Move its bar; print a line once it has ended."""
        before, self._states[trial.trial] = self._states[trial.trial], trial.state
        if trial.state == "running":
            if trial.trial not in self._bars:
                self._bars[trial.trial] = self._progress.add_task(
                    _name(trial), total=trial.num_episodes, survival=""
                )
            survival = f"survives {trial.evaluations[-1].length:.0f}" if trial.evaluations else ""
            self._progress.update(self._bars[trial.trial], completed=trial.episode, survival=survival)
        elif trial.state != before:
            if (bar := self._bars.pop(trial.trial, None)) is not None:
                self._progress.remove_task(bar)
            if self._all is not None:
                self._progress.update(self._all, completed=self._count("complete") + self._count("failed"))
            if trial.result is not None:
                self._print(
                    f"{_name(trial)}: survives {trial.result.length:.1f} steps from random starts, "
                    f"{trial.result.usual_length:.0f} from the usual one."
                )
            elif trial.state == "failed":
                self._print(f"{_name(trial)} failed: {trial.reason}")

    def on_interruption(self) -> None:
        """Say why it does not end at once."""
        self._print("Saving the trials under way." if self._cores is None else "Ending the trials under way.")

    def on_sweep_end(self, status: SweepStatus) -> None:
        """Print the table, and how to go on."""
        self.close()
        print_result(status.sweep_id, status.state, status.trials)
        minutes, seconds = divmod(time.monotonic() - self._began, 60)
        if status.state == "interrupted":
            self._print(
                f"Interrupted with {self._count('complete')} of {len(status.trials)} trials complete. "
                "The same command makes those that are missing."
            )
        else:
            self._print(f"{len(status.trials)} trials in {minutes:.0f} min {seconds:.0f} s.")

    def _count(self, state: str) -> int:
        return sum(each == state for each in self._states.values())

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def print_result(sweep_id: str, state: SweepState, trials: Sequence[SweepTrial]) -> None:
    """Print how the trials of a sweep compare, and its best model."""
    out, result = console(), result_of(sweep_id, trials)
    complete = [trial for trial in trials if trial.result is not None]
    out.print(f"Sweep {sweep_id}: {state}, {len(complete)} of {len(trials)} trials complete.", soft_wrap=True)
    table = Table()
    table.add_column("settings", overflow="fold")
    for column in ("trials", "median", "best", "worst", "best seed"):
        table.add_column(column, justify="right")
    by_number = {trial.trial: trial for trial in trials}
    for group in result.groups:
        figures = f"{group.median:.1f}", f"{group.best:.1f}", f"{group.worst:.1f}"
        seed = by_number[group.best_trial].seed
        table.add_row(_settings(group.settings, group.world) or "all", str(group.trials), *figures, str(seed))
    if result.groups:
        out.print(table)
        out.print("Steps survived after the last episode, the mean from random starts.")
    if len(complete) <= _MOST_TRIALS:
        _print_trials(complete)
    for trial in trials:
        if trial.state == "failed":
            out.print(f"{_name(trial)} failed: {printable(str(trial.reason))}", soft_wrap=True)
    if result.model is not None and result.best_trial is not None:
        best = by_number[result.best_trial]
        out.print(f"The best model, of {_name(best)}, is kept as {result.model}.", soft_wrap=True)


def _print_trials(trials: Sequence[SweepTrial]) -> None:
    if not trials:
        return
    table = Table()
    for column in ("trial", "seed", "random starts", "usual start"):
        table.add_column(column, justify="right")
    table.add_column("settings", overflow="fold")
    table.add_column("run", no_wrap=True)
    for trial in trials:
        assert trial.result is not None
        figures = f"{trial.result.length:.1f}", f"{trial.result.usual_length:.0f}"
        settings = _settings(trial.settings, trial.world)
        table.add_row(str(trial.trial), str(trial.seed), *figures, settings, trial.run_id)
    console().print(table)


def as_plain(record: SweepRecord) -> dict[str, Any]:
    """Return what a program is told of a sweep, as plain values."""
    trials = [
        msgspec.to_builtins(one.trial) | {"parameters": msgspec.to_builtins(one.parameters)}
        for one in record.trials
    ]
    return {
        "sweep_id": record.sweep_id,
        "state": record.state,
        "trials": trials,
        "result": msgspec.to_builtins(result_of(record.sweep_id, record.told())),
    }


def _name(trial: SweepTrial) -> str:
    settings = _settings(trial.settings, trial.world)
    return f"trial {trial.trial}, seed {trial.seed}" + (f", {settings}" if settings else "")


def _settings(settings: dict[str, Any], world: str | None) -> str:
    parts = [f"{name}={value}" for name, value in settings.items()]
    return printable(", ".join(parts + ([] if world is None else [f"world {world}"])))
