"""What one run scored, the folder that keeps it, and the committed file of all that are published."""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bench.leaderboard.contest import Environment
from hamlet_trio.common.files import write_atomically

MEASURED: Final = Path(__file__).with_name("measured.json")


class Entry(Struct, frozen=True, kw_only=True):
    """One contender, trained and scored once.

    Attributes:
        contender, environment, seed: which run this was.
        steps: environment steps that it learnt from.
        survival, episode_return, completed: the means over the contest's episodes, as in `Score`.
        cpu_seconds: processor time of the training.
        versions: of what it was made with.
    """

    contender: str
    environment: Environment
    seed: int
    steps: int
    survival: float
    episode_return: float = msgspec.field(name="return")
    completed: float
    cpu_seconds: float
    versions: dict[str, str]


class EntryFolder:
    """Entries as files, named by contender, environment and seed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def has(self, contender: str, environment: Environment, seed: int) -> bool:
        """Return whether this run has been made."""
        return self._file(contender, environment, seed).is_file()

    def save(self, entry: Entry) -> None:
        """Keep an entry; a file of that name is there whole or not at all."""
        self._path.mkdir(parents=True, exist_ok=True)
        path = self._file(entry.contender, entry.environment, entry.seed)
        write_atomically(path, msgspec.json.encode(entry) + b"\n")

    def all(self) -> list[Entry]:
        """Return every entry, by contender, environment and seed."""
        paths = self._path.glob("*.json")
        found = [msgspec.json.decode(path.read_bytes(), type=Entry) for path in paths]
        return sorted(found, key=lambda entry: (entry.contender, entry.environment, entry.seed))

    def _file(self, contender: str, environment: Environment, seed: int) -> Path:
        return self._path / f"{contender}-{environment}-{seed}.json"


def published() -> list[Entry]:
    """Return the committed entries."""
    return msgspec.json.decode(MEASURED.read_bytes(), type=list[Entry])


def encode(entries: list[Entry]) -> bytes:
    """Return entries as the committed file has them: one on each line, so that versions can be compared."""
    return b"[\n" + b",\n".join(msgspec.json.encode(entry) for entry in entries) + b"\n]\n"
