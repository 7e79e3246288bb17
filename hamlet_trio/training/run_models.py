"""The models that runs save: a file of its own for each run, the last finished one, and how many are kept."""

import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from hamlet_trio.agent.given_names import GivenNameError, GivenNames
from hamlet_trio.agent.models import (
    DEFAULT_MODEL,
    SHIPPED_MODEL,
    ModelFolder,
    problem_with_name,
    run_models_path,
)
from hamlet_trio.common.files import write_atomically
from hamlet_trio.training.store import RunNotFoundError, RunStore

_OWN_NAME: Final = re.compile(r"run-(?P<run_id>\d{8}-\d{6}-[0-9a-f]{6})-ep\d+\.pt")
_DAY: Final = 86_400.0  # seconds


def own_name(run_id: str, episodes: int) -> str:
    """Return the name of a model's file that was given no other, `run-20250131-235959-a1b2c3-ep100.pt`."""
    return f"run-{run_id}-ep{episodes}.pt"


def is_own_name(name: str) -> bool:
    """Return whether a file is named as `own_name` names one."""
    return _OWN_NAME.fullmatch(name) is not None


def problem_with_choice(name: str, models: ModelFolder) -> str | None:
    """Return why a run's model cannot be saved under this name, to follow the name in a sentence."""
    if problem := problem_with_name(name):
        return problem
    if name in (DEFAULT_MODEL, SHIPPED_MODEL) or is_own_name(name):
        return "has a meaning of its own; give another name"
    if name in models.names():
        return "is taken, and no model is overwritten; give another name"
    return None


class RunModels:
    """Keep the models of runs in a data folder. Every method does file I/O."""

    def __init__(self, store: RunStore, *, kept: int) -> None:
        self._store = store
        self._kept = kept
        self.path: Final = run_models_path(store.data_dir)

    def publish(self, model: Path) -> None:
        """Make a copy of a finished run's model the one that `trained_agent.pt` means; raises `OSError`."""
        write_atomically(self.path / DEFAULT_MODEL, model.read_bytes())

    def drop(self, model: Path) -> None:
        """Remove a model that another file replaces, unless a person named it; raises `OSError`."""
        with suppress(GivenNameError):
            if model.name not in GivenNames(self.path).read():
                model.unlink(missing_ok=True)

    def prune(self) -> None:
        """Remove the oldest models of finished runs past the quota; one that was given a name stays.

        A file dated in the future, as by a clock that was wrong, neither counts nor goes before that day.
        """
        # Nothing goes while the names cannot be read: a person may have named it.
        with suppress(OSError, GivenNameError):
            named = GivenNames(self.path).read()
            paths = (path for path in self.path.iterdir() if path.name not in named)
            dated = [(path.stat().st_mtime, path) for path in paths if self._is_prunable(path)]
            present = sorted((entry for entry in dated if entry[0] < time.time() + _DAY), reverse=True)
            for _, path in present[self._kept :]:
                path.unlink(missing_ok=True)

    def _is_prunable(self, path: Path) -> bool:
        found = _OWN_NAME.fullmatch(path.name)
        if found is None:
            return False
        try:
            return self._store.read(found["run_id"]).state != "unfinished"
        except RunNotFoundError:  # its record was removed long ago
            return True
