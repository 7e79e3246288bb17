"""The routes of the history: pages, filters, CSV and refusals."""

import csv
import io
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hamlet_trio.history import HistoryDatabase, RunEnded
from hamlet_trio.history.columns import COLUMNS
from hamlet_trio.protocol.episode import EvaluationSummary
from hamlet_trio.web.app import HamletApp
from tests.history.support import ended, started
from tests.web.access.conftest import CLIENT, PROXY, Browser
from tests.web.conftest import make_app

RUNS = ("20260101-000000-aaaaaa", "20260102-000000-bbbbbb", "20260103-000000-cccccc")
LONG = RUNS[1]


@pytest.fixture
def app(app: HamletApp) -> HamletApp:
    """An app whose history has three runs, one of 2,500 episodes."""
    with closing(HistoryDatabase(app.server.history_reader.path)) as database:
        for run_id in RUNS:
            database.write([started(run_id)])
        evaluation = EvaluationSummary(400.0, 99.5, 1)
        database.write([ended(LONG, 1), ended(LONG, 2, evaluation=evaluation)])
        database.write([ended(LONG, episode) for episode in range(3, 2501)])
        database.write([RunEnded(run_id=LONG, state="complete", model="trained_agent.pt")])
    return app


async def get(app: HamletApp, path: str) -> tuple[int, dict[str, Any]]:
    response = await app.test_client().get(path)
    return response.status_code, json.loads(await response.get_data())


async def get_csv(app: HamletApp, path: str, **headers: str) -> list[dict[str, str]]:
    response = await app.test_client().get(path, headers=headers)
    assert (response.status_code, response.mimetype) == (200, "text/csv")
    text = await response.get_data(as_text=True)
    assert text.count("\r\n") == text.count("\n")
    return list(csv.DictReader(io.StringIO(text)))


async def test_runs_are_listed_newest_first_page_by_page(app: HamletApp) -> None:
    path, seen = "/api/runs?limit=2", []
    while path:
        status, answer = await get(app, path)
        assert status == 200
        seen.append([run["run_id"] for run in answer["runs"]])
        path = answer["next"]
    assert seen == [[RUNS[2], RUNS[1]], [RUNS[0]]]


@pytest.mark.parametrize(
    ("peer", "prefix", "path"),
    [
        (PROXY, "/hamlet", "/hamlet/api/runs"),
        (PROXY, "/a/b-c/", "/a/b-c/api/runs"),
        (PROXY, "//evil.example", "/api/runs"),
        (PROXY, "https://evil.example/", "/api/runs"),
        (CLIENT, "/hamlet", "/api/runs"),
    ],
)
async def test_next_keeps_the_path_of_a_trusted_proxy(
    peer: str, prefix: str, path: str, tmp_path: Path, app: HamletApp
) -> None:
    behind = Browser(make_app(tmp_path, trusted_proxies=(PROXY,)), peer)
    response = await behind.ask("GET /api/runs?limit=2", headers={"X-Forwarded-Prefix": prefix})
    answer = json.loads(await response.get_data())
    assert answer["next"] == f"{path}?limit=2&before={RUNS[1]}"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=complete", [LONG]),
        ("state=failed", []),
        ("network_type=options&limit=1", [RUNS[2]]),
        ("network_type=relational", []),
        (f"before={LONG}", [RUNS[0]]),
    ],
)
async def test_runs_are_filtered(query: str, found: list[str], app: HamletApp) -> None:
    _, answer = await get(app, f"/api/runs?{query}")
    assert [run["run_id"] for run in answer["runs"]] == found


async def test_a_run_has_its_parameters_and_a_summary_of_its_episodes(app: HamletApp) -> None:
    _, run = await get(app, f"/api/runs/{LONG}")
    assert (run["state"], run["model"], run["episodes"]) == ("complete", "trained_agent.pt", 2500)
    assert (run["parameters"]["seed"], run["seed"]) == (7, 7)
    assert (run["best_episode"], run["longest"]) == (1, 2510)
    assert run["failures"] == {"energy_depleted": 1250}
    assert run["ended"] is not None


