"""Read a systemd unit as systemd does: its settings, its variables, and whom and where it runs."""

import os
import pwd
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import chdir, contextmanager, nullcontext
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from hamlet_trio.cli.deploy.deployment_files import read_file
from hamlet_trio.cli.deploy.environment import may, read_environment_file
from hamlet_trio.cli.deploy.findings import Finding, fine, problem, unchecked
from hamlet_trio.cli.errors import UserError
from hamlet_trio.common.text import printable
from hamlet_trio.settings import PREFIX, Settings

_SUFFIX: Final = ".service"
_PATIENCE: Final = 30.0  # seconds for the program to print its help
_TRUE: Final = ("yes", "true", "on", "1")
_OPTIONS: Final = ("host", "port", "models-dir", "data-dir", "profile")  # of `hamlet serve`, over variables
_HOMES: Final = ("/home", "/root", "/run/user")
_TEMPORARY: Final = ("/tmp", "/var/tmp")  # noqa: S108  # recognised, not used


class Unit(NamedTuple):
    """A unit: the last value of each key in [Service], and the variables that the service gets."""

    service: dict[str, str]
    variables: dict[str, str]

    @property
    def command(self) -> list[str]:
        """The words of `ExecStart=`, without the marks before the program."""
        words = shlex.split(self.service.get("ExecStart", ""))
        return [words[0].lstrip("@-:+!"), *words[1:]] if words else []

    def is_on(self, key: str) -> bool:
        """Whether a switch is on."""
        return self.service.get(key, "").lower() in _TRUE

    @property
    def hides_homes(self) -> bool:
        """Whether the service does not see the homes of users."""
        return self.service.get("ProtectHome", "no").lower() not in ("no", "false", "off", "0")

    @property
    def made_folders(self) -> list[str]:
        """The folders that systemd makes for the service, and gives to its user."""
        kinds = {"State": "/var/lib", "Cache": "/var/cache", "Logs": "/var/log", "Runtime": "/run"}
        return [
            f"{root}/{name}"
            for kind, root in kinds.items()
            for name in self.service.get(f"{kind}Directory", "").split()
        ]


def read_unit(path: Path) -> Unit:
    """Return a unit with the variables of its `Environment=`, `EnvironmentFile=` and `ExecStart=`.

    A file's variables win over the unit's, and options of the command over both. `hamlet@8765.service` is
    read from `hamlet@.service` beside it, with 8765 for %i. Drop-ins made by `systemctl edit` are read too.
    Specifiers other than %i and %% are not expanded.

    Raises `UserError` if the unit, or a file that it needs, cannot be read.
    """
    name, at, instance = path.name.removesuffix(_SUFFIX).partition("@")
    template = path.with_name(f"{name}{at}{_SUFFIX}")
    whole = path if path.exists() else template
    folders = dict.fromkeys(file.with_name(f"{file.name}.d") for file in (template, path))
    additions = sorted((file for folder in folders for file in folder.glob("*.conf")), key=lambda f: f.name)
    own: dict[str, str] = {}
    files: list[str] = []
    service: dict[str, str] = {}
    for file in (whole, *additions):
        for key, value in _assignments(file):
            filled = value.replace("%%", "\0").replace("%i", instance).replace("\0", "%")
            if key == "Environment":
                own = own | _variables(file, filled) if filled else {}
            elif key == "EnvironmentFile":
                files = [*files, filled] if filled else []
            else:
                service[key] = filled
    for needed in files:
        named = Path(needed.removeprefix("-"))
        if os.path.exists(named) or not needed.startswith("-"):
            own |= read_environment_file(named)
    unit = Unit(service, own)
    try:
        options = _options(unit.command)
    except ValueError:
        command = printable(service["ExecStart"])
        raise UserError(f"--unit {path}: a quote is not closed in ExecStart={command}") from None
    return unit._replace(variables=own | options)


@contextmanager
def acting_as(unit: Unit) -> Iterator[Finding | None]:
    """Act as the unit's user in its working folder, and yield as whom its files are judged."""
    user = unit.service.get("User", "root")
    folder = Path(unit.service.get("WorkingDirectory", "/").lstrip("-"))
    with chdir(folder) if folder.is_dir() else nullcontext():
        if os.geteuid() != 0:
            own = pwd.getpwuid(os.geteuid()).pw_name
            advice = f"Judged as {own}, not as {user}, whom the service runs as; run this with sudo."
            yield None if own == user else unchecked("user", advice)
            return
        try:
            account = pwd.getpwnam(user)
        except KeyError:
            yield problem("user", f"There is no user {user}; sudo useradd --system {user}.")
            return
        groups, before = os.getgroups(), os.getegid()
        os.setgroups(os.getgrouplist(user, account.pw_gid))
        os.setegid(account.pw_gid)
        os.seteuid(account.pw_uid)
        try:
            yield fine("user", f"Judged as {user}, whom the service runs as.")
        finally:
            os.seteuid(0)
            os.setegid(before)
            os.setgroups(groups)


