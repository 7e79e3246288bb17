"""The generated tables of the documentation; `python -m scripts.doc_tables` writes them.

A page holds each table between two markers, `<!-- table: NAME -->` and `<!-- end: NAME -->`. Only what stands
between them is generated. tests/docs/test_tables.py fails when a page and the code disagree.
"""

from collections.abc import Callable, Mapping

from scripts.doc_tables import (
    access,
    command_line,
    episode,
    history,
    leaderboard,
    learning,
    lesson,
    metrics,
    networks,
    page,
    performance,
    plan,
    protocol,
    settings,
    world,
)

TABLES: Mapping[str, Callable[[], str]] = {
    **settings.TABLES,
    **world.TABLES,
    **protocol.TABLES,
    **command_line.TABLES,
    **history.TABLES,
    **metrics.TABLES,
    **networks.TABLES,
    **page.TABLES,
    **learning.TABLES,
    **lesson.TABLES,
    **leaderboard.TABLES,
    **performance.TABLES,
    **plan.TABLES,
    **access.TABLES,
    **episode.TABLES,
}
"""Every table: its name, and a function that returns its Markdown."""
