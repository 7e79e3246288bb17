"""A damaged history is refused in a sentence that names the file, whatever is damaged in it."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from hamlet_trio.history import CheckpointStored, HistoryDatabase, HistoryError, HistoryReader
from hamlet_trio.history.queries import EpisodesQuery, FailureFilter, RunsQuery
from tests.history.support import ended, started

QUERIES: dict[str, Callable[[HistoryReader], object]] = {
    "runs": lambda reader: reader.runs(RunsQuery()),
    "run": lambda reader: reader.run("a"),
    "running": lambda reader: reader.running(),
    "episodes": lambda reader: reader.episodes("a", EpisodesQuery()),
    "failures": lambda reader: reader.failures(FailureFilter()),
    "summary": lambda reader: reader.failure_summary(FailureFilter()),
}
DAMAGE = [
    ("UPDATE runs SET parameters = '{'", {"runs", "run"}),
    ("UPDATE runs SET parameters = '[1]'", {"runs", "run"}),
    ("UPDATE runs SET seed = 'seven'", {"runs", "run"}),
    ("UPDATE runs SET began = CAST(x'ff' AS TEXT)", {"runs", "run", "episodes"}),
    ("UPDATE episodes SET ended = x'ff'", {"episodes", "running"}),
    ("UPDATE episodes SET length = 'abc'", {"run", "episodes"}),
    (
        "UPDATE episodes SET evaluation_episodes = 'x',"
        " evaluation_mean_length = 1, evaluation_mean_return = 2",
        {"episodes"},
    ),
    ("UPDATE episodes SET failure_reason = x'ff' WHERE episode = 1", {"run", "episodes"}),
    ("UPDATE failures SET agent_id = x'00'", {"failures", "summary"}),
    ("UPDATE checkpoints SET model = x'ff'", {"run"}),
    ("DROP TABLE failures", {"failures"}),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "history.db"
    with closing(HistoryDatabase(path)) as database:
        database.write([started("a"), ended("a", 1), ended("a", 2)])
        database.write([CheckpointStored(run_id="a", model="a.pt", episode=2)])
    return path


@pytest.mark.parametrize(("damage", "affected"), DAMAGE, ids=[damage for damage, _ in DAMAGE])
def test_only_queries_of_a_damaged_row_are_refused(damage: str, affected: set[str], path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(damage)
    sentences = {name: _refusal(ask, path) for name, ask in QUERIES.items()}
    assert {name for name, sentence in sentences.items() if sentence} == affected
    assert all(str(path) in sentence for sentence in sentences.values() if sentence)
    assert "".join(sentences.values()).isprintable()


def _refusal(ask: Callable[[HistoryReader], object], path: Path) -> str:
    try:
        ask(HistoryReader(path))
    except HistoryError as error:
        return str(error)
    return ""


def test_a_byte_of_the_schema_that_is_not_utf_8_is_a_sentence(path: Path) -> None:
    data = path.read_bytes()
    at = data.index(b"CREATE INDEX failures_by_episode")
    path.write_bytes(data[: at + 3] + b"\xee" + data[at + 4 :])
    with pytest.raises(HistoryError, match=r"history\.db cannot be read"):
        HistoryReader(path).runs(RunsQuery())
    with pytest.raises(HistoryError, match=r"history\.db cannot be written"):
        HistoryDatabase(path).write([ended("a", 3)])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_place_of_the_history_holds_up_nobody(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "history.db")
    with pytest.raises(HistoryError, match="cannot be read: not a file but a folder, device or pipe"):
        HistoryReader(pipe).running()
    with (
        closing(HistoryDatabase(pipe)) as database,
        pytest.raises(HistoryError, match="cannot be written: not a file but a folder, device or pipe"),
    ):
        database.write([started("a")])