async def test_episodes_are_paged_and_have_all_figures(app: HamletApp) -> None:
    _, answer = await get(app, f"/api/runs/{LONG}/episodes?limit=2")
    assert answer["run_id"] == LONG
    assert [episode["episode"] for episode in answer["episodes"]] == [1, 2]
    assert answer["episodes"][1]["evaluation"] == {"mean_length": 400.0, "mean_return": 99.5, "episodes": 1}
    assert answer["next"] == f"/api/runs/{LONG}/episodes?limit=2&after=2"
    _, following = await get(app, answer["next"])
    assert [episode["episode"] for episode in following["episodes"]] == [3, 4]
    assert following["next"] == f"/api/runs/{LONG}/episodes?limit=2&after=4"
    _, last = await get(app, f"/api/runs/{LONG}/episodes?after=2499")
    assert (len(last["episodes"]), last["next"]) == (1, None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("reason=energy_depleted&limit=2", [1, 3]),
        ("reason=none&limit=2", [2, 4]),
        ("reason=nothing", []),
        ("min_episode=10&max_episode=12", [10, 11, 12]),
        ("min_episode=10&max_episode=12&after=10&reason=energy_depleted", [11]),
    ],
)
async def test_episodes_are_filtered(query: str, found: list[int], app: HamletApp) -> None:
    _, answer = await get(app, f"/api/runs/{LONG}/episodes?{query}")
    assert [episode["episode"] for episode in answer["episodes"]] == found


async def test_all_episodes_as_csv_by_suffix_or_accept(app: HamletApp) -> None:
    rows = await get_csv(app, f"/api/runs/{LONG}/episodes.csv")
    assert tuple(rows[0]) == COLUMNS
    assert [int(row["episode"]) for row in rows] == list(range(1, 2501))
    assert (rows[1]["failure_reason"], rows[1]["evaluation_mean_length"]) == ("", "400.0")
    assert (float(rows[2]["reward"]), rows[2]["evaluation_episodes"]) == (-1.0, "")
    assert rows == await get_csv(app, f"/api/runs/{LONG}/episodes", accept="text/csv, */*;q=0.1")
    chosen = await get_csv(app, f"/api/runs/{LONG}/episodes.csv?reason=none&limit=2&min_episode=100")
    assert [row["episode"] for row in chosen] == ["100", "102"]
    assert await get_csv(app, f"/api/runs/{RUNS[0]}/episodes.csv") == []
    head = await app.test_client().head(f"/api/runs/{LONG}/episodes.csv")
    assert head.headers["Content-Disposition"] == f'attachment; filename="{LONG}.csv"'


async def test_episodes_are_json_unless_csv_is_preferred(app: HamletApp) -> None:
    for accept in ("*/*", "application/json", "text/csv;q=0.5, application/json"):
        response = await app.test_client().get(f"/api/runs/{LONG}/episodes", headers={"accept": accept})
        assert response.mimetype == "application/json"
        assert "accept" in response.vary.as_set()


@pytest.mark.parametrize("route", ["", "/episodes", "/episodes.csv"])
async def test_an_unknown_run_is_a_404_with_a_code(route: str, app: HamletApp) -> None:
    status, problem = await get(app, f"/api/runs/nobody{route}")
    assert (status, problem["code"]) == (404, "unknown_run")
    assert "'nobody'" in problem["detail"]


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/api/runs?limit=0", "limit"),
        ("/api/runs?network_type=large", "network_type"),
        ("/api/runs?sort=seed", "sort"),
        ("/api/runs?state=finished", "state"),
        (f"/api/runs/{LONG}/episodes?after=-1", "after"),
        (f"/api/runs/{LONG}/episodes.csv?limit=1001", "limit"),
        (f"/api/runs/{LONG}/episodes.csv?min_episode=1.5", "min_episode"),
    ],
)
async def test_an_invalid_parameter_is_named(path: str, named: str, app: HamletApp) -> None:
    status, problem = await get(app, path)
    assert (status, problem["code"], problem["field"]) == (400, "invalid_query", named)


async def test_the_refusal_of_an_unknown_state_lists_the_known_ones(app: HamletApp) -> None:
    _, problem = await get(app, "/api/runs?state=finished")
    states = "one of complete, failed, interrupted, running, stopped"
    assert problem["detail"] == f"`state` must be {states}; 'finished' was given."


