"""Check the settings of a service: its variables, and the folders and files they name."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hamlet_trio.cli.deploy.deployment_files import read_file
from hamlet_trio.cli.deploy.findings import Finding, fine, problem, warning
from hamlet_trio.cli.errors import UserError
from hamlet_trio.common.text import printable
from hamlet_trio.settings import Settings, SettingsError, load_settings, unknown_variables


def read_environment_file(path: Path) -> dict[str, str]:
    """Return the variables of a file as systemd's `EnvironmentFile=` reads it: one NAME=value per line.

    Skips empty lines and lines that begin with # or ;. A value may be quoted. Raises `UserError` if the file
    cannot be read or a line has another form.
    """
    variables: dict[str, str] = {}
    for number, line in enumerate(read_file("--env", path).splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        name, equals, value = stripped.partition("=")
        if not equals or not name.isidentifier():
            shown = printable(stripped)
            raise UserError(f"--env {path}, line {number}: {shown!r} is not of the form NAME=value.")
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        variables[name] = value
    return variables


def check_settings(
    environment: Mapping[str, str], made: Sequence[str] = ()
) -> tuple[Settings | None, list[Finding]]:
    """Load the settings as the server will; return None for settings it would refuse.

    Files are judged as this process's effective user. The service's manager makes the folders in `made`.
    """
    findings = [
        warning("settings", f"{name} is not a setting and has no effect; docs/settings.md lists them.")
        for name in unknown_variables(environment)
    ]
    try:
        settings = load_settings(environment)
    except SettingsError as error:
        return None, [*findings, problem("settings", str(error))]
    findings.append(fine("settings", "The server accepts all of them."))
    findings += _check_profile(settings)
    findings += _check_folders(settings, made)
    findings += _check_secrets(settings)
    return settings, findings


def _check_profile(settings: Settings) -> Iterator[Finding]:
    if settings.profile != "production":
        yield problem(
            "profile",
            "The development profile allows any page to connect; set HAMLET_PROFILE=production.",
        )
    elif not settings.allowed_origins:
        yield problem(
            "origins",
            "No page may connect; name the one that people open, such as "
            "HAMLET_ALLOWED_ORIGINS=https://hamlet.example.org.",
        )
    if settings.host not in ("127.0.0.1", "::1", "localhost"):
        yield warning(
            "host",
            f"HAMLET_HOST={settings.host} can be reached without nginx, and so without TLS and its limits; "
            "127.0.0.1 cannot.",
        )


def may(path: str | Path, mode: int) -> bool:
    """Return whether this process's effective user may use a path in this mode, such as `os.R_OK`."""
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _check_folders(settings: Settings, made: Sequence[str]) -> Iterator[Finding]:
    models = Path(settings.models_dir)
    if not os.path.isdir(models) and settings.models_dir in made:
        yield warning("models", f"{models} will be made, without a model: an untrained agent plays.")
    elif not os.path.isdir(models):
        yield problem("models", f"There is no folder {models}; make it, or set HAMLET_MODELS_DIR.")
    elif not may(models, os.R_OK | os.X_OK):
        yield problem("models", f"{models} cannot be read by the service's user; give it to that user.")
    elif not any(models.glob("*.pt")):
        yield warning("models", f"{models} holds no model yet: an untrained agent plays.")
    elif not may(models, os.W_OK) and settings.models_dir not in made:
        yield warning("models", f"{models} cannot be written, so a run could not save its model there.")
    else:
        yield fine("models", f"{models} can be read and written.")
    data = Path(settings.data_dir)
    nearest = next(folder for folder in (data, *data.absolute().parents) if os.path.exists(folder))
    if settings.data_dir in made:
        yield fine("data", f"The service's manager makes {data}.")
    elif not nearest.is_dir():
        yield problem("data", f"{nearest} is not a folder; set HAMLET_DATA_DIR.")
    elif not may(nearest, os.W_OK | os.X_OK):
        yield problem("data", f"{data} cannot be written by the service's user; give it to that user.")
    else:
        yield fine("data", f"{data} can be written{'' if os.path.exists(data) else ', and will be made'}.")


def _check_secrets(settings: Settings) -> Iterator[Finding]:
    """Check the tokens file and cookie key: readable, private, and with a teacher's token."""
    from hamlet_trio.web.access.cookies import cookie_key_path
    from hamlet_trio.web.access.token_file import tokens_path

    if settings.login == "nobody":
        return
    tokens, key = tokens_path(settings), cookie_key_path(settings)
    yield from _check_teachers(settings)
    for variable, path in (("HAMLET_TOKENS_FILE", tokens), ("HAMLET_COOKIE_KEY_FILE", key)):
        if not os.path.exists(path):
            if path == key:
                yield fine(variable, f"{path} will be made at the first start.")
        elif not may(path, os.R_OK):
            yield problem(variable, f"{path} cannot be read by the service's user; give it to that user.")
        elif path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield problem(variable, f"Others on this machine can read {path}; chmod go= {path}.")
        else:
            yield fine(variable, f"{path} can be read, by the service alone.")


def _check_teachers(settings: Settings) -> Iterator[Finding]:
    from hamlet_trio.web.access.roles import Role
    from hamlet_trio.web.access.token_file import TokenFileError, check_access, read_tokens, tokens_path

    try:
        check_access(settings)
    except SettingsError as error:
        yield problem("login", str(error))
        return
    try:
        known = read_tokens(tokens_path(settings))
    except TokenFileError as error:
        yield problem("login", str(error))
        return
    if not known.has(Role.TEACHER) and not settings.trusted_teachers:
        yield problem("login", "Every teacher's token has expired; hamlet tokens create --role teacher.")
    elif settings.login == "everyone" and not known.has(Role.VIEWER) and not settings.trusted_user_header:
        yield warning(
            "login",
            "Watching needs a login, and there is no class code; "
            "hamlet tokens create --role viewer --class-code --name NAME makes one.",
        )
    else:
        yield fine("login", f"HAMLET_LOGIN={settings.login}, and there is a teacher.")
