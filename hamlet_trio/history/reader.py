"""Queries to a history. Each opens the file on its own, so that it holds up neither others nor the writer."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from hamlet_trio.common.agents import AgentResult
from hamlet_trio.common.text import printable
from hamlet_trio.history.columns import COLUMNS, StoredEpisode, episode_of
from hamlet_trio.history.opening import reading
from hamlet_trio.history.queries import EpisodesQuery, FailureFilter, FailureSeriesQuery, RunsQuery
from hamlet_trio.history.results import (
    Failure,
    FailureColumn,
    FailureGroup,
    RunDetails,
    RunningRun,
    RunSummary,
    StoredCheckpoint,
)
from hamlet_trio.history.run_figures import columns_of_episodes, columns_of_runs, figures_of
from hamlet_trio.history.schema import table_names
from hamlet_trio.protocol.parameters import TrainingParameters, config_of

PAGE: Final = 1000
"""Episodes in memory at once while all of a run are read."""

_RUN: Final = (
    "run_id, source, state, reason, began, ended, network_type, seed, device, episodes, model,"
    " package_version, torch_version, parameters, sweep_id, sweep_settings"
)
_EPISODE: Final = ", ".join(COLUMNS)


_Result = TypeVar("_Result", bound=msgspec.Struct)


class UnknownRunError(Exception):
    """Report that no run has that id."""


class HistoryReader:
    """Answer queries from one file, a history or a legacy `metrics.db`; safe to use from any thread.

    Every method does file I/O and raises `HistoryError` if the file cannot be read. A missing file is empty.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    def failures(
        self, query: FailureFilter, *, limit: int | None = None, by_time: bool = False
    ) -> list[Failure]:
        """Return the matching failures, highest episode first or latest first, at most `limit`."""
        order = "id DESC" if by_time else "episode DESC, id DESC"
        where, values = _where(_filters(query))
        # The index sorts before the join, so that only the runs of the result are looked up.
        chosen = f"SELECT * FROM failures {where} ORDER BY {order} LIMIT ?"
        with reading(self.path) as connection:
            rows = connection.execute(
                "SELECT id, timestamp, episode, agent_id, failures.reason, run_id"
                f" FROM ({chosen}) AS failures JOIN runs ON number = run ORDER BY {order}",
                (*values, _limit(limit)),
            )
            return _structs(Failure, rows)

    def failure_summary(
        self, query: FailureFilter, *, limit: int | None = None, top: int | None = None
    ) -> list[FailureGroup]:
        """Count the matching failures by agent and reason and return the `top` largest counts.

        With `limit`, only that many failures of the newest episodes are counted.
        """
        where, values = _where(_filters(query))
        source = f"failures {where}"
        figures = "count(*), max(episode), max(timestamp)"
        if limit is not None:
            source = f"(SELECT * FROM failures {where} ORDER BY episode DESC, id DESC LIMIT ?)"
            values.append(limit)
        elif query.min_episode is None and query.max_episode is None:
            source = f"failure_counts {where}"
            figures = "sum(count), max(last_episode), max(last_timestamp)"
        with reading(self.path) as connection:
            rows = connection.execute(
                f"SELECT agent_id, reason, {figures} FROM {source}"
                " GROUP BY agent_id, reason ORDER BY 3 DESC, 4 DESC, 1, 2 LIMIT ?",
                (*values, _limit(top)),
            )
            return _structs(FailureGroup, rows)

    def failure_series(self, query: FailureSeriesQuery) -> list[FailureColumn]:
        """Return how episodes ended over time, the earliest first; raises `UnknownRunError`."""
        with reading(self.path) as connection:
            if query.run is None:
                return columns_of_runs(connection, query.columns)
            number, _ = _find(connection, query.run)
            return columns_of_episodes(connection, number, query.run, query.columns)

    def runs(self, query: RunsQuery) -> list[RunSummary]:
        """Return the matching runs, newest first."""
        where, values = _where(
            {
                "state = ?": query.state,
                "network_type = ?": query.network_type,
                "sweep_id = ?": query.sweep,
                "run_id < ?": query.before,
            }
        )
        with reading(self.path) as connection:
            rows = connection.execute(
                f"SELECT number, {_RUN} FROM runs {where} ORDER BY run_id DESC LIMIT ?",
                (*values, query.limit),
            ).fetchall()
            figures = figures_of(connection, [number for number, *_ in rows])
            return [msgspec.convert(_run_fields(row) | figures[number], RunSummary) for number, *row in rows]

    def running(self) -> list[RunningRun]:
        """Return the runs without a stored end: they are in progress, or their process was killed."""
        with reading(self.path) as connection:
            rows = connection.execute(
                "SELECT run_id, source, sweep_id, coalesce((SELECT ended FROM episodes WHERE run = number"
                " ORDER BY episode DESC LIMIT 1), began) FROM runs WHERE state = 'running' ORDER BY run_id"
            )
            return _structs(RunningRun, rows)

    def run(self, run_id: str) -> RunDetails:
        """Return one run; raises `UnknownRunError`."""
        with reading(self.path) as connection:
            number, row = _find(connection, run_id)
            figures = figures_of(connection, [number])[number]
            (steps,) = connection.execute(
                "SELECT coalesce(sum(length), 0) FROM episodes WHERE run = ?", (number,)
            ).fetchone()
            best_episode = connection.execute(
                "SELECT min(episode) FROM episodes WHERE run = ? AND reward = ?",
                (number, figures["best_return"]),
            ).fetchone()[0]
            reasons = connection.execute(
                "SELECT failure_reason, count(*) FROM episodes WHERE run = ? AND failure_reason IS NOT NULL"
                " GROUP BY failure_reason ORDER BY 2 DESC, 1",
                (number,),
            )
            checkpoints = connection.execute(
                "SELECT model, episode, saved FROM checkpoints WHERE run = ? ORDER BY episode", (number,)
            )
            details = {
                "steps": steps,
                "best_episode": best_episode,
                "failures": dict(reasons.fetchall()),
                "checkpoints": _structs(StoredCheckpoint, checkpoints),
            }
            return msgspec.convert(_run_fields(row) | figures | details, RunDetails)

    def episodes(self, run_id: str, query: EpisodesQuery) -> list[StoredEpisode]:
        """Return the matching episodes in order; raises `UnknownRunError`."""
        with reading(self.path) as connection:
            number, _ = _find(connection, run_id)
            filters: dict[str, object] = {
                "run = ?": number,
                "episode >= ?": query.min_episode,
                "episode <= ?": query.max_episode,
                "episode > ?": query.after,
            }
            if query.reason != "none":
                filters["failure_reason = ?"] = query.reason
            if query.every > 1:
                filters["(episode % ? = 0 OR evaluation_mean_length IS NOT NULL)"] = query.every
            where, values = _where(filters)
            if query.reason == "none":
                where += " AND failure_reason IS NULL"
            rows = connection.execute(
                f"SELECT {_EPISODE} FROM episodes {where} ORDER BY episode LIMIT ?", (*values, query.limit)
            )
            found = [episode_of(row) for row in rows]
            return _with_agents(connection, number, found)

    def all_episodes(self, run_id: str, query: EpisodesQuery) -> Iterator[list[StoredEpisode]]:
        """Yield all matching episodes, `PAGE` at a time; raises `UnknownRunError`.

        The file is closed between two pages, so that a slow consumer holds up nobody.
        """
        query = msgspec.structs.replace(query, limit=PAGE)
        while True:
            page = self.episodes(run_id, query)
            yield page
            if len(page) < PAGE:
                return
            query = msgspec.structs.replace(query, after=page[-1].episode)