@pytest.mark.parametrize("path", ["/api/runs", "/api/failures", "/api/failure_summary", f"/api/runs/{LONG}"])
async def test_an_unreadable_history_is_a_503_with_the_reason(path: str, app: HamletApp) -> None:
    app.server.history_reader.path.write_bytes(b"garbage" * 1000)
    status, problem = await get(app, path)
    assert (status, problem["code"]) == (503, "history_unavailable")
    assert "not a database" in problem["detail"]


async def test_runs_tell_their_best_episodes_and_evaluations(app: HamletApp) -> None:
    _, answer = await get(app, "/api/runs")
    runs = {run["run_id"]: run for run in answer["runs"]}
    long = runs[LONG]
    evaluated: dict[str, float | None] = {"episode": 2, "mean_length": 400.0, "mean_return": 99.5}
    evaluated |= {"random_mean_length": None, "random_mean_return": None}
    assert (long["longest"], long["evaluation"], long["best_evaluation"]) == (2510, evaluated, evaluated)
    assert long["best_return"] == pytest.approx(-1 / 3)
    assert (runs[RUNS[0]]["longest"], runs[RUNS[0]]["evaluation"]) == (None, None)
    with closing(HistoryDatabase(app.server.history_reader.path)) as database:
        better = EvaluationSummary(400.0, 120.0, 1), EvaluationSummary(230.0, 10.0, 30)
        worse = EvaluationSummary(90.0, 900.0, 1)
        database.write(
            [
                ended(RUNS[0], 1, evaluation=EvaluationSummary(400.0, 110.0, 1)),
                ended(RUNS[0], 2, evaluation=better[0], evaluation_random=better[1]),
                ended(RUNS[0], 3, evaluation=worse),
            ]
        )
    _, run = await get(app, f"/api/runs/{RUNS[0]}")
    assert (run["evaluation"]["episode"], run["best_evaluation"]["episode"]) == (3, 2)
    assert run["best_evaluation"]["random_mean_length"] == 230.0


async def test_a_long_run_is_thinned_but_for_its_evaluations(app: HamletApp) -> None:
    _, answer = await get(app, f"/api/runs/{LONG}/episodes?every=1000&limit=2")
    assert [episode["episode"] for episode in answer["episodes"]] == [2, 1000]
    assert answer["next"] == f"/api/runs/{LONG}/episodes?every=1000&limit=2&after=1000"
    _, rest = await get(app, answer["next"])
    assert [episode["episode"] for episode in rest["episodes"]] == [2000]
    status, _ = await get(app, f"/api/runs/{LONG}/episodes?every=0")
    assert status == 400


async def test_failures_come_latest_first_where_asked(app: HamletApp) -> None:
    with closing(HistoryDatabase(app.server.history_reader.path)) as database:
        database.write([ended(RUNS[0], 7)])
    for order, first in (("time", (RUNS[0], 7)), ("episode", (LONG, 2499))):
        _, answer = await get(app, f"/api/failures?order={order}&limit=1")
        (failure,) = answer["failures"]
        assert (failure["run_id"], failure["episode"]) == first
    status, _ = await get(app, "/api/failures?order=length")
    assert status == 400


async def test_failures_over_time_are_of_runs_or_of_stretches_of_one(app: HamletApp) -> None:
    _, answer = await get(app, "/api/failure_series?columns=2")
    assert [(one["run_id"], one["failures"]) for one in answer["columns"]] == [
        (LONG, {"energy_depleted": 1250}),
        (RUNS[2], {}),
    ]
    _, answer = await get(app, f"/api/failure_series?run={LONG}&columns=3")
    spans = [(one["first_episode"], one["last_episode"], one["episodes"]) for one in answer["columns"]]
    assert spans == [(1, 834, 834), (835, 1668, 834), (1669, 2500, 832)]
    assert [one["failures"] for one in answer["columns"]] == [
        {"energy_depleted": 417},
        {"energy_depleted": 417},
        {"energy_depleted": 416},
    ]
    _, answer = await get(app, f"/api/failure_series?run={RUNS[0]}")
    assert answer["columns"] == []
    status, answer = await get(app, "/api/failure_series?run=20990101-000000-000000")
    assert (status, answer["code"]) == (404, "unknown_run")
