"""Read the settings from the command line, the environment, a TOML file and the defaults."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from hamlet_trio.common.descriptions import allowed
from hamlet_trio.common.text import readable
from hamlet_trio.common.written_text import WrittenTextError, read_toml
from hamlet_trio.settings.fields import PATHS, PREFIX, PRODUCTION_DEFAULTS, Settings, SettingsError
from hamlet_trio.settings.safety import check_safety
from hamlet_trio.settings.variables import CONFIG, is_service_link, near_misses, unknown_variables

_LISTS: Final = frozenset(f.name for f in msgspec.structs.fields(Settings) if isinstance(f.default, tuple))
_SHOWN: Final = 200  # characters of a refused value
_PACKAGE: Final = Path(__file__).parents[1]
_INSTALLED_MODELS: Final = (_PACKAGE / "shipped_models", _PACKAGE.parent / "models")
"""Where the models are that came with the package: in a wheel, and in a checkout."""


def load_settings(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read the settings; `overrides` (from the command line, None meaning absent) win over everything.

    Where no setting names the models folder and the working folder has no `models`, it is the one that came
    with the package, if any.

    Blanks and line ends around a value are dropped; in the name of a folder or file, `~` is the home folder.

    Raises `SettingsError` for a value that is not allowed, a misspelt name, a file that cannot be read, or an
    insecure combination in production, naming the variable and what is allowed.
    """
    environment = os.environ if environment is None else environment
    _refuse_near_misses(environment)
    values: dict[str, Any] = {}
    if config_file := environment.get(CONFIG, "").strip():
        values.update(_read_file(Path(_expanded(CONFIG, config_file))))
    values.update(_read_environment(environment))
    values.update({name: value for name, value in overrides.items() if value is not None})
    if "models_dir" not in values and (installed := _installed_models()):
        values["models_dir"] = installed
    if values.get("profile") == "production":
        values = PRODUCTION_DEFAULTS | values
    for name in PATHS:
        if isinstance(path := values.get(name), str):
            values[name] = _expanded(_variable(name), path)
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        name = str(error).rpartition("`$.")[2].strip("`").partition("[")[0]
        shown = readable(values.get(name))[:_SHOWN]
        raise SettingsError(f"{_variable(name)}={shown}: it must be {allowed(Settings, name)}.") from None
    check_safety(settings)
    return settings


def _installed_models() -> str | None:
    """Return the folder of models that came with the package, unless the working folder has models."""
    if Path(Settings().models_dir).is_dir():
        return None
    return next((str(folder) for folder in _INSTALLED_MODELS if folder.is_dir()), None)


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _refuse_near_misses(environment: Mapping[str, str]) -> None:
    for variable in unknown_variables(environment):
        if meant := near_misses(variable[len(PREFIX) :], Settings.__struct_fields__):
            names = " or ".join(map(_variable, meant))
            raise SettingsError(f"{readable(variable)[:_SHOWN]} is not a setting; did you mean {names}?")


def _read_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in Settings.__struct_fields__:
        text = environment.get(_variable(name), "").strip()
        if text and not is_service_link(_variable(name), text):
            text = (
                text
                if name in PATHS
                else text.encode(errors="surrogateescape").decode(errors="backslashreplace")
            )
            values[name] = _split(text) if name in _LISTS else text
    return values


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _read_file(path: Path) -> dict[str, Any]:
    named = f"{CONFIG} names {readable(path)}"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{named}, which cannot be read: {error.strerror}.") from None
    try:
        values = read_toml(content)
    except WrittenTextError as error:
        raise SettingsError(f"{named}, which cannot be read: {error}.") from None
    for name, value in values.items():
        if name not in Settings.__struct_fields__:
            meant = near_misses(name.lower().removeprefix(PREFIX.lower()), Settings.__struct_fields__)
            hint = f"did you mean {' or '.join(meant)}?" if meant else "docs/settings.md lists the settings."
            raise SettingsError(f"{named}, where {readable(name)[:_SHOWN]} is not a setting; {hint}")
        if isinstance(value, str):
            values[name] = _split(value) if name in _LISTS else value.strip()
    return values


def _expanded(variable: str, path: str) -> str:
    """Return the path with a leading `~` replaced by the home folder."""
    if "\0" in path:
        raise SettingsError(f"{variable}={readable(path)[:_SHOWN]}: no file or folder can have this name.")
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        raise SettingsError(
            f"{variable}={readable(path)[:_SHOWN]}: there is no such home folder; write out the path."
        )
    return expanded
