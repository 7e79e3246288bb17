"""Implement `hamlet models`, which prints the models folder as a table."""

from pathlib import Path
from typing import Annotated

import typer

from hamlet_trio.cli.tables import console
from hamlet_trio.common.encoding import to_json
from hamlet_trio.settings import load_settings


def models(
    models_dir: Annotated[str | None, typer.Option(help="Folder of the models [HAMLET_MODELS_DIR].")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """List the models that can be watched, with how each was trained."""
    from rich.table import Table

    from hamlet_trio.agent.models import ModelFolder

    settings = load_settings(models_dir=models_dir)
    folder = Path(settings.models_dir)
    details = ModelFolder.of(models_dir=settings.models_dir, data_dir=settings.data_dir).details()
    if as_json:
        print(to_json({"models": details}).decode())
        return
    if not details:
        print(f"There is no model in {folder}; `hamlet train` makes one.")
        return
    table = Table(title=str(folder))
    columns = ("model", "from", "network", "episodes", "stage", "survival", "return", "what it is")
    for column in columns:
        numbers = column in {"episodes", "survival", "return"}
        table.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for detail in details:
        evaluation = detail.evaluation or {}
        table.add_row(
            detail.name,
            detail.source,
            detail.error or detail.network_type or "",
            "" if detail.episode is None else str(detail.episode),
            detail.stage or "",
            f"{evaluation['mean_length']:.0f}" if "mean_length" in evaluation else "",
            f"{evaluation['mean_return']:.0f}" if "mean_return" in evaluation else "",
            detail.given_name or detail.title or detail.story or "",
        )
    console().print(table)
