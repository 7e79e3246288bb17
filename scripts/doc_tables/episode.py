"""The table of an episode's figures, from the struct that holds them."""

from collections.abc import Callable
from typing import Final

from hamlet_trio.history.columns import COLUMN_TYPES
from hamlet_trio.protocol.episode import FIGURES
from scripts.doc_tables.markdown import code, table


def figures() -> str:
    """One row for each column of an episode."""
    return table(
        ("Column", "Type", "Meaning", "Unit", "Chart", "TensorBoard"),
        (
            (
                code(figure.name),
                COLUMN_TYPES[figure.name],
                figure.description,
                figure.unit,
                figure.chart,
                figure.tag and code(figure.tag),
            )
            for figure in FIGURES
        ),
    )


TABLES: Final[dict[str, Callable[[], str]]] = {"episode-figures": figures}
