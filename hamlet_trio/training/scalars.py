"""TensorBoard's event files of a run, for those who compare runs there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from hamlet_trio.protocol.episode import FIGURES, EpisodeComplete

FOLDER: Final = "tensorboard"
"""In the data folder; each run has a folder of its own in it."""

_FLUSH_SECONDS: Final = 10


class TensorBoardMissingError(Exception):
    """TensorBoard is not installed; the message says how to install it."""


class EpisodeScalars:
    """Writes a point for each episode, at the environment steps of the run so far.

    Points are written by a thread of TensorBoard's own, every `_FLUSH_SECONDS`. A run that goes on from where
    it was saved replaces what came after that. Trouble, such as a full disk, is told once to `on_trouble`;
    nothing more is written then, and the run goes on.
    """

    def __init__(self, folder: Path, on_trouble: Callable[[str], object]) -> None:
        """Raises `TensorBoardMissingError` where TensorBoard is not installed."""
        try:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  # it takes seconds
        except ImportError as error:
            raise TensorBoardMissingError(
                "TensorBoard is not installed; pip install 'hamlet-trio[tensorboard]', "
                "or train without its files."
            ) from error
        self._make = SummaryWriter
        self._folder = folder
        self._on_trouble = on_trouble
        self._writer: Any = None
        self._closed = False

    def add(self, complete: EpisodeComplete, steps: int) -> None:
        """Add an episode's figures; `steps` are the run's, with this episode's."""
        if self._closed:
            return
        try:
            if self._writer is None:
                purge = steps if self._folder.exists() else None
                self._writer = self._make(str(self._folder), purge_step=purge, flush_secs=_FLUSH_SECONDS)
            for figure in FIGURES:
                value = figure.of(complete)
                if figure.tag and value is not None:
                    self._writer.add_scalar(figure.tag, value, steps)
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Write what waits, and end the thread."""
        if self._closed or self._writer is None:
            return
        try:
            self._writer.close()
        except OSError as error:
            self._give_up(error)
        self._closed = True

    def _give_up(self, error: OSError) -> None:
        self._closed = True
        self._on_trouble(f"TensorBoard's files in {self._folder} cannot be written: {error.strerror}.")
