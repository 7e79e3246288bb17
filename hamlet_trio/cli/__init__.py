"""Implement the command line: `hamlet serve | train | evaluate | models | replay | failures | runs | ...`.

Every command imports what it needs when it runs, so that `hamlet --help` answers at once.
"""

import sys
from typing import Annotated

import typer

from hamlet_trio import __version__
from hamlet_trio.cli.convert import convert
from hamlet_trio.cli.deploy import deploy
from hamlet_trio.cli.errors import UserError
from hamlet_trio.cli.evaluate import evaluate
from hamlet_trio.cli.history import history
from hamlet_trio.cli.models import models
from hamlet_trio.cli.output import writing_output
from hamlet_trio.cli.replay import replay
from hamlet_trio.cli.runs import export, failures, runs
from hamlet_trio.cli.serve import serve
from hamlet_trio.cli.sweep import sweep
from hamlet_trio.cli.tokens import tokens
from hamlet_trio.cli.train import train
from hamlet_trio.cli.world import world
from hamlet_trio.common.standard_streams import open_standard_streams
from hamlet_trio.settings import SettingsError

app = typer.Typer(
    name="hamlet",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"hamlet {__version__}")
        raise typer.Exit


@app.callback()
def hamlet(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Watch a deep-Q agent learn to live in a small survival world."""


app.command()(serve)
app.command()(train)
app.command()(evaluate)
app.command()(models)
app.command()(convert)
app.command()(replay)
app.command()(failures)
app.command()(runs)
app.command()(export)
app.add_typer(sweep, name="sweep")
app.add_typer(world, name="world")
app.add_typer(history, name="history")
app.add_typer(tokens, name="tokens")
app.add_typer(deploy, name="deploy")


def main() -> None:
    """Run the command line; what the user can fix is one sentence and exit code 1, not a traceback."""
    open_standard_streams()
    try:
        with writing_output():
            app()
    except (SettingsError, UserError) as error:
        print(f"hamlet: {error}", file=sys.stderr)
        sys.exit(1)
