"""The folder of models: list them, resolve their names, read their metadata.

Listing and resolving need no torch; `details` imports it for a model that it does not know.
"""

import hashlib
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeAlias

import msgspec

from hamlet_trio.agent.checkpoint_bytes import CheckpointError, read_bytes
from hamlet_trio.agent.given_names import GivenNameError, GivenNames
from hamlet_trio.agent.model_cache import ModelCache
from hamlet_trio.agent.model_details import ModelDetails
from hamlet_trio.agent.stages import stage_of
from hamlet_trio.common.text import printable

if TYPE_CHECKING:
    from hamlet_trio.agent.checkpoint import Checkpoint

DEFAULT_MODEL: Final = "trained_agent.pt"
"""The model of the last finished run; the shipped one until there is any."""
SHIPPED_MODEL: Final = "shipped_agent.pt"
"""The shipped `trained_agent.pt`, once a run has finished; no file has this name."""
CACHE_FILE: Final = "models.cache"
"""The file of a data folder that keeps the details of validated models."""
MAX_LISTED: Final = 1000
"""Only this many of a folder's models, the newest, are listed; the others can still be loaded by name."""

_SUFFIX: Final = ".pt"
_MAX_NAME_BYTES: Final = 255
_LATEST: Final = 253_402_300_799  # the last second of the year 9999
_Stamp: TypeAlias = tuple[int, int, int]

__all__ = [
    "DEFAULT_MODEL",
    "MAX_LISTED",
    "SHIPPED_MODEL",
    "ModelDetails",
    "ModelFolder",
    "ModelNameError",
    "NotNamedError",
    "UnknownModelError",
    "problem_with_name",
    "run_models_path",
]


class ModelNameError(ValueError):
    """The name is not that of a model in the folder; the message says what is allowed."""


class UnknownModelError(ModelNameError):
    """No model has this name, which is a valid one."""


class NotNamedError(ModelNameError):
    """The model was shipped, or is a copy of another one: nobody gives it a name."""


class _Entry(NamedTuple):
    """One file of a folder."""

    folder: Path
    file: str
    modified_ns: int


