"""The names that people give to the models of runs, in a file beside them.

A model's file keeps its name, so that the history, recordings and links still find it.
"""

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from hamlet_trio.common.decoding import decode_json
from hamlet_trio.common.encoding import to_json
from hamlet_trio.common.files import read_regular, write_atomically
from hamlet_trio.common.text import printable

LONGEST_NAME: Final = 60  # characters
MOST_NAMES: Final = 200

_FORM: Final = 1
_MAX_BYTES: Final = 1 << 20


class GivenNameError(ValueError):
    """A name cannot be given; the message says why."""


class NamesDamagedError(GivenNameError):
    """The file of names is damaged, or of a newer version; it is left as it is."""


class NameTakenError(GivenNameError):
    """Another model has this name."""


class NamesFullError(GivenNameError):
    """As many models as are allowed have a name."""


class _NamesFile(Struct, frozen=True):
    """The content of the file: given names by the names of the models' files."""

    names: dict[str, str]
    form: int = _FORM


class GivenNames:
    """The given names of one folder of models. Every method does file I/O."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path: Final = folder / "names.json"

    def read(self) -> dict[str, str]:
        """Return the given names by file names; none if the file is missing.

        Raises `OSError`, or `NamesDamagedError`.
        """
        try:
            content = read_regular(self.path, _MAX_BYTES)
        except FileNotFoundError:
            return {}
        try:
            found = decode_json(content, _NamesFile)
        except msgspec.DecodeError as error:
            raise NamesDamagedError(f"{self.path.name} is damaged: {printable(error, 200)}.") from error
        if found.form > _FORM:
            raise NamesDamagedError(f"{self.path.name} was written by a newer Hamlet.")
        try:
            return {file: checked_name(name) for file, name in found.names.items()}
        except GivenNameError as error:
            raise NamesDamagedError(f"{self.path.name} is damaged: {error}") from None

    def give(self, model: str, given: str | None) -> str | None:
        """Give a model's file a name, or take it away with None; return the name as it is kept.

        Names of files that are gone are dropped.
        Raises `GivenNameError`, or `OSError`.
        """
        names = {file: name for file, name in self.read().items() if (self._folder / file).is_file()}
        others = {file: name for file, name in names.items() if file != model}
        if given is not None:
            given = checked_name(given)
            if any(_folded(given) == _folded(name) for name in others.values()):
                raise NameTakenError(f"Another model is named {given!r}; choose another name.")
            if len(others) >= MOST_NAMES:
                raise NamesFullError(f"{MOST_NAMES} models have a name, which is the limit; take one away.")
            others[model] = given
        self._write(others)
        return given

    def _write(self, names: Mapping[str, str]) -> None:
        ordered = dict(sorted(names.items()))
        write_atomically(self.path, msgspec.json.format(to_json(_NamesFile(ordered)), indent=2))


def checked_name(given: str) -> str:
    """Return a name with its spaces in order; raises `GivenNameError` for one that is not allowed."""
    name = " ".join(unicodedata.normalize("NFC", given).split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise GivenNameError(f"A name has 1 to {LONGEST_NAME} characters; this one has {len(name)}.")
    if not name.isprintable():
        raise GivenNameError("The name holds a character that cannot be shown.")
    return name


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
