"""Write TensorBoard event files of a run, for comparing runs there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from hamlet_trio.protocol.episode import FIGURES, EpisodeComplete
from hamlet_trio.protocol.parameters import world_of
from hamlet_trio.settings import Settings
from hamlet_trio.training.listener import RunListener
from hamlet_trio.training.managed_run import ManagedRun, StartError
from hamlet_trio.training.run_result import RunResult

FOLDER: Final = "tensorboard"
"""The folder in the data folder that holds a folder for each run."""

_COMPARED: Final = tuple(figure.tag for figure in FIGURES if figure.tag.startswith("evaluation"))
"""The figures by which TensorBoard's table of hyperparameters compares runs."""

_FLUSH_SECONDS: Final = 10


class EpisodeScalars(RunListener):
    """Write a point for each episode, at the environment steps of the run so far.

    Points are written by a thread of TensorBoard's own, every `_FLUSH_SECONDS`. A resumed run replaces what
    was written after its last save. A failure, such as a full disk, is reported once to `reporter`; nothing
    more is written then, and the run goes on.
    """

    def __init__(self, folder: Path, reporter: RunListener) -> None:
        """Raises `StartError` if TensorBoard is not installed."""
        try:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  # it takes seconds
            from torch.utils.tensorboard.summary import hparams  # noqa: PLC0415
        except ImportError as error:
            raise StartError(
                "TensorBoard is not installed; pip install 'hamlet-trio[tensorboard]', "
                "or train without its files."
            ) from error
        self._make = SummaryWriter
        self._summaries: Callable[..., Any] = hparams
        self._folder = folder
        self._reporter = reporter
        self._writer: Any = None
        self._is_closed = False

    @classmethod
    def wanted(cls, settings: Settings, run_id: str, reporter: RunListener) -> list["EpisodeScalars"]:
        """Return the listener of a run, in a list that is empty unless the settings ask for TensorBoard."""
        return [cls(Path(settings.data_dir) / FOLDER / run_id, reporter)] if settings.tensorboard else []

    def on_start(self, managed: ManagedRun) -> None:
        """Remember the run, for its steps."""
        self._run = managed.run

    def on_episode(self, complete: EpisodeComplete) -> None:
        """Add an episode's figures."""
        if self._is_closed:
            return
        steps = self._run.steps
        try:
            if self._writer is None:
                purge = steps if self._folder.exists() else None
                self._writer = self._make(str(self._folder), purge_step=purge, flush_secs=_FLUSH_SECONDS)
                self._write_hyperparameters()
            for figure in FIGURES:
                value = figure.of(complete)
                if figure.tag and value is not None:
                    self._writer.add_scalar(figure.tag, value, steps)
        except OSError as error:
            self._give_up(error)

    def on_end(self, result: RunResult) -> None:
        """Write what waits, and end the thread."""
        if self._is_closed or self._writer is None:
            return
        try:
            self._writer.close()
        except OSError as error:
            self._give_up(error)
        self._is_closed = True

    def _write_hyperparameters(self) -> None:
        """Write the run's parameters for TensorBoard's table of runs, beside the figures it compares."""
        parameters = msgspec.to_builtins(self._run.parameters)
        if parameters["world"] is not None:
            world = world_of(self._run.parameters)
            config = world.config
            untitled = f"{config.width} x {config.height} cells, digest {world.digest}"
            parameters["world"] = world.title or untitled
        known = {name: value for name, value in parameters.items() if value is not None}
        for summary in self._summaries(known, dict.fromkeys(_COMPARED, 0.0)):
            self._writer.file_writer.add_summary(summary)

    def _give_up(self, error: OSError) -> None:
        self._is_closed = True
        self._reporter.on_problem(
            f"TensorBoard's files in {self._folder} cannot be written: {error.strerror}."
        )
