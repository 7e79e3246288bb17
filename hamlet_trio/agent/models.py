"""The folder of models: list them, resolve their names, read their metadata.

Listing and resolving need no torch; `details` imports it when first called.
"""

import hashlib
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

from msgspec import Meta, Struct

from hamlet_trio.common.text import printable

DEFAULT_MODEL: Final = "trained_agent.pt"
MAX_LISTED: Final = 1000
"""Only this many of a folder's models, the newest, are listed; the others can still be loaded by name."""

_SUFFIX: Final = ".pt"
_MAX_NAME_BYTES: Final = 255
_LATEST: Final = 253_402_300_799  # the last second of the year 9999
_Stamp: TypeAlias = tuple[int, int, int]


class ModelNameError(ValueError):
    """A name of no model in the folder; the message says what is allowed."""


class ModelDetails(Struct, frozen=True, kw_only=True):
    """One model. Of a file that cannot be read, only its name, size and time are known."""

    name: Annotated[str, Meta(description="file name of the model")]
    size_bytes: Annotated[int, Meta(description="size of the file")]
    modified: Annotated[str, Meta(description="when the file was written; ISO 8601, UTC")]
    sha256: Annotated[str | None, Meta(description="SHA-256 of the file, in hexadecimal")] = None
    network_type: Annotated[str | None, Meta(description="type of the Q-network")] = None
    episode: Annotated[int | None, Meta(description="number of episodes it was trained for")] = None
    seed: Annotated[int | None, Meta(description="seed of the run that trained it")] = None
    evaluation: Annotated[
        dict[str, Any] | None, Meta(description="figures of its greedy evaluation, by name")
    ] = None
    title: Annotated[str | None, Meta(description="title for people")] = None
    story: Annotated[str | None, Meta(description="how it came about, for people")] = None
    watch_for: Annotated[str | None, Meta(description="behaviour worth watching for")] = None
    command: Annotated[str | None, Meta(description="command that trained it")] = None
    error: Annotated[str | None, Meta(description="why the file cannot be read, in one sentence")] = None


class ModelFolder:
    """The models in one folder; thread-safe. A missing folder has no models."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._cache: dict[str, tuple[_Stamp, ModelDetails]] = {}

    def names(self) -> list[str]:
        """Return the models' names, `trained_agent.pt` first, then the newest first, at most `MAX_LISTED`."""
        found = self._scan()
        found.sort(key=lambda entry: (entry[0] != DEFAULT_MODEL, -entry[1], entry[0]))
        return [name for name, _ in found[:MAX_LISTED]]

    def resolve(self, name: str) -> Path:
        """Return the file of an untrusted name; it lies in the folder, symbolic links followed.

        Raises `ModelNameError` for anything but the plain name of an existing `.pt` file of this folder.
        """
        problem = _problem_with(name)
        if problem is not None:
            raise ModelNameError(f"The model name {printable(name)!r} {problem}.")
        try:
            folder = self.path.resolve(strict=True)
            path = (folder / name).resolve(strict=True)
            is_file = path.is_file()
        except (OSError, RuntimeError):  # RuntimeError: a symlink loop, in Python before 3.13
            raise ModelNameError(f"There is no model {printable(name)!r}; see the list of models.") from None
        if not path.is_relative_to(folder):
            raise ModelNameError(f"The model {printable(name)!r} is a link that leaves the models folder.")
        if not is_file:
            raise ModelNameError(f"The model {printable(name)!r} is not a file.")
        return path

    def details(self) -> list[ModelDetails]:
        """Return the details of each model, in the order of `names`; slow for files that changed.

        A file is read again only when its modification time, size or inode changed; at most `MAX_LISTED` are
        cached. A model's `evaluation` holds its numbers alone.
        """
        with self._lock:
            kept: dict[str, tuple[_Stamp, ModelDetails]] = {}
            for name in self.names():
                try:
                    path = self.resolve(name)
                    status = path.stat()
                except (ModelNameError, OSError):
                    continue  # removed since it was listed
                stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
                cached = self._cache.get(name)
                kept[name] = cached if cached and cached[0] == stamp else (stamp, _read(name, path, status))
            self._cache = kept
            return [details for _, details in kept.values()]

    def _scan(self) -> list[tuple[str, int]]:
        """Return the names that `resolve` would accept, with modification times in ns."""
        found: list[tuple[str, int]] = []
        try:
            with os.scandir(self.path) as entries:
                for entry in entries:
                    try:
                        if _problem_with(entry.name) is None and entry.is_file():
                            if entry.is_symlink():
                                self.resolve(entry.name)
                            found.append((entry.name, entry.stat().st_mtime_ns))
                    except (ModelNameError, OSError):
                        continue  # a link that leaves the folder, or an entry removed meanwhile
        except OSError:
            return []  # missing, not a folder or not readable: `hamlet serve` starts without models
        return found


def _problem_with(name: str) -> str | None:
    """Return what is wrong with a model's name, to follow the name in a sentence; None for a good one."""
    plain = "give the name of a file in the models folder"
    problems = (
        (not name, f"is empty; {plain}"),
        # JSON can carry half of a surrogate pair, which is not printable either.
        (
            len(name.encode(errors="surrogatepass")) > _MAX_NAME_BYTES,
            f"is longer than {_MAX_NAME_BYTES} bytes",
        ),
        ("/" in name or "\\" in name, f"holds a path separator; {plain}"),
        (":" in name, f"holds the mark of a drive; {plain}"),
        (not name.isprintable(), "holds a character that cannot be shown"),
        (name.startswith("."), f"begins with a dot; {plain}"),
        (not name.endswith(_SUFFIX), f"does not end in {_SUFFIX}"),
    )
    return next((problem for applies, problem in problems if applies), None)


def _read(name: str, path: Path, status: os.stat_result) -> ModelDetails:
    from hamlet_trio.agent.checkpoint import parse_checkpoint  # noqa: PLC0415 (imports torch)
    from hamlet_trio.agent.safe_load import CheckpointError, read_bytes  # noqa: PLC0415 (imports torch)

    moment = datetime.fromtimestamp(min(max(status.st_mtime, 0), _LATEST), UTC)
    modified = moment.isoformat(timespec="seconds").replace("+00:00", "Z")
    sha256 = None
    try:
        data = read_bytes(path)
        sha256 = hashlib.sha256(data).hexdigest()
        metadata = parse_checkpoint(data, name).metadata
    except CheckpointError as error:
        return ModelDetails(
            name=name, size_bytes=status.st_size, modified=modified, sha256=sha256, error=str(error)
        )
    return ModelDetails(
        name=name,
        size_bytes=status.st_size,
        modified=modified,
        sha256=sha256,
        network_type=metadata.network_type,
        episode=metadata.episode,
        seed=metadata.seed,
        evaluation=None if metadata.evaluation is None else _scalars(metadata.evaluation),
        title=metadata.title,
        story=metadata.story,
        watch_for=metadata.watch_for,
        command=metadata.command,
    )


def _scalars(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if isinstance(value, (int, float))}