class ModelFolder:
    """The models of a server: those of one folder and those that runs saved in another; thread-safe.

    `path` is the folder of the models that are shipped, in which no run writes. `runs` holds what runs saved,
    and as `trained_agent.pt` a copy of what the last finished one saved: from then on that name means it, and
    the shipped file of that name is `shipped_agent.pt`. Any other name that both folders have means the
    shipped model. A missing folder has no models.

    `cache` is where details of validated models are kept beyond this process.
    """

    def __init__(
        self, path: str | Path, runs: str | Path | None = None, cache: ModelCache | None = None
    ) -> None:
        self.path = Path(path)
        self.runs = None if runs is None else Path(runs)
        self._lock = threading.Lock()
        self._naming = threading.Lock()
        self._seen: dict[str, tuple[_Stamp, ModelDetails]] = {}
        self._cache = cache

    @classmethod
    def of(cls, *, models_dir: str, data_dir: str) -> Self:
        """Return the models of a server with these folders."""
        return cls(models_dir, run_models_path(data_dir), ModelCache(Path(data_dir) / CACHE_FILE))

    def names(self) -> list[str]:
        """Return at most `MAX_LISTED` names: trained_agent.pt, shipped_agent.pt, then the newest first."""
        return list(self._entries())

    def default_names(self) -> list[str]:
        """Return what a new session may begin with, best first: shipped models, never what a run saved."""
        entries = self._entries()
        names = [name for name, entry in entries.items() if entry.folder == self.path]
        return sorted(names, key=lambda name: name != SHIPPED_MODEL)

    def resolve(self, name: str) -> Path:
        """Return the file of an untrusted name; it lies in one of the folders, symbolic links followed.

        Raises `ModelNameError` for anything but the plain name of an existing `.pt` file of the folders.
        """
        problem = problem_with_name(name)
        if problem is not None:
            raise ModelNameError(f"The model name {printable(name)!r} {problem}.")
        for folder, file in self._places(name):
            if os.path.lexists(folder / file):
                return _resolve(folder, file, name)
        raise UnknownModelError(f"There is no model {printable(name)!r}; see the list of models.")

    def details(self) -> list[ModelDetails]:
        """Return the details of each model, in the order of `names`; slow for files that changed.

        A file is read again only when its modification time, size or inode changed, and validated only when
        neither this process nor the cache knows its content; both hold at most `MAX_LISTED`. A model's
        `evaluation` holds its numbers alone.
        """
        with self._lock:
            kept: dict[str, tuple[_Stamp, ModelDetails]] = {}
            validated: _Validated | None = None
            default = next(iter(self.default_names()), None)
            given_names = self._given_names()
            for name, entry in self._entries().items():
                try:
                    path = self.resolve(name)
                    status = path.stat()
                except (ModelNameError, OSError):
                    continue  # removed since it was listed
                stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
                seen = self._seen.get(name)
                if seen is None or seen[0] != stamp:
                    validated = validated or _Validated(self._cache)
                    seen = (stamp, validated.details(name, path, status))
                is_shipped = entry.folder == self.path
                told = msgspec.structs.replace(
                    seen[1],
                    source="shipped" if is_shipped else "run",
                    is_default=name == default,
                    given_name=None if is_shipped else given_names.get(name),
                )
                kept[name] = (stamp, told)
            self._seen = kept
            details = [details for _, details in kept.values()]
            if validated is not None:
                validated.save(details)
        return [_with_twin(one, details) for one in details]

    def name_model(self, name: str, given: str | None) -> str | None:
        """Give a run's model a name for people, or take it away with None; return the name as it is kept.

        Raises `ModelNameError` for a name that means no model of a run, `GivenNameError`, or `OSError`.
        """
        path = self.resolve(name)
        if self.runs is None or name == DEFAULT_MODEL or path.parent != self.runs.resolve():
            raise NotNamedError(f"The model {printable(name)!r} is not a run's own; only those get a name.")
        with self._naming:
            return GivenNames(self.runs).give(path.name, given)

    def _given_names(self) -> dict[str, str]:
        """Return the names that people gave; none while their file cannot be read."""
        if self.runs is None:
            return {}
        try:
            return GivenNames(self.runs).read()
        except (GivenNameError, OSError):
            return {}

    def _entries(self) -> dict[str, _Entry]:
        """Return what `resolve` would accept, in the order in which it is listed."""
        shipped = _scan(self.path)
        saved = {} if self.runs is None else _scan(self.runs)
        found = saved | shipped
        if DEFAULT_MODEL in saved:
            found[DEFAULT_MODEL] = saved[DEFAULT_MODEL]
            if DEFAULT_MODEL in shipped:
                found.setdefault(SHIPPED_MODEL, shipped[DEFAULT_MODEL])

        def order(item: tuple[str, _Entry]) -> tuple[bool, bool, int, str]:
            name, entry = item
            return name != DEFAULT_MODEL, name != SHIPPED_MODEL, -entry.modified_ns, name

        return dict(sorted(found.items(), key=order)[:MAX_LISTED])

    def _places(self, name: str) -> list[tuple[Path, str]]:
        """Return the files that a name may mean, in the order in which they are looked for."""
        places = [(self.path, name)]
        if self.runs is not None:
            places.insert(0 if name == DEFAULT_MODEL else 1, (self.runs, name))
        if name == SHIPPED_MODEL:
            places.append((self.path, DEFAULT_MODEL))
        return places


def run_models_path(data_dir: str | Path) -> Path:
    """Return the folder in a data folder in which runs save their models."""
    return Path(data_dir) / "models"


def _resolve(folder: Path, file: str, name: str) -> Path:
    try:
        folder = folder.resolve(strict=True)
        path = (folder / file).resolve(strict=True)
        is_file = path.is_file()
    except (OSError, RuntimeError):  # RuntimeError: a symlink loop, in Python before 3.13
        raise ModelNameError(f"There is no model {printable(name)!r}; see the list of models.") from None
    if not path.is_relative_to(folder):
        raise ModelNameError(f"The model {printable(name)!r} is a link that leaves the models folder.")
    if not is_file:
        raise ModelNameError(f"The model {printable(name)!r} is not a file.")
    return path


