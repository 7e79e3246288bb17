"""What one run of a configuration came to, and the folder that keeps it."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from hamlet_trio.common.files import write_atomically

PACKAGES: Final = ("hamlet-trio", "torch", "numpy")


class Point(Struct, frozen=True, kw_only=True):
    """A greedy evaluation on the way: when, how many steps it lived, and with what return."""

    episode: int
    steps: int
    survival: float
    episode_return: float = msgspec.field(name="return")


class Result(Struct, frozen=True, kw_only=True):
    """One configuration, trained once.

    Attributes:
        configuration, episodes, seed: which run this was.
        steps, updates: environment steps and gradient updates of the whole run.
        survival, episode_return: steps lived and undiscounted return from the usual start, at most 500 steps.
            Of a policy without chance one episode, since each is the same; of chance the mean over many.
        random_start_survival: the mean steps lived from random starts.
        random_starts: how many random starts that is the mean of; 100 others in results of before version 3.
        many_starts_survival: the mean steps lived from 1,000 other random starts; None where not measured.
        random_start_completed: the share of these episodes that reached the cap; None in such results.
        curve: evaluations on the way.
        wall_seconds, cpu_seconds: what the training took, its evaluations included; the processor time is
            what a run takes on a core of its own, whatever else goes on.
        versions: of what it was made with.
    """

    configuration: str
    episodes: int
    seed: int
    steps: int
    updates: int
    survival: float
    episode_return: float = msgspec.field(name="return")
    random_start_survival: float
    random_starts: int = 100
    random_start_completed: float | None = None
    many_starts_survival: float | None = None
    curve: list[Point]
    wall_seconds: float
    cpu_seconds: float
    versions: dict[str, str]


def versions(*more: str) -> dict[str, str]:
    """The versions of Python and of the packages that decide a result."""
    return {"python": platform.python_version()} | {name: version(name) for name in (*PACKAGES, *more)}


class ResultFolder:
    """Results as files, one a run, named by what was run."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, configuration: str, episodes: int, seed: int) -> Result | None:
        """A run's result, None if it has not been made. Raises `msgspec.DecodeError` for a damaged one."""
        path = self._file(configuration, episodes, seed)
        return msgspec.json.decode(path.read_bytes(), type=Result) if path.is_file() else None

    def save(self, result: Result) -> None:
        """Keep a result; a file of that name is there whole or not at all."""
        self._path.mkdir(parents=True, exist_ok=True)
        path = self._file(result.configuration, result.episodes, result.seed)
        write_atomically(path, msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")

    def all(self) -> list[Result]:
        """Every result, by configuration, episodes and seed."""
        found = [
            msgspec.json.decode(path.read_bytes(), type=Result) for path in sorted(self._path.glob("*.json"))
        ]
        return sorted(found, key=lambda result: (result.configuration, result.episodes, result.seed))

    def _file(self, configuration: str, episodes: int, seed: int) -> Path:
        return self._path / f"{configuration}-{episodes}-{seed}.json"