def check_command(unit: Unit) -> Iterator[Finding]:
    """Check that the service's user can run its command, and that the command takes its options."""
    if not unit.command:
        yield problem("command", "The unit has no ExecStart.")
        return
    program = Path(unit.command[0])
    if not program.is_file():
        yield problem("command", f"ExecStart names {program}, which is not there; install Hamlet there.")
    elif not may(program, os.X_OK):
        yield problem("command", f"The service's user may not run {program}.")
    elif program.name != "hamlet":
        yield unchecked("command", f"{program} is not `hamlet`, so its options were not looked at.")
    else:
        as_user = {"user": os.geteuid(), "group": os.getegid()} if os.getuid() == 0 else {}
        try:
            done = subprocess.run(  # type: ignore[call-overload]  # noqa: S603  # as systemd does
                [*unit.command, "--help"],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_PATIENCE,
                check=False,
                **as_user,
            )
        except OSError as error:  # such as a script whose interpreter is gone
            yield problem(
                "command", f"{program} cannot be run: {error.strerror}; install Hamlet there again."
            )
            return
        except subprocess.TimeoutExpired:
            late = (
                f"{program} did not print its help within {_PATIENCE:g} s, so its options were not looked at."
            )
            yield unchecked("command", late)
            return
        if done.returncode == 0:
            yield fine("command", f"{program} takes the options of ExecStart.")
        else:
            lines = [line.strip("│╭╮╰╯─ ") for line in done.stderr.splitlines()]  # of a box, on any terminal
            last = next((line for line in reversed(lines) if line), f"it ends with code {done.returncode}")
            yield problem("command", f"ExecStart does not start: {last}")


def check_sandbox(unit: Unit, settings: Settings) -> Iterator[Finding]:
    """Check that the service sees the folders that its settings name, and may write to them."""
    named = {
        "HAMLET_MODELS_DIR": settings.models_dir,
        "HAMLET_DATA_DIR": settings.data_dir,
        "HAMLET_TOKENS_FILE": settings.tokens_file,
        "HAMLET_COOKIE_KEY_FILE": settings.cookie_key_file,
    }
    writable = [*unit.made_folders, *unit.service.get("ReadWritePaths", "").split()]
    for variable, text in named.items():
        path = os.path.abspath(text) if text else ""
        if not path:
            continue
        if unit.is_on("PrivateTmp") and _is_within(path, _TEMPORARY):
            yield problem(
                variable,
                f"{path} is in a folder that PrivateTmp= empties for the service; choose another, such as "
                "/var/lib/hamlet.",
            )
        elif _is_within(path, _HOMES) and unit.hides_homes:
            yield problem(variable, f"{path} is hidden by ProtectHome=; choose another folder.")
        elif unit.service.get("ProtectSystem") == "strict" and not _is_within(path, writable):
            yield problem(
                variable,
                f"{path} is read-only under ProtectSystem=strict; add it to ReadWritePaths=, or choose a "
                f"folder in {' or '.join(writable) or 'StateDirectory='}.",
            )


def _is_within(path: str, folders: "tuple[str, ...] | list[str]") -> bool:
    return any(PurePosixPath(path).is_relative_to(folder.lstrip("+-")) for folder in folders)


def _options(command: list[str]) -> dict[str, str]:
    """Return the options of `hamlet serve` that stand for variables, as these."""
    found: dict[str, str] = {}
    for word, following in zip(command, [*command, ""][1:], strict=True):
        name, equals, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and name in _OPTIONS:
            found[PREFIX + name.upper().replace("-", "_")] = value if equals else following
    return found


def _assignments(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the assignments in the section [Service] of a file, in order."""
    section = ""
    for line in read_file("--unit", file).replace("\\\n", " ").splitlines():
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
        raise UserError(f"--unit {file}: a quote is not closed in Environment={printable(value)}") from None
    return {name: text for name, equals, text in (word.partition("=") for word in words) if equals}
