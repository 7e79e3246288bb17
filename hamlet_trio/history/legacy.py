"""Older databases, read in the present form: the legacy `metrics.db`, and older forms of the history.

The tables of `metrics.db` are `metrics` (one row for each figure of an episode) and `failure_events`.
Temporary views, which belong to the connection and not to the file, give older tables the form of the
present ones, so that the queries of a history work on them.
"""

import hashlib
import sqlite3
from datetime import datetime
from typing import Final

from hamlet_trio.history.columns import COLUMN_TYPES, COLUMNS, columns_in
from hamlet_trio.history.schema import is_history, knows_sweeps, table_names

_FIGURES: Final[dict[str, tuple[str, ...]]] = {
    "reward": ("total_reward", "reward", "episode_reward", "return"),
    "length": ("length", "episode_length", "steps", "survival_time"),
    "loss": ("loss", "avg_loss", "mean_loss", "td_loss"),
    "epsilon": ("epsilon",),
    "buffer_size": ("buffer_size",),
}
"""The metrics' names for columns of an episode."""

_EMPTY_TABLES: Final = {
    "metrics": "SELECT 0 AS id, '' AS timestamp, 0 AS episode, '' AS metric_name, 0.0 AS value WHERE 0",
    "failure_events": ("SELECT 0 AS id, '' AS timestamp, 0 AS episode, '' AS agent_id, '' AS reason WHERE 0"),
}
"""Views in place of tables that the file lacks."""

_FAILURE_COUNTS: Final = (
    "SELECT run, agent_id, reason, count(*) AS count, max(episode) AS last_episode,"
    " max(timestamp) AS last_timestamp FROM failures GROUP BY run, agent_id, reason"
)

_TIME: Final = (
    "CASE typeof(timestamp) WHEN 'text' THEN timestamp"
    " ELSE coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', timestamp, 'unixepoch'), '') END"
)
"""A timestamp as text, converted if it is stored as seconds since 1970."""


def is_legacy(connection: sqlite3.Connection) -> bool:
    """Return whether the file is a legacy database."""
    return not is_history(connection) and bool(table_names(connection) & {"metrics", "failure_events"})


def create_history_views(connection: sqlite3.Connection) -> None:
    """Create views in the form of the present tables; the last of several rows for a figure counts."""
    tables = table_names(connection)
    for name in _EMPTY_TABLES.keys() - tables:
        connection.execute(f"CREATE TEMP VIEW {name} AS {_EMPTY_TABLES[name]}")
    columns = ", ".join(f"{_pivot(names)} AS {column}" for column, names in _FIGURES.items())
    views = {
        "latest": (
            f"SELECT episode, metric_name, value, {_TIME} AS timestamp, max(id) FROM metrics"
            " GROUP BY episode, metric_name"
        ),
        "figures": f"SELECT episode, max(timestamp) AS ended, {columns} FROM latest GROUP BY episode",
        "reasons": "SELECT episode, reason, max(id) FROM failure_events GROUP BY episode",
        "episodes": (
            f"SELECT 1 AS run, {', '.join(map(_column, COLUMNS))}"
            " FROM figures LEFT JOIN reasons USING (episode)"
        ),
        "failures": (
            f"SELECT id, 1 AS run, {_TIME} AS timestamp, CAST(coalesce(episode, 0) AS INTEGER) AS episode,"
            " CAST(coalesce(agent_id, '') AS TEXT) AS agent_id, CAST(coalesce(reason, '') AS TEXT) AS reason"
            " FROM failure_events"
        ),
        "failure_counts": _FAILURE_COUNTS,
        "checkpoints": "SELECT 1 AS run, 0 AS episode, '' AS model, '' AS saved WHERE 0",
    }
    for name, query in views.items():
        connection.execute(f"CREATE TEMP VIEW {name} AS {query}")
    _show_run(connection)


def create_views_of_older_form(connection: sqlite3.Connection) -> None:
    """Create views of the present form on the tables of an older form of the history."""
    found = columns_in(connection)
    columns = ", ".join(name if name in found else f"NULL AS {name}" for name in COLUMNS)
    connection.execute(f"CREATE TEMP VIEW episodes AS SELECT run, {columns} FROM main.episodes")
    if "failure_counts" not in table_names(connection):
        connection.execute(f"CREATE TEMP VIEW failure_counts AS {_FAILURE_COUNTS}")
    if not knows_sweeps(connection):
        connection.execute(
            "CREATE TEMP VIEW runs AS SELECT *, NULL AS sweep_id, NULL AS sweep_settings FROM main.runs"
        )


def _pivot(names: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{name}'" for name in names)
    return f"max(CASE WHEN metric_name IN ({listed}) THEN value END)"


def _column(name: str) -> str:
    """Return the expression for a column; null where the metrics lack it."""
    if name in ("episode", "ended"):
        return name
    source = name if name in _FIGURES else {"failure_reason": "reason"}.get(name, "NULL")
    return f"CAST({source} AS {COLUMN_TYPES[name]}) AS {name}"


def _show_run(connection: sqlite3.Connection) -> None:
    facts = connection.execute(
        "SELECT min(timestamp), max(timestamp), max(episode), count(*) FROM"
        f" (SELECT {_TIME} AS timestamp, episode FROM metrics"
        f" UNION ALL SELECT {_TIME} AS timestamp, episode FROM failure_events)"
    ).fetchone()
    began, ended, episodes, count = facts
    connection.execute(
        "CREATE TEMP TABLE runs AS SELECT 1 AS number, ? AS run_id, 'older' AS source, 'complete' AS state,"
        " NULL AS reason, ? AS began, ? AS ended, NULL AS network_type, NULL AS seed, NULL AS device,"
        " NULL AS parameters, NULL AS package_version, NULL AS torch_version, NULL AS model, ? AS episodes,"
        " NULL AS sweep_id, NULL AS sweep_settings"
        " WHERE ? > 0",
        (_run_id(began, facts), began, ended, episodes, count),
    )


def _run_id(began: str | None, facts: tuple[object, ...]) -> str:
    """Return an id that depends on the contents alone, so that a file is imported only once."""
    try:
        moment = datetime.fromisoformat(began or "")
    except ValueError:
        moment = datetime(1970, 1, 1)
    return f"{moment:%Y%m%d-%H%M%S}-{hashlib.sha256(repr(facts).encode()).hexdigest()[:6]}"
