"""The HTTP routes: the kept answers to the letter, negotiation, operations, errors."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from quart.testing import WebsocketResponseError

from hamlet_trio.history import EpisodeEnded, HistoryDatabase
from hamlet_trio.protocol.errors import ErrorCode
from hamlet_trio.web.app import HamletApp
from hamlet_trio.web.schema import build_schema
from tests.history.support import episode_complete
from tests.web.conftest import make_app

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


async def get(app: HamletApp, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of a route."""
    response = await app.test_client().get(path, headers=headers)
    return response.status_code, json.loads(await response.get_data())


async def test_the_service_answer_has_its_kept_form(app: HamletApp) -> None:
    response = await app.test_client().get("/")
    assert await response.get_data() == (
        b'{"status":"running","service":"Hamlet Metaserver","version":"2.0.0",'
        b'"endpoints":{"inference":"/ws","training":"/ws/training"},'
        b'"active_sessions":{"inference":0,"training":0},"training_active":false}'
    )
    assert response.content_type == "application/json"
    assert response.vary.as_set() == {"accept"}


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (BROWSER, "text/html"),
        ("text/html", "text/html"),
        ("application/json, text/html;q=0.5", "application/json"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
        ("image/png", "application/json"),
    ],
)
async def test_who_prefers_html_gets_the_page(accept: str, kind: str, app: HamletApp) -> None:
    response = await app.test_client().get("/", headers={"Accept": accept} if accept else {})
    assert response.mimetype == kind
    assert response.vary.as_set() == {"accept"}


async def test_status(app: HamletApp) -> None:
    _, status = await get(app, "/api/status")
    assert {name: status[name] for name in ("status", "connected_clients", "simulation_running")} == {
        "status": "running",
        "connected_clients": 0,
        "simulation_running": False,
    }
    assert (status["ready"], status["training_state"]) == (False, "idle")


async def test_connected_clients_are_counted(app: HamletApp) -> None:
    with app.server.inference.admit(), app.server.training.joined("viewer"):
        _, status = await get(app, "/api/status")
        assert (status["connected_clients"], status["simulation_running"]) == (2, True)
        _, answer = await get(app, "/")
        assert answer["active_sessions"] == {"inference": 1, "training": 1}


async def test_models_where_there_are_none(app: HamletApp) -> None:
    assert await get(app, "/api/models") == (200, {"models": [], "count": 0, "details": []})


async def test_models_tell_of_a_damaged_file_without_failing(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "broken.pt").write_bytes(b"not a checkpoint")
    status, answer = await get(make_app(tmp_path), "/api/models")
    assert (status, answer["models"], answer["count"]) == (200, ["broken.pt"], 1)
    (details,) = answer["details"]
    assert (details["size_bytes"], len(details["sha256"])) == (16, 64)
    assert details["error"].startswith("broken.pt")


FAILURES = [(3, "energy"), (5, "hygiene"), (8, "energy"), (2, "satiation")]
"""Episode and reason of failures, in the order in which they happened."""


@pytest.fixture
def failed(app: HamletApp) -> HamletApp:
    """An app whose history has these failures."""
    keep_failures(app, FAILURES)
    return app


def keep_failures(app: HamletApp, failures: list[tuple[int, str]], *, run: str = "a", hour: int = 0) -> None:
    """Put failures into the history of an app, a second apart."""
    with closing(HistoryDatabase(app.server.history_reader.path)) as database:
        database.write(
            [
                EpisodeEnded(
                    run_id=run,
                    agent_id="agent_0",
                    complete=episode_complete(episode, failure_reason=reason),
                    at=f"2026-01-01T{hour:02}:00:{second:02}Z",
                )
                for second, (episode, reason) in enumerate(failures, start=1)
            ]
        )


async def test_failures_where_there_are_none(app: HamletApp) -> None:
    assert await get(app, "/api/failures") == (200, {"failures": []})
    assert await get(app, "/api/failure_summary") == (200, {"summary": []})


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [3, 2, 1, 4]),
        ("?limit=2", [3, 2]),
        ("?reason=energy", [3, 1]),
        ("?agent=agent_0&min_episode=3&max_episode=5", [2, 1]),
        ("?agent=nobody", []),
        ("?agent=&min_episode=", [3, 2, 1, 4]),
    ],
)
async def test_failures_are_filtered_newest_episode_first(
    query: str, ids: list[int], failed: HamletApp
) -> None:
    status, answer = await get(failed, f"/api/failures{query}")
    assert (status, [failure["id"] for failure in answer["failures"]]) == (200, ids)


