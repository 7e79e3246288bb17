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

    Checks the settings and their folders, Redis if they name one, certificate and key, the nginx file and how
    they fit together. With --unit, run it with sudo: it acts as the service's user, and looks at its command
    and what systemd hides from it. Changes nothing. The exit code is 0 if there is no problem (there may be
    warnings), else 1.
    """
    import os

    from hamlet_trio.cli.deploy.environment import check_settings, read_environment_file
    from hamlet_trio.cli.deploy.findings import Finding, Severity, unchecked
    from hamlet_trio.cli.deploy.nginx import check_nginx
    from hamlet_trio.cli.deploy.store_check import check_store
    from hamlet_trio.cli.errors import UserError

    if env is not None and unit is not None:
        raise UserError("Give --unit or --env: a unit names its own files.")
    findings: list[Finding] = []
    if unit is not None:
        from hamlet_trio.cli.deploy.unit import acting_as, check_command, check_sandbox, read_unit

        service = read_unit(unit)
        with acting_as(service) as finding:
            settings, found = check_settings(service.variables, service.made_folders)
            findings += [*([] if finding is None else [finding]), *found, *check_command(service)]
            findings += [] if settings is None else check_sandbox(service, settings)
    else:
        environment: Mapping[str, str] = os.environ if env is None else read_environment_file(env)
        settings, findings = check_settings(environment)
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            findings.append(unchecked("user", "Judged as root; --unit judges as the service's user."))
    if settings is not None:
        findings += check_store(settings)
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
