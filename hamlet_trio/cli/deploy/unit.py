"""Read the variables that systemd gives to a service: its unit's own and those of the files it names."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hamlet_trio.cli.deploy.environment import read_environment_file
from hamlet_trio.cli.errors import UserError

_SUFFIX: Final = ".service"


def read_unit(path: Path) -> dict[str, str]:
    """Return the variables of a unit's `Environment=` and `EnvironmentFile=`; the files win, as in systemd.

    `hamlet@8765.service` is read from `hamlet@.service` beside it, with 8765 for %i. Drop-ins made by
    `systemctl edit` are read too. Specifiers other than %i and %% are not expanded.

    Raises `UserError` if the unit, or a file that it needs, cannot be read.
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
    """Yield the assignments in the section [Service] of a file, in order."""
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
    """Parse a line of `Environment=`: one or more NAME=value, separated by spaces and possibly quoted."""
    try:
        words = shlex.split(value)
    except ValueError:
        raise UserError(f"--unit {file}: a quote is not closed in Environment={value}") from None
    return {name: text for name, equals, text in (word.partition("=") for word in words) if equals}
