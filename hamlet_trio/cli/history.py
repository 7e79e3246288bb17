"""`hamlet history`: maintenance of the history."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from hamlet_trio.cli.errors import UserError
from hamlet_trio.settings import load_settings

history = typer.Typer(no_args_is_help=True, help="Maintain the history of training runs.")

DbOption = Annotated[
    Path | None, typer.Option("--db", help="The history; default: the data folder's.", show_default=False)
]


@history.command()
def vacuum(*, db: DbOption = None) -> None:
    """Delete the oldest runs beyond the bounds, and compact the file.

    HAMLET_HISTORY_RUNS and HAMLET_HISTORY_EPISODES set the bounds. A server may be running meanwhile.
    """
    from hamlet_trio.history import HistoryError, history_path
    from hamlet_trio.history.maintenance import vacuum as vacuum_history
    from hamlet_trio.training.abandoned_runs import end_abandoned_runs

    settings = load_settings()
    path = db or history_path(settings)
    try:
        with suppress(HistoryError):
            end_abandoned_runs(path)
        before, after = vacuum_history(path, runs=settings.history_runs, episodes=settings.history_episodes)
    except HistoryError as error:
        raise UserError(str(error)) from error
    print(f"{path}: {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now")


@history.command()
def migrate(
    legacy: Annotated[Path, typer.Argument(metavar="METRICS_DB", help="The legacy metrics.db.")] = Path(
        "metrics.db"
    ),
    *,
    db: DbOption = None,
) -> None:
    """Import a legacy metrics.db as one run of the history.

    The legacy file is not changed: it remains as a backup.
    """
    from hamlet_trio.history import HistoryError, history_path
    from hamlet_trio.history.maintenance import import_legacy

    target = db or history_path(load_settings())
    try:
        imported = import_legacy(legacy, target)
    except HistoryError as error:
        raise UserError(str(error)) from error
    print(
        f"{target}: run {imported.run_id} has {imported.episodes} episodes and {imported.failures} failures "
        f"from {legacy}, which is unchanged."
    )
