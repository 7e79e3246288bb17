"""`hamlet failures`, `runs`, `export` and `history`: with a real run and with a legacy database."""

import csv
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hamlet_trio.cli import app
from hamlet_trio.history import HistoryDatabase, RunEnded
from tests.cli.conftest import Hamlet
from tests.history.legacy_database import make_legacy
from tests.history.support import started
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]


def test_a_run_of_the_command_line_is_listed_and_exported(hamlet: Hamlet, tmp_path: Path) -> None:
    assert hamlet("runs").stdout == "Nothing was found.\n"
    nothing = hamlet("export")
    assert (nothing.returncode, "There is no run" in nothing.stderr) == (1, True)
    options = ["--network-type", "qnetwork", "--max-steps", "90", "--checkpoint-every", "2"]
    trained = hamlet("train", "--episodes", "4", "--seed", "5", "--json", *options)
    assert trained.returncode == 0, trained.stderr
    told = [json.loads(line) for line in trained.stdout.splitlines()][1:5]

    (run,) = json.loads(hamlet("runs", "--json").stdout)["runs"]
    assert (run["state"], run["source"], run["seed"], run["episodes"]) == ("complete", "command_line", 5, 4)
    assert run["model"] == f"run-{run['run_id']}-ep4.pt"
    assert (tmp_path / "data" / "recordings" / f"{run['run_id']}-ep1.rec").is_file()
    assert run["run_id"] in hamlet("runs", "--state", "complete").stdout

    rows = list(csv.DictReader(hamlet("export").stdout.splitlines()))
    assert [float(row["reward"]) for row in rows] == [episode["reward"] for episode in told]
    out = tmp_path / "run.json"
    exported = hamlet("export", run["run_id"], "--format", "json", "--out", str(out))
    assert (exported.returncode, exported.stdout) == (0, "")
    content = json.loads(out.read_text())
    assert content["run"]["checkpoints"][0]["episode"] == 2
    assert [episode["length"] for episode in content["episodes"]] == [one["length"] for one in told]

    failed = [one["episode"] for one in told if one["failure_reason"]]
    failures = json.loads(hamlet("failures", "--json").stdout)["failures"]
    assert [failure["episode"] for failure in failures] == failed[::-1]
    vacuumed = hamlet("history", "vacuum")
    assert (vacuumed.returncode, "MB now" in vacuumed.stdout) == (0, True)
    before = out.read_bytes()
    unknown = hamlet("export", "nobody", "--out", str(out))
    assert (unknown.returncode, "'nobody'" in unknown.stderr) == (1, True)
    assert out.read_bytes() == before