def _with_agents(
    connection: sqlite3.Connection, number: int, episodes: list[StoredEpisode]
) -> list[StoredEpisode]:
    """Return episodes, in order, with how each of several agents fared, where the history has it."""
    if not episodes or "agent_episodes" not in table_names(connection):
        return episodes
    rows = connection.execute(
        "SELECT episode, agent_id, length, reward, failure_reason FROM agent_episodes"
        " WHERE run = ? AND episode BETWEEN ? AND ? ORDER BY episode, agent_id",
        (number, episodes[0].episode, episodes[-1].episode),
    )
    found: dict[int, dict[str, AgentResult]] = {}
    for episode, agent_id, *result in rows:
        found.setdefault(episode, {})[agent_id] = AgentResult(*result)
    return [
        msgspec.structs.replace(one, agents=found[one.episode]) if one.episode in found else one
        for one in episodes
    ]


def _filters(query: FailureFilter) -> dict[str, object]:
    return {
        "agent_id = ?": query.agent,
        "reason = ?": query.reason,
        "episode >= ?": query.min_episode,
        "episode <= ?": query.max_episode,
        "run = (SELECT number FROM runs WHERE run_id = ?)": query.run,
    }


def _where(filters: dict[str, object]) -> tuple[str, list[object]]:
    """Return the clause for the filters with a value, and their values."""
    given = {condition: value for condition, value in filters.items() if value is not None}
    clause = "WHERE " + " AND ".join(given) if given else ""
    return clause, list(given.values())


def _limit(limit: int | None) -> int:
    return -1 if limit is None else limit


def _find(connection: sqlite3.Connection, run_id: str) -> tuple[int, tuple[Any, ...]]:
    row = connection.execute(f"SELECT number, {_RUN} FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    if row is None:
        raise UnknownRunError(f"There is no run {printable(run_id[:80])!r} in the history.")
    return row[0], row[1:]


def _structs(kind: type[_Result], rows: Iterable[tuple[Any, ...]]) -> list[_Result]:
    """Make a struct of each row; raises `msgspec.ValidationError` for values of other types."""
    names = kind.__struct_fields__
    return [msgspec.convert(dict(zip(names, row, strict=True)), kind) for row in rows]


def _run_fields(row: Sequence[Any]) -> dict[str, Any]:
    fields = dict(zip(_RUN.split(", "), row, strict=True))
    for name in ("parameters", "sweep_settings"):
        fields[name] = fields[name] and msgspec.json.decode(fields[name])
    return fields | {"world_digest": _world_digest(fields["parameters"])}


def _world_digest(parameters: dict[str, Any] | None) -> str | None:
    """Return the digest of the world of a run's parameters; None where they are not known or not today's."""
    from hamlet_trio.world.world_file import WorldError, digest_of  # noqa: PLC0415 - imports numpy

    if parameters is None:
        return None
    try:
        return digest_of(config_of(msgspec.convert(parameters, TrainingParameters)))
    except (msgspec.ValidationError, WorldError):
        return None
