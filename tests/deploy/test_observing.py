"""The dashboard and the alarms look at metrics that exist, and at all that matters."""

import json
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from hamlet_trio.settings import Settings
from hamlet_trio.web.app import create_app

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
METRIC = re.compile(r"\b(?:hamlet|process)_[a-z_]+\b")


@pytest.fixture
async def served() -> set[str]:
    """Every name that `/metrics` of a server has."""
    answer = await create_app(Settings(redis_url="redis://127.0.0.1:1")).test_client().get("/metrics")
    text = await answer.get_data(as_text=True)
    return set(re.findall(r"^([a-z_]+)(?:\{| )", text, re.M))


def dashboard() -> dict[str, Any]:
    """The dashboard of Grafana."""
    loaded: dict[str, Any] = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))
    return loaded


def panels() -> list[dict[str, Any]]:
    """Its panels that show something."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def questions_of_the_dashboard() -> list[str]:
    """Every expression that it asks Prometheus."""
    asked = [target["expr"] for panel in panels() for target in panel["targets"]]
    asked += [annotation["expr"] for annotation in dashboard()["annotations"]["list"]]
    return asked + [
        variable["query"]["query"]
        for variable in dashboard()["templating"]["list"]
        if variable["type"] == "query"
    ]


def alarms() -> list[dict[str, Any]]:
    """The rules for Prometheus."""
    (group,) = yaml.safe_load((DEPLOY / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


async def test_the_dashboard_and_the_alarms_ask_for_what_there_is(served: set[str]) -> None:
    asked = [*questions_of_the_dashboard(), *(alarm["expr"] for alarm in alarms())]
    named = {name for question in asked for name in METRIC.findall(question)}
    assert named - served == set()
    for question in asked:
        for opening, closing in ("()", "[]", "{}"):
            assert question.count(opening) == question.count(closing), question


def test_the_dashboard_shows_all_that_matters() -> None:
    shown = {name for question in questions_of_the_dashboard() for name in METRIC.findall(question)}
    assert shown >= {
        "hamlet_inference_sessions",
        "hamlet_training_viewers",
        "hamlet_inference_frame_seconds_count",
        "hamlet_training_frames_total",
        "hamlet_training_frames_dropped_total",
        "hamlet_inference_batch_size_bucket",
        "hamlet_inference_step_seconds_bucket",
        "hamlet_inference_frame_seconds_bucket",
        "hamlet_training_steps_total",
        "hamlet_training_restarts_total",
        "hamlet_inference_engine_restarts_total",
        "hamlet_errors_total",
    }


def test_the_dashboard_is_laid_out_without_overlaps() -> None:
    every = dashboard()["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    cells = [
        {
            (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
            for x in range(panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["h"])
        }
        for panel in every
    ]
    assert all(x < 24 for taken in cells for x, _ in taken)
    assert not any(one & other for one, other in combinations(cells, 2))
    assert all(panel["title"] and panel["description"] and panel["targets"] for panel in panels())


def test_every_alarm_says_how_bad_it_is_and_has_a_way_out() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(Hamlet\w+)` \| (\w+) \|", page, re.M))
    assert rows == {alarm["alert"]: alarm["labels"]["severity"] for alarm in alarms()}
    for alarm in alarms():
        assert set(alarm) <= {"alert", "expr", "for", "labels", "annotations"}
        assert "{{ $labels.instance }}" in alarm["annotations"]["summary"]
        assert re.fullmatch(r"\d+[mh]", alarm.get("for", "1m"))


def test_prometheus_takes_the_alarms_and_the_questions(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool, which comes with prometheus")
    records = [
        {"record": f"question{number}", "expr": re.sub(r"\$__rate_interval", "1m", question)}
        for number, question in enumerate(questions_of_the_dashboard())
        if not question.startswith("label_values")
    ]
    path = tmp_path / "questions.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": records}]}), encoding="utf-8")
    for rules in (DEPLOY / "alerts.yaml", path):
        checked = subprocess.run(
            ["promtool", "check", "rules", rules], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
