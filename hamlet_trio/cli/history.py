"""`hamlet history`: keeping house in the history."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from hamlet_trio.cli.errors import UserError
from hamlet_trio.settings import load_settings

history = typer.Typer(no_args_is_help=True, help="Keep house in the history of training runs.")

DbOption = Annotated[
    Path | None, typer.Option("--db", help="The history; without, the data folder's.", show_default=False)
]


@history.command()
def vacuum(*, db: DbOption = None) -> None:
    """Forget the oldest runs where there are too many, and give their space on the disk back.

    HAMLET_HISTORY_RUNS and HAMLET_HISTORY_EPISODES say how much is kept. A server may go on meanwhile.
    """
    from hamlet_trio.history import HistoryError, history_path
    from hamlet_trio.history.keeping import vacuum as give_back
    from hamlet_trio.training.abandoned_runs import end_abandoned_runs

    settings = load_settings()
    path = db or history_path(settings)
    try:
        with suppress(HistoryError):  # which giving back runs into as well, but for a form to be brought up
            end_abandoned_runs(path)
        before, after = give_back(path, runs=settings.history_runs, episodes=settings.history_episodes)
    except HistoryError as error:
        raise UserError(str(error)) from error
    print(f"{path}: {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now")


@history.command()
def migrate(
    older: Annotated[
        Path, typer.Argument(metavar="METRICS_DB", help="The metrics.db of an older Hamlet.")
    ] = Path("metrics.db"),
    *,
    db: DbOption = None,
) -> None:
    """Take over what an older metrics.db holds, as one run of the history.

    The older file stays as it is: it is the copy to go back to.
    """
    from hamlet_trio.history import HistoryError, history_path
    from hamlet_trio.history.keeping import take_over

    target = db or history_path(load_settings())
    try:
        taken = take_over(older, target)
    except HistoryError as error:
        raise UserError(str(error)) from error
    print(
        f"{target}: run {taken.run_id} has {taken.episodes} episodes and {taken.failures} failures "
        f"from {older}, which is left as it was."
    )
