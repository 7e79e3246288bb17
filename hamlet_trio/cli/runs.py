"""`hamlet failures`, `hamlet runs` and `hamlet export`: queries to the history."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from hamlet_trio.cli.errors import UserError
from hamlet_trio.cli.tables import console
from hamlet_trio.common.encoding import to_json
from hamlet_trio.settings import load_settings

if TYPE_CHECKING:
    from hamlet_trio.history import HistoryReader, RunSummary

_MOST: Final = 2**31  # more rows than a history has, and within SQLite's integers

DbOption = Annotated[
    Path | None,
    typer.Option(
        "--db", help="The database: a history.db or a legacy metrics.db; default: the data folder's."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]
AgentOption = Annotated[str | None, typer.Option("--agent", help="Only of this agent, such as agent_0.")]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="Only for this reason.")]
MinOption = Annotated[
    int | None, typer.Option("--min-episode", min=0, max=_MOST, help="From this episode on.")
]
MaxOption = Annotated[int | None, typer.Option("--max-episode", min=0, max=_MOST, help="Up to this episode.")]
RunOption = Annotated[str | None, typer.Option("--run", help="Only of this run.")]


def failures(
    *,
    summary: Annotated[bool, typer.Option("--summary", help="Count by agent and reason.")] = False,
    agent: AgentOption = None,
    reason: ReasonOption = None,
    min_episode: MinOption = None,
    max_episode: MaxOption = None,
    run: RunOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=_MOST, help="Maximum number of rows.")] = 20,
    top: Annotated[
        int | None,
        typer.Option("--top", min=1, max=_MOST, help="Maximum rows with --summary; default: --limit."),
    ] = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """List failures of training episodes, newest episode first, or count their reasons."""
    from hamlet_trio.history.queries import FailureFilter

    wanted = FailureFilter(
        agent=agent, reason=reason, min_episode=min_episode, max_episode=max_episode, run=run
    )
    if summary:
        columns = ("agent_id", "reason", "count", "last_episode", "last_timestamp")
        with _reader(db) as reader:
            _print("summary", reader.failure_summary(wanted, top=top or limit), columns, as_json)
    else:
        columns = ("timestamp", "run_id", "episode", "agent_id", "reason")
        with _reader(db) as reader:
            _print("failures", reader.failures(wanted, limit=limit), columns, as_json)


def runs(
    *,
    state: Annotated[
        Literal["running", "complete", "stopped", "interrupted", "failed"] | None,
        typer.Option("--state", help="Only running, complete, stopped, interrupted or failed runs."),
    ] = None,
    sweep: Annotated[str | None, typer.Option("--sweep", help="Only trials of this sweep.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Maximum number of rows.")] = 20,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the training runs of the history, newest first."""
    from hamlet_trio.history.queries import RunsQuery

    with _reader(db) as reader:
        if db is None:
            _end_abandoned_runs(reader)
        found = reader.runs(RunsQuery(state=state, sweep=sweep, limit=limit))
    columns = ("run_id", "state", "episodes", "network_type", "seed", "source", "sweep_id", "model", "reason")
    _print("runs", found, columns, as_json)


def export(
    run: Annotated[
        str | None, typer.Argument(help="A run's id; default: the newest run.", show_default=False)
    ] = None,
    *,
    form: Annotated[
        Literal["csv", "json"], typer.Option("--format", help="csv: the episodes; json: the run too.")
    ] = "csv",
    out: Annotated[Path | None, typer.Option("--out", help="File to write; default: print.")] = None,
    db: DbOption = None,
) -> None:
    """Write a run's episodes as CSV or JSON, for a spreadsheet or a notebook."""
    with _reader(db) as reader:
        run_id = run or _newest(reader).run_id
        pieces = _pieces(reader, run_id, form)
        # Fails for an unknown run before an existing file is overwritten.
        pieces = chain([next(pieces)], pieces)
        if out is None:
            sys.stdout.writelines(pieces)
            return
        try:
            with out.open("w", encoding="utf-8", newline="") as file:
                file.writelines(pieces)
        except OSError as error:
            raise UserError(f"{out} cannot be written: {error.strerror}.") from error


def _end_abandoned_runs(reader: "HistoryReader") -> None:
    """Record the end of runs whose process was killed, if the history can be written."""
    from hamlet_trio.history import HistoryError

    if reader.running():
        from hamlet_trio.training.abandoned_runs import end_abandoned_runs

        with suppress(HistoryError):
            end_abandoned_runs(reader.path)


def _pieces(reader: "HistoryReader", run_id: str, form: str) -> Iterator[str]:
    from hamlet_trio.history.export import csv_header, csv_rows, json_pieces
    from hamlet_trio.history.queries import EpisodesQuery

    pages = reader.all_episodes(run_id, EpisodesQuery())
    if form == "json":
        yield from (piece.decode() for piece in json_pieces(reader.run(run_id), pages))
        return
    first = next(pages)
    yield csv_header()
    yield csv_rows(first)
    yield from map(csv_rows, pages)


def _newest(reader: "HistoryReader") -> "RunSummary":
    from hamlet_trio.history.queries import RunsQuery

    for run in reader.runs(RunsQuery(limit=1)):
        return run
    raise UserError(f"There is no run in {reader.path} yet.")


@contextmanager
def _reader(db: Path | None) -> Iterator["HistoryReader"]:
    """Open a reader of the database; errors in the block become a `UserError`."""
    from hamlet_trio.history import HistoryError, HistoryReader, UnknownRunError, history_path

    if db is not None and not db.is_file():
        raise UserError(f"There is no database {db}.")
    try:
        yield HistoryReader(db or history_path(load_settings()))
    except (HistoryError, UnknownRunError) as error:
        raise UserError(str(error)) from error


def _print(name: str, rows: Iterable[Any], columns: tuple[str, ...], as_json: bool) -> None:
    """Print structs as JSON under this name, or these fields as a table without empty columns."""

    rows = list(rows)
    if as_json:
        print(to_json({name: rows}).decode())
        return
    if not rows:
        print("Nothing was found.")
        return
    from rich.table import Table

    from hamlet_trio.common.text import printable

    columns = tuple(column for column in columns if any(getattr(row, column) is not None for row in rows))
    table = Table()
    for column in columns:
        numeric = column in ("count", "episode", "episodes", "last_episode", "seed")
        # Ids are not folded, so that they can be copied.
        table.add_column(
            column.replace("_", " "),
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=column == "run_id",
        )
    for row in rows:
        values = [getattr(row, column) for column in columns]
        # A legacy database may hold any text, also markup and escapes.
        table.add_row(*("" if value is None else printable(str(value)) for value in values))
    console().print(table)
