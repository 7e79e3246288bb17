"""What the history knows of several runs at once: best episodes, evaluations, failures over time."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from hamlet_trio.history.results import FailureColumn, RunEvaluation

_EVALUATION = (
    "episode, evaluation_mean_length, evaluation_mean_return,"
    " evaluation_random_mean_length, evaluation_random_mean_return"
)


def figures_of(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return the fields of `RunSummary` that its episodes tell, by the runs' numbers.

    Damaged rows are passed over: they must not hide the list of runs.
    """
    figures: dict[int, dict[str, Any]] = {
        number: dict.fromkeys(("longest", "best_return", "evaluation", "best_evaluation"))
        for number in numbers
    }
    those = _run_in(numbers)
    for run, longest, best in connection.execute(
        "SELECT run, max(CASE typeof(length) WHEN 'integer' THEN length END),"
        " max(CASE typeof(reward) WHEN 'real' THEN reward END)"
        f" FROM episodes WHERE {those} GROUP BY run",
        numbers,
    ):
        figures[run] |= {"longest": longest, "best_return": best}
    for run, *values in connection.execute(
        f"SELECT run, {_EVALUATION} FROM episodes"
        f" WHERE {those} AND evaluation_mean_length IS NOT NULL ORDER BY run, episode",
        numbers,
    ):
        fields = dict(zip(RunEvaluation.__struct_fields__, values, strict=True))
        try:
            latest = msgspec.convert(fields, RunEvaluation)
        except msgspec.ValidationError:
            continue
        best = figures[run]["best_evaluation"]
        figures[run]["evaluation"] = latest
        if best is None or _rank(latest) > _rank(best):
            figures[run]["best_evaluation"] = latest
    return figures


def _rank(evaluation: RunEvaluation) -> tuple[float, float]:
    return evaluation.mean_length, evaluation.mean_return


def columns_of_runs(connection: sqlite3.Connection, count: int) -> list[FailureColumn]:
    """Return the failures of each of the newest runs, the oldest of them first."""
    runs = connection.execute(
        "SELECT number, run_id, began, episodes FROM runs ORDER BY run_id DESC LIMIT ?", (count,)
    ).fetchall()
    numbers = [number for number, *_ in runs]
    failed = _by_key(
        connection.execute(
            "SELECT run, reason, sum(count) FROM failure_counts"
            f" WHERE {_run_in(numbers)} GROUP BY run, reason",
            numbers,
        )
    )
    return [
        FailureColumn(run_id, began, 1, episodes, episodes, _largest_first(failed.get(number, [])))
        for number, run_id, began, episodes in reversed(runs)
    ]


def columns_of_episodes(
    connection: sqlite3.Connection, run: int, run_id: str, count: int
) -> list[FailureColumn]:
    """Return the failures of a run in at most `count` stretches of equal length, in order."""
    (last,) = connection.execute(
        "SELECT coalesce(max(episode), 0) FROM episodes WHERE run = ?", (run,)
    ).fetchone()
    size = -(-last // count) or 1
    stretches = connection.execute(
        "SELECT (episode - 1) / ?, min(ended), count(*) FROM episodes WHERE run = ? GROUP BY 1 ORDER BY 1",
        (size, run),
    ).fetchall()
    failed = _by_key(
        connection.execute(
            "SELECT (episode - 1) / ?, reason, count(*) FROM failures WHERE run = ? GROUP BY 1, 2",
            (size, run),
        )
    )
    return [
        FailureColumn(
            run_id,
            ended,
            stretch * size + 1,
            min((stretch + 1) * size, last),
            episodes,
            _largest_first(failed.get(stretch, [])),
        )
        for stretch, ended, episodes in stretches
    ]


def _run_in(numbers: Sequence[int]) -> str:
    return f"run IN ({', '.join('?' * len(numbers))})"


def _by_key(rows: Iterable[tuple[int, str, int]]) -> dict[int, list[tuple[str, int]]]:
    """Return the counts of each run or stretch, which rows begin with."""
    found: dict[int, list[tuple[str, int]]] = {}
    for key, reason, count in rows:
        found.setdefault(key, []).append((reason, count))
    return found


def _largest_first(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    return dict(sorted(counts, key=lambda item: (-item[1], item[0])))
