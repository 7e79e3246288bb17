"""The variables that systemd gives to a service: those in its unit, and those of the files that it names."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hamlet_trio.cli.deploy.environment import read_environment_file
from hamlet_trio.cli.errors import UserError

_SUFFIX: Final = ".service"


def read_unit(path: Path) -> dict[str, str]:
    """The variables of `Environment=` and `EnvironmentFile=` of a unit; a file's win, as under systemd.

    `hamlet@8765.service` is read from `hamlet@.service` beside it, with 8765 for %i. What `systemctl edit`
    has added lies in folders beside them and is read too. Other specifiers than %i and %% stay as they are.

    Raises `UserError` where the unit, or a file that it needs, cannot be read.
    """
    name, at, instance = path.name.removesuffix(_SUFFIX).partition("@")
    template = path.with_name(f"{name}{at}{_SUFFIX}")
    whole = path if path.exists() else template
    folders = dict.fromkeys(file.with_name(f"{file.name}.d") for file in (template, path))
    additions = sorted((file for folder in folders for file in folder.glob("*.conf")), key=lambda f: f.name)
    own: dict[str, str] = {}
    files: list[str] = []
    for file in (whole, *additions):
        for key, value in _assignments(file):
            filled = value.replace("%%", "\0").replace("%i", instance).replace("\0", "%")
            if key == "Environment":
                own = own | _variables(file, filled) if filled else {}
            elif key == "EnvironmentFile":
                files = [*files, filled] if filled else []
    for needed in files:
        named = Path(needed.removeprefix("-"))
        if named.exists() or not needed.startswith("-"):
            own |= read_environment_file(named)
    return own


def _assignments(file: Path) -> Iterator[tuple[str, str]]:
    """What the section [Service] of a file says, in its order."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--unit {file} cannot be read: {getattr(error, 'strerror', error)}.") from None
    section = ""
    for line in text.replace("\\\n", " ").splitlines():
        stripped = line.strip()
        if stripped.startswith("["):
            section = stripped
        elif section == "[Service]" and stripped and stripped[0] not in "#;":
            key, _, value = stripped.partition("=")
            yield key.strip(), value.strip()


def _variables(file: Path, value: str) -> dict[str, str]:
    """One line of `Environment=`: NAME=value, several of them apart by spaces, each perhaps in quotes."""
    try:
        words = shlex.split(value)
    except ValueError:
        raise UserError(f"--unit {file}: a quote is not closed in Environment={value}") from None
    return {name: text for name, equals, text in (word.partition("=") for word in words) if equals}