async def test_a_failure_has_its_kept_form(failed: HamletApp) -> None:
    _, answer = await get(failed, "/api/failures?limit=1")
    assert answer["failures"] == [
        {
            "id": 3,
            "timestamp": "2026-01-01T00:00:03Z",
            "episode": 8,
            "agent_id": "agent_0",
            "reason": "energy",
            "run_id": "a",
        }
    ]


async def test_the_summary_counts_by_reason_largest_first(failed: HamletApp) -> None:
    _, answer = await get(failed, "/api/failure_summary?top=2")
    assert answer["summary"] == [
        {
            "agent_id": "agent_0",
            "reason": "energy",
            "count": 2,
            "last_episode": 8,
            "last_timestamp": "2026-01-01T00:00:03Z",
        },
        {
            "agent_id": "agent_0",
            "reason": "hygiene",
            "count": 1,
            "last_episode": 5,
            "last_timestamp": "2026-01-01T00:00:02Z",
        },
    ]


async def test_the_summary_tells_the_latest_time_though_an_older_run_was_longer(failed: HamletApp) -> None:
    keep_failures(failed, [(1, "energy")], run="b", hour=1)
    _, answer = await get(failed, "/api/failure_summary?reason=energy")
    (group,) = answer["summary"]
    assert (group["count"], group["last_episode"]) == (3, 8)
    assert group["last_timestamp"] == "2026-01-01T01:00:01Z"
    _, of_one_run = await get(failed, "/api/failure_summary?reason=energy&run=b")
    assert [group["count"] for group in of_one_run["summary"]] == [1]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("db_path=/etc/passwd", "db_path"),
        ("db_path=", "db_path"),
        ("limit=many", "limit"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("min_episode=-1", "min_episode"),
        ("max_episode=1.5", "max_episode"),
        ("limit=1&limit=2", "limit"),
        (f"agent={'a' * 300}", "agent"),
    ],
)
@pytest.mark.parametrize("route", ["/api/failures", "/api/failure_summary"])
async def test_an_impossible_query_is_named(route: str, query: str, named: str, app: HamletApp) -> None:
    status, problem = await get(app, f"{route}?{query}")
    assert (status, problem["code"]) == (400, "invalid_query")
    assert f"`{named}`" in problem["detail"]
    assert problem["field"] == named


async def test_healthz_and_readyz(app: HamletApp) -> None:
    assert await get(app, "/healthz") == (200, {"status": "alive"})
    status, problem = await get(app, "/readyz")
    assert (status, problem["code"]) == (503, "starting")
    app.server.inference.ready.set()
    assert await get(app, "/readyz") == (200, {"status": "ready"})
    app.server.draining.set()
    status, problem = await get(app, "/readyz")
    assert (status, problem["code"]) == (503, "draining")
    assert await get(app, "/healthz") == (200, {"status": "alive"})


async def test_the_schema_is_served(app: HamletApp) -> None:
    assert await get(app, "/api/schema") == (200, build_schema())


async def test_metrics_are_prometheus_text_and_each_apps_own(tmp_path: Path, app: HamletApp) -> None:
    app.server.connections.opened = 7
    other = make_app(tmp_path / "other")
    values = {}
    for name, one in (("this", app), ("other", other)):
        response = await one.test_client().get("/metrics")
        text = await response.get_data(as_text=True)
        samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
        assert all(family.documentation for family in text_string_to_metric_families(text))
        values[name] = {sample.name: sample.value for sample in samples}
    assert values["this"]["hamlet_connections_opened_total"] == 7
    assert values["other"]["hamlet_connections_opened_total"] == 0
    assert values["this"]["hamlet_tasks"] > 0
    assert values["this"]["hamlet_inference_capacity"] == 1000
    assert values["this"]["process_open_fds"] > 0