@pytest.mark.long
def test_a_killed_run_is_listed_as_interrupted_and_can_be_pruned(
    hamlet: Hamlet, environment: dict[str, str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "hamlet_trio.cli", "train", "--episodes", "100000", "--json"]
    with subprocess.Popen(
        [*command, "--network-type", "qnetwork", "--max-steps", "5"],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
    ) as training:
        assert training.stdout is not None
        try:
            assert b"training_started" in training.stdout.readline()
            (run,) = json.loads(hamlet("runs", "--json").stdout)["runs"]
            assert (run["state"], run["ended"]) == ("running", None)
        finally:
            training.kill()
    (run,) = json.loads(hamlet("runs", "--state", "interrupted", "--json").stdout)["runs"]
    assert run["ended"] >= run["began"]
    # Older ones go first; one that counted as on would be spared for ever.
    with closing(sqlite3.connect(tmp_path / "data" / "history.db")) as connection, connection:
        connection.execute("UPDATE runs SET state = 'running', ended = NULL")
        connection.execute(
            "INSERT INTO runs (run_id, source, state, began) VALUES ('b', 'older', 'complete', 'z')"
        )
    environment["HAMLET_HISTORY_RUNS"] = "1"
    assert hamlet("history", "vacuum").returncode == 0
    assert [run["run_id"] for run in json.loads(hamlet("runs", "--json").stdout)["runs"]] == ["b"]


def test_a_legacy_database_is_queried_and_imported(hamlet: Hamlet, tmp_path: Path) -> None:
    make_legacy(tmp_path / "metrics.db")
    before = (tmp_path / "metrics.db").read_bytes()
    found = json.loads(hamlet("failures", "--db", "metrics.db", "--json").stdout)["failures"]
    assert [failure["episode"] for failure in found] == [3, 1]
    filters = ["--agent", "agent_0", "--min-episode", "1", "--max-episode", "2"]
    filters += ["--reason", "energy_depleted"]
    counted = hamlet("failures", "--db", "metrics.db", "--summary", "--top", "3", *filters, "--json")
    (group,) = json.loads(counted.stdout)["summary"]
    assert (group["reason"], group["count"], group["last_episode"]) == ("energy_depleted", 1, 1)

    taken = hamlet("history", "migrate")
    assert taken.returncode == 0, taken.stderr
    assert "3 episodes and 2 failures" in taken.stdout
    assert [run["source"] for run in json.loads(hamlet("runs", "--json").stdout)["runs"]] == ["older"]
    again = hamlet("history", "migrate", "metrics.db")
    assert (again.returncode, "imported already" in again.stderr) == (1, True)
    assert (tmp_path / "metrics.db").read_bytes() == before
    missing = hamlet("failures", "--db", "nothing.db")
    assert (missing.returncode, missing.stderr) == (1, "hamlet: There is no database nothing.db.\n")


def test_analyze_failures_works_and_says_that_it_is_deprecated(
    environment: dict[str, str], tmp_path: Path
) -> None:
    make_legacy(tmp_path / "metrics.db")

    def analyze(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, str(ROOT / "analyze_failures.py"), *arguments],
            cwd=tmp_path,
            env=environment | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    listed = analyze("--agent", "agent_0")
    assert (listed.returncode, "energy_depleted" in listed.stdout) == (0, True)
    assert listed.stderr == "analyze_failures.py is deprecated: use `hamlet failures`.\n"
    summed = analyze("--db", str(tmp_path / "metrics.db"), "--summary", "--limit", "1")
    assert (summed.returncode, summed.stdout.count("agent_")) == (0, 1)


def test_an_unwritable_history_is_reported_once_and_the_run_is_saved(hamlet: Hamlet, tmp_path: Path) -> None:
    (tmp_path / "data" / "history.db").mkdir(parents=True)
    options = ["--network-type", "qnetwork", "--max-steps", "5", "--checkpoint-every", "2"]
    trained = hamlet("train", "--episodes", "6", "--json", *options)
    assert trained.returncode == 0, trained.stderr
    assert trained.stderr.count("history.db cannot be written") == 1
    assert (tmp_path / "data" / "models" / "trained_agent.pt").is_file()


def test_numbers_beyond_sqlite_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HAMLET_DATA_DIR", str(tmp_path))
    for option in ("--min-episode", "--max-episode", "--limit", "--top"):
        assert CliRunner().invoke(app, ["failures", option, str(10**20)]).exit_code == 2


def test_tables_in_a_pipe_are_not_folded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("HAMLET_DATA_DIR", str(tmp_path))
    reason = "The loss is not finite any more, after thirty-one thousand steps of it"
    with closing(HistoryDatabase(tmp_path / "history.db")) as database:
        database.write(
            [
                started("20260101-000000-aaaaaa"),
                RunEnded(run_id="20260101-000000-aaaaaa", state="failed", reason=reason),
            ]
        )
    lines = CliRunner().invoke(app, ["runs"], catch_exceptions=False).output.splitlines()
    (line,) = [line for line in lines if "20260101-000000-aaaaaa" in line]
    assert reason in line
    assert CliRunner().invoke(app, ["runs", "--state", "finished"]).exit_code == 2


def test_legacy_text_is_printed_without_markup_or_escapes(tmp_path: Path) -> None:
    database = tmp_path / "metrics.db"
    make_legacy(database)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE failure_events SET reason = '[/odd]' || char(27)")
    result = CliRunner().invoke(app, ["failures", "--db", str(database)], catch_exceptions=False)
    assert (result.exit_code, "[/odd]?" in result.output) == (0, True)
