"""Every setting, typed, with its environment variable, default and limits.

A setting `port` is read from the environment variable `HAMLET_PORT`, else from the TOML file that
`HAMLET_CONFIG` names, else from the profile's defaults, else from the default below. The table in
docs/settings.md is generated from this struct.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

PREFIX: Final = "HAMLET_"

Profile = Literal["development", "production"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "console", "json"]
DeviceName = Literal["auto", "cpu", "cuda"]


class SettingsError(ValueError):
    """A setting is unknown, out of range or unsafe; the message names its environment variable."""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything an operator can set."""

    profile: Annotated[Profile, Meta(description="development, or production with its stricter defaults")] = (
        "development"
    )
    host: Annotated[str, Meta(min_length=1, description="address to listen on")] = "0.0.0.0"  # noqa: S104
    port: Annotated[int, Meta(ge=0, le=65535, description="port to listen on; 0 lets the system choose")] = (
        8765
    )
    models_dir: Annotated[str, Meta(min_length=1, description="folder of the models to watch")] = "models"
    data_dir: Annotated[
        str,
        Meta(
            min_length=1, description="folder of the history, of what runs need to resume, and of recordings"
        ),
    ] = "data"
    allowed_origins: Annotated[
        tuple[str, ...],
        Meta(description='origins whose pages may connect, comma-separated; "*" for any. Scripts send none'),
    ] = ("*",)
    log_level: Annotated[LogLevel, Meta(description="least serious level that is logged")] = "info"
    log_format: Annotated[LogFormat, Meta(description="auto: console on a terminal, JSON elsewhere")] = "auto"
    max_sessions: Annotated[
        int, Meta(ge=1, le=100_000, description="inference sessions at once; more get 503")
    ] = 1000
    max_viewers: Annotated[
        int, Meta(ge=1, le=100_000, description="training viewers at once; more get 503")
    ] = 1000
    max_message_bytes: Annotated[
        int,
        Meta(
            ge=1024,
            le=16_777_216,
            description="largest message a client may send; a larger one closes with 1009",
        ),
    ] = 65_536
    command_rate: Annotated[
        float, Meta(ge=1, le=100_000, description="commands a second a connection may send in the long run")
    ] = 200
    command_burst: Annotated[
        int, Meta(ge=1, le=100_000, description="commands a connection may send at once")
    ] = 1000
    command_abuse: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="refused commands, without a calm between them, that close with 1008",
        ),
    ] = 2000
    send_timeout: Annotated[
        float, Meta(ge=0.1, le=3600, description="seconds a client may stop reading before it is dropped")
    ] = 20
    half_open_timeout: Annotated[
        float,
        Meta(
            ge=2, le=3600, description="seconds after which a client that vanished is noticed (TCP keepalive)"
        ),
    ] = 25
    viewer_frame_queue: Annotated[
        int,
        Meta(ge=1, le=10_000, description="frames that may wait for a slow viewer; older ones are dropped"),
    ] = 8
    viewer_event_queue: Annotated[
        int, Meta(ge=16, le=100_000, description="lifecycle events that may wait for a viewer; past it: 1013")
    ] = 1024
    compression: Annotated[bool, Meta(description="permessage-deflate; costs twice the CPU a message")] = (
        False
    )
    shutdown_grace: Annotated[
        float, Meta(ge=0.1, le=600, description="seconds the trainer gets to save when the server ends")
    ] = 10
    device: Annotated[DeviceName, Meta(description="where the trainer computes")] = "auto"
    history_runs: Annotated[
        int, Meta(ge=1, le=1_000_000, description="runs the history keeps; the oldest go first")
    ] = 1000
    history_episodes: Annotated[
        int,
        Meta(
            ge=1000,
            le=1_000_000_000,
            description="episodes the history keeps, of 200 bytes; the oldest runs go first",
        ),
    ] = 2_000_000
    recordings_kept: Annotated[
        int,
        Meta(ge=1, le=100_000, description="recordings kept of training, and as many of sessions; oldest go"),
    ] = 200


PRODUCTION_DEFAULTS: Final[dict[str, Any]] = {
    "host": "127.0.0.1",
    "allowed_origins": (),
    "log_level": "warning",
    "log_format": "json",
}


def load_settings(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read the settings; `overrides` (from the command line, None meaning absent) win over everything.

    Raises `SettingsError` for a value that is not allowed, a file that cannot be read, or an insecure
    combination in production, naming the variable and what is allowed.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    if config_file := environment.get(PREFIX + "CONFIG"):
        values.update(_read_file(Path(config_file)))
    values.update(_read_environment(environment))
    values.update({name: value for name, value in overrides.items() if value is not None})
    if values.get("profile") == "production":
        values = PRODUCTION_DEFAULTS | values
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(_explain(str(error), values)) from None
    _check_safety(settings)
    return settings


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"HAMLET_CONFIG names {path}, which cannot be read: {error.strerror}.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"HAMLET_CONFIG names {path}, which is not valid TOML: {error}.") from None


def _read_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(Settings):
        text = environment.get(PREFIX + field.name.upper())
        if text is None or text == "":
            continue
        is_list = field.name == "allowed_origins"
        values[field.name] = [part.strip() for part in text.split(",") if part.strip()] if is_list else text
    return values


def _explain(reason: str, values: Mapping[str, Any]) -> str:
    if "unknown field" in reason:
        name = reason.rpartition("unknown field ")[2].strip("`")
        return f"There is no setting {name}; docs/settings.md lists them."
    name = reason.rpartition("`$.")[2].strip("`").partition("[")[0]
    expected = reason.partition(" - at ")[0]
    return f"{PREFIX}{name.upper()}={values.get(name)!s}: {expected[0].lower()}{expected[1:]}."


def _check_safety(settings: Settings) -> None:
    """Refuse what would be unsafe in production."""
    if settings.profile == "production" and "*" in settings.allowed_origins:
        raise SettingsError(
            "HAMLET_ALLOWED_ORIGINS=* lets any page on the web connect, which production refuses; "
            "name your page's origins, such as https://hamlet.example.org."
        )
