"""Implement `hamlet deploy`, which checks a deployment before a restart."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from hamlet_trio.common.encoding import to_json

deploy = typer.Typer(no_args_is_help=True, help="Check a deployment before it is restarted.")


@deploy.callback()
def group() -> None:
    """Check a deployment before it is restarted."""


@deploy.command()
def check(
    *,
    nginx: Annotated[
        Path | None, typer.Option(help="nginx's file for Hamlet; checks its certificate and asks nginx, too.")
    ] = None,
    env: Annotated[
        Path | None, typer.Option(help="A file of variables; without it and --unit, this shell's variables.")
    ] = None,
    unit: Annotated[
        Path | None,
        typer.Option(help="The systemd unit, such as hamlet@8765.service, and the variables it sets."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
) -> None:
    """Check whether a restart would work, and say what to fix if not.

    Checks the settings and their folders, certificate and key, the nginx file and how they fit together.
    Changes nothing. The exit code is 0 if there is no problem (there may be warnings), else 1.
    """
    import os

    from hamlet_trio.cli.deploy.environment import check_settings, read_environment_file
    from hamlet_trio.cli.deploy.findings import Severity
    from hamlet_trio.cli.deploy.nginx import check_nginx
    from hamlet_trio.cli.deploy.unit import read_unit
    from hamlet_trio.cli.errors import UserError

    if env is not None and unit is not None:
        raise UserError("Give --unit or --env: a unit names its own files.")
    environment: Mapping[str, str] = os.environ
    if unit is not None:
        environment = read_unit(unit)
    elif env is not None:
        environment = read_environment_file(env)
    settings, findings = check_settings(environment)
    if nginx is not None:
        findings += check_nginx(nginx, settings)
    problems = sum(finding.verdict is Severity.PROBLEM for finding in findings)
    if as_json:
        rows = [finding._asdict() for finding in findings]
        print(to_json({"problems": problems, "findings": rows}).decode())
    else:
        width = max(len(finding.about) for finding in findings)
        for verdict, about, sentence in findings:
            print(f"{verdict:<9}  {about:<{width}}  {sentence}")
        print(f"\n{problems} to fix." if problems else "\nA restart would work.")
    raise typer.Exit(1 if problems else 0)