async def test_metrics_count_errors_by_code_and_distributions(app: HamletApp) -> None:
    client = app.test_client()
    await client.get("/nowhere")
    await client.get("/readyz")
    await client.get("/readyz")
    app.server.inference.counters.frame_seconds.observe(0.003)
    text = await (await client.get("/metrics")).get_data(as_text=True)
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["hamlet_errors_total", "not_found", "http"] == 1
    assert samples["hamlet_errors_total", "starting", "http"] == 2
    assert samples["hamlet_errors_total", "rate_limited", "training"] == 0
    assert samples["hamlet_websocket_closes_total", "1012"] == 0
    assert samples["hamlet_inference_frame_seconds_bucket", "0.0025"] == 0
    assert samples["hamlet_inference_frame_seconds_bucket", "0.005"] == 1
    assert samples["hamlet_inference_frame_seconds_bucket", "+Inf"] == 1
    assert samples[("hamlet_inference_frame_seconds_sum",)] == 0.003


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, ErrorCode.NOT_FOUND),
        ("GET", "/api/nowhere", 404, ErrorCode.NOT_FOUND),
        ("POST", "/api/status", 405, ErrorCode.METHOD_NOT_ALLOWED),
        ("GET", "/ws", 426, ErrorCode.INVALID_REQUEST),
        ("GET", "/ws/training", 426, ErrorCode.INVALID_REQUEST),
    ],
)
async def test_errors_are_problem_documents(
    method: str, path: str, status: int, code: ErrorCode, app: HamletApp
) -> None:
    client = app.test_client()
    response = await (client.get(path) if method == "GET" else client.post(path))
    problem = json.loads(await response.get_data())
    assert response.content_type == "application/problem+json"
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["detail"].endswith(".")
    if status == 405:
        assert response.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    ("origin", "status", "code"),
    [
        ("https://page.example", 426, ErrorCode.INVALID_REQUEST),
        ("https://other.example", 403, ErrorCode.FORBIDDEN_ORIGIN),
    ],
)
async def test_a_page_learns_whether_its_origin_may_connect(
    origin: str, status: int, code: ErrorCode, tmp_path: Path
) -> None:
    app = make_app(tmp_path, allowed_origins=["https://page.example"])
    response = await app.test_client().get("/ws", query_string={"origin": origin})
    assert (response.status_code, json.loads(await response.get_data())["code"]) == (status, code)


@pytest.mark.parametrize("path", ["/nowhere", "/", "/api/models"])
async def test_a_handshake_elsewhere_names_the_websockets(path: str, app: HamletApp) -> None:
    async with app.test_client().websocket(path) as socket:
        with pytest.raises(WebsocketResponseError) as caught:
            await socket.receive()
    problem = json.loads(await caught.value.response.get_data())
    assert (problem["status"], problem["code"]) == (404, "not_found")
    assert "/ws, /ws/training and /ws/room" in problem["detail"]


async def test_an_error_of_the_servers_own_is_a_problem_document_and_logged(
    app: HamletApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(app.server.models, "details", fail)
    status, problem = await get(app, "/api/models")
    assert (status, problem["code"]) == (500, "internal_error")
    assert "disk" not in json.dumps(problem)
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "the disk is gone" in str(record.exc_info[1])


async def test_head_and_options(app: HamletApp) -> None:
    head = await app.test_client().head("/api/status")
    assert (head.status_code, head.mimetype) == (200, "application/json")
    options = await app.test_client().options("/api/status")
    assert options.status_code == 200
    assert set(options.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert options.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST, PUT, DELETE, OPTIONS"


@pytest.mark.parametrize(
    ("origin", "allowed"), [("https://page.example", "https://page.example"), ("https://evil.example", None)]
)
async def test_only_listed_origins_may_read_answers(origin: str, allowed: str | None, tmp_path: Path) -> None:
    app = make_app(tmp_path, allowed_origins=["https://page.example"])
    response = await app.test_client().get("/api/status", headers={"Origin": origin})
    assert response.headers.get("Access-Control-Allow-Origin") == allowed
    assert "origin" in response.vary.as_set()


async def test_any_origin_may_read_answers_in_development(app: HamletApp) -> None:
    response = await app.test_client().get("/api/status", headers={"Origin": "http://localhost:5173"})
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