def _scan(folder: Path) -> dict[str, _Entry]:
    """Return the files of one folder that are models by their names."""
    found: dict[str, _Entry] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    if problem_with_name(entry.name) is None and entry.is_file():
                        if entry.is_symlink():
                            _resolve(folder, entry.name, entry.name)
                        found[entry.name] = _Entry(folder, entry.name, entry.stat().st_mtime_ns)
                except (ModelNameError, OSError):
                    continue  # a link that leaves the folder, or an entry removed meanwhile
    except OSError:
        return {}  # missing, not a folder or not readable: `hamlet serve` starts without models
    return found


def _with_twin(details: ModelDetails, others: list[ModelDetails]) -> ModelDetails:
    """Return the details with the name of another model of the same content, for the two special names."""
    if details.sha256 is None or details.name not in (DEFAULT_MODEL, SHIPPED_MODEL):
        return details
    same = [one.name for one in others if one.sha256 == details.sha256 and one.name != details.name]
    return msgspec.structs.replace(details, same_as=same[0]) if same else details


def problem_with_name(name: str) -> str | None:
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


class _Validated:
    """The details of files, from the cache where it knows their content."""

    def __init__(self, cache: ModelCache | None) -> None:
        self._cache = cache
        self._known = {} if cache is None else cache.read()

    def details(self, name: str, path: Path, status: os.stat_result) -> ModelDetails:
        """Return the details of a file, which is read whole."""
        moment = datetime.fromtimestamp(min(max(status.st_mtime, 0), _LATEST), UTC)
        modified = moment.isoformat(timespec="seconds").replace("+00:00", "Z")
        bare = ModelDetails(name=name, size_bytes=status.st_size, modified=modified)
        try:
            data = read_bytes(path)
            sha256 = hashlib.sha256(data).hexdigest()
        except CheckpointError as error:
            return msgspec.structs.replace(bare, error=str(error))
        known = self._known.get(sha256)
        if known is None:
            return _validate(data, msgspec.structs.replace(bare, sha256=sha256))
        return msgspec.structs.replace(known, name=name, size_bytes=status.st_size, modified=modified)

    def save(self, details: list[ModelDetails]) -> None:
        """Keep the valid ones of these, and no others."""
        valid = {
            one.sha256: msgspec.structs.replace(one, given_name=None)
            for one in details
            if one.sha256 is not None and one.error is None
        }
        if self._cache is not None and valid.keys() != self._known.keys():
            self._cache.write(valid)


def _validate(data: bytes, bare: ModelDetails) -> ModelDetails:
    """Return the details with what the content tells; the content is read as a session would."""
    from hamlet_trio.agent.checkpoint import parse_checkpoint  # noqa: PLC0415 (imports torch)

    try:
        checkpoint = parse_checkpoint(data, bare.name)
    except CheckpointError as error:
        return msgspec.structs.replace(bare, error=str(error))
    metadata = checkpoint.metadata
    return msgspec.structs.replace(
        bare,
        stage=stage_of(metadata),
        network_type=metadata.network_type,
        world_digest=_world_digest(checkpoint),
        episode=metadata.episode,
        seed=metadata.seed,
        evaluation=_scalars(metadata.evaluation),
        evaluation_random=_scalars(metadata.evaluation_random),
        title=metadata.title,
        story=metadata.story,
        watch_for=metadata.watch_for,
        command=metadata.command,
    )


def _world_digest(checkpoint: "Checkpoint") -> str | None:
    from hamlet_trio.world.world_file import digest_of  # noqa: PLC0415 (imports numpy)

    try:
        return digest_of(checkpoint.world_config())
    except msgspec.ValidationError:
        return None


def _scalars(values: dict[str, Any] | None) -> dict[str, Any] | None:
    if values is None:
        return None
    return {name: value for name, value in values.items() if isinstance(value, (int, float))}
