"""`hamlet deploy`: what an operator asks before a restart."""

from pathlib import Path
from typing import Annotated

import typer

deploy = typer.Typer(no_args_is_help=True, help="Check a deployment before it is restarted.")


@deploy.callback()
def group() -> None:
    """Check a deployment before it is restarted."""


@deploy.command()
def check(
    *,
    nginx: Annotated[
        Path | None, typer.Option(help="nginx's file for Hamlet; its certificate and nginx's opinion too.")
    ] = None,
    env: Annotated[
        Path | None, typer.Option(help="The service's EnvironmentFile; without it, this shell's variables.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
) -> None:
    """Say whether a restart would work, and what to mend if not.

    Looks at settings and their folders, certificate and key, the nginx file and how they fit together.
    Changes nothing. The exit code is 0 where there is no problem (there may be warnings), else 1.
    """
    import os

    import msgspec

    from hamlet_trio.cli.deploy.environment import check_settings, read_environment_file
    from hamlet_trio.cli.deploy.findings import Verdict
    from hamlet_trio.cli.deploy.nginx import check_nginx

    environment = os.environ if env is None else read_environment_file(env)
    settings, findings = check_settings(environment)
    if nginx is not None:
        findings += check_nginx(nginx, settings)
    problems = sum(finding.verdict is Verdict.PROBLEM for finding in findings)
    if as_json:
        rows = [finding._asdict() for finding in findings]
        print(msgspec.json.encode({"problems": problems, "findings": rows}).decode())
    else:
        width = max(len(finding.about) for finding in findings)
        for verdict, about, sentence in findings:
            print(f"{verdict:<9}  {about:<{width}}  {sentence}")
        print(f"\n{problems} to mend." if problems else "\nA restart would work.")
    raise typer.Exit(1 if problems else 0)
