"""Keep worlds by name: the presets that come with the package, and the worlds of one folder.

Presets are read-only. A world of the folder is one file, `NAME.json` or `NAME.toml`; they are saved as JSON.
"""

import hashlib
import os
import re
import threading
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from hamlet_trio.common.files import read_regular, write_atomically
from hamlet_trio.common.text import printable, readable
from hamlet_trio.world.world_file import MAX_BYTES, World, WorldError, as_fields, load_world, read_world

USUAL: Final = "usual"
MAX_WORLDS: Final = 200
"""Worlds in the folder, at most."""
ANY_VERSION: Final = "*"
"""Stands for whichever version of a world is there."""

_PRESETS: Final = Path(__file__).with_name("presets")
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_NAME_RULE: Final = "A world's name has 1 to 64 lower-case letters, digits and inner hyphens."


def worlds_path(data_dir: str) -> Path:
    """Return the folder of worlds in a data folder."""
    return Path(data_dir) / "worlds"


class UnknownWorldError(LookupError):
    """There is no world of this name; the message says where to look."""


class ReadOnlyWorldError(Exception):
    """The world is a preset, which cannot be changed."""


class WorldExistsError(Exception):
    """There is a world of this name, in another version than the writer has seen."""


class WorldsFullError(Exception):
    """The folder has as many worlds as are allowed."""


class NamedWorld(Struct, frozen=True, kw_only=True):
    """A world of the library.

    Attributes:
        name: lower-case letters, digits and hyphens; for a file that can name no world, that of the file.
        preset: whether it comes with the package.
        world: None where the file cannot be used.
        error: why it cannot be used, in one sentence.
    """

    name: str
    preset: bool
    world: World | None
    error: str | None = None


class StoredWorld(Struct, frozen=True, kw_only=True):
    """A world as it is stored; `version` is that of its file."""

    world: World
    preset: bool
    version: str


class WorldLibrary:
    """The presets and the worlds of one folder; thread-safe. A missing folder has no worlds.

    Methods do file I/O.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def worlds(self) -> list[NamedWorld]:
        """Return all worlds, the presets first; a file that cannot be used is listed with its error."""
        presets = {path.stem: path for path in _PRESETS.glob("*.toml")}
        files = list(islice(self._files(), 2 * MAX_WORLDS))
        own = {name: path for name, path in self._own().items() if name not in presets}
        order = sorted(presets, key=lambda name: (name != USUAL, name))
        return [
            *(_read(name, presets[name], preset=True) for name in order),
            *(_read(name, own[name], preset=False) for name in sorted(own)),
            *(_unnamed(path, own) for path in files if path not in own.values()),
        ]

    def get(self, name: str) -> World:
        """Return the world of an untrusted name. Raises `UnknownWorldError`, `WorldError`."""
        return self.stored(name).world

    def stored(self, name: str) -> StoredWorld:
        """Return the world of an untrusted name with its version; raises as `get` does."""
        preset = _preset(name)
        path = preset or self._own().get(name)
        if path is None:
            raise _unknown(name)
        try:
            data = read_regular(path, MAX_BYTES + 1)
            world = read_world(data, "toml" if path.suffix == ".toml" else "json")
        except FileNotFoundError:
            raise UnknownWorldError(f"There is no world {printable(name)!r} any more.") from None
        except OSError as error:
            raise WorldError(f"The world {name} cannot be read: {error.strerror}.") from None
        return StoredWorld(world=world, preset=preset is not None, version=_version(data))

    def save(self, name: str, world: World, *, replacing: str | None = None) -> bool:
        """Save a world under a name; return whether it is new.

        `replacing` is the version (`version_of`) that is to be replaced, `ANY_VERSION` for whichever there
        is, or None for a new world.

        Raises `WorldError` for a name that is not allowed, `ReadOnlyWorldError` for that of a preset,
        `WorldExistsError` where `replacing` is not the version in the folder, `WorldsFullError`, `OSError`.
        """
        assert self._folder is not None, "a library of presets alone saves nothing"
        if not _NAME.fullmatch(name):
            raise WorldError(_NAME_RULE, "name")
        if _preset(name):
            raise ReadOnlyWorldError(f"{name} is a preset and cannot be changed; choose another name.")
        with self._lock:
            own = self._own()
            there = own.get(name)
            if there is not None:
                _check_version(name, there, replacing)
            if there is None and replacing is not None:
                raise WorldExistsError(f"The world {name} was removed meanwhile.")
            if there is None and len(own) >= MAX_WORLDS:
                raise WorldsFullError(f"There are {MAX_WORLDS} worlds already; remove one first.")
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._folder / f"{name}.json", as_json(world))
            if there is not None and there.suffix != ".json":
                there.unlink()
        return there is None

    def delete(self, name: str, version: str | None = None) -> None:
        """Remove a world, with `version` only in that version.

        Raises `UnknownWorldError`, `ReadOnlyWorldError`, `WorldExistsError` for another version, `OSError`.
        """
        if _preset(name):
            raise ReadOnlyWorldError(f"{name} is a preset and cannot be removed.")
        with self._lock:
            path = self._own().get(name)
            if path is None:
                raise _unknown(name)
            _check_version(name, path, version or ANY_VERSION)
            path.unlink()

    def _own(self) -> dict[str, Path]:
        """Return the files of the folder by their worlds' names, at most twice `MAX_WORLDS`."""
        found: dict[str, Path] = {}
        for path in self._files():
            if path.suffix in (".json", ".toml") and _NAME.fullmatch(path.stem):
                found.setdefault(path.stem, path)  # of two files of one name, the JSON one
        return dict(islice(found.items(), 2 * MAX_WORLDS))

    def _files(self) -> Iterator[Path]:
        """Yield the files of the folder that are to be worlds, in the order of their names."""
        if self._folder is None:
            return
        try:
            with os.scandir(self._folder) as entries:
                paths = sorted(Path(entry.path) for entry in entries if entry.is_file())
        except OSError:
            return  # missing or unreadable: there are the presets
        for path in paths:
            if path.suffix.lower() in (".json", ".toml") and not path.name.startswith("."):
                yield path


def as_json(world: World) -> bytes:
    """Return the file of a world: its title, its text, and how it differs from the usual world."""
    return msgspec.json.format(msgspec.json.encode(as_fields(world)), indent=2)


def version_of(path: Path) -> str | None:
    """Return the version of a world's file, for `If-Match`; None where it cannot be read."""
    try:
        return _version(read_regular(path))
    except OSError:
        return None


def _check_version(name: str, path: Path, version: str | None) -> None:
    if version not in (ANY_VERSION, version_of(path)):
        raise WorldExistsError(
            f"There is a world {name} already; choose another name, or replace it."
            if version is None
            else f"There is a world {name} already, in another version than yours."
        )


def _unknown(name: str) -> UnknownWorldError:
    where = "`hamlet world list` and GET /api/worlds have those there are"
    return UnknownWorldError(f"There is no world {printable(name)!r}; {where}.")


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _preset(name: str) -> Path | None:
    path = _PRESETS / f"{name}.toml"
    return path if _NAME.fullmatch(name) and path.is_file() else None


def _unnamed(path: Path, own: Mapping[str, Path]) -> NamedWorld:
    """Return what is told of a file that can name no world."""
    if path.stem in own:
        error = f"{own[path.stem].name} has the same name, and is used instead."
    elif _preset(path.stem):
        error = f"{path.stem} is a preset; rename the file."
    else:
        error = f"{_NAME_RULE} Rename the file."
    return NamedWorld(name=readable(path.name), preset=False, world=None, error=error)


def _read(name: str, path: Path, *, preset: bool) -> NamedWorld:
    try:
        return NamedWorld(name=name, preset=preset, world=load_world(path))
    except WorldError as error:
        return NamedWorld(name=name, preset=preset, world=None, error=str(error))
    except OSError as error:
        return NamedWorld(name=name, preset=preset, world=None, error=f"It cannot be read: {error.strerror}.")
