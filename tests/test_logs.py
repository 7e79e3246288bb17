"""Logs: nothing that a client sends forges a line, controls a terminal or leaves a secret."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from hamlet_trio.logs import FaultLimiter, configure_logging, flush_logs, get_logger
from hamlet_trio.settings import LogFormat, Settings

pytestmark = pytest.mark.usefixtures("root_logger")

FORGED = 'x\n{"event": "forged", "level": "error"}\r\x1b[2J\x9b31m\u2028y'


@pytest.fixture
def logged_lines(capfd: pytest.CaptureFixture[str]) -> Callable[[], list[Any]]:
    """A function that returns the lines logged since it was last called."""

    def read() -> list[Any]:
        assert flush_logs(10)
        return [json.loads(line) for line in capfd.readouterr().err.splitlines()]

    return read


def log_something(log_format: LogFormat) -> None:
    """Have every place of a line hold what a client might have sent."""
    configure_logging(Settings(log_format=log_format))
    log = get_logger(bound=FORGED)
    log.warning(FORGED, value=FORGED, within=[FORGED])
    try:
        raise ValueError(FORGED)
    except ValueError:
        log.exception("failed")
    assert flush_logs(10)


def test_json_stays_one_object_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    log_something("json")
    lines = capfd.readouterr().err.split("\n")
    first, second, end = lines
    assert end == ""
    assert json.loads(first)["event"] == json.loads(first)["value"] == FORGED
    assert json.loads(second)["exception"][0]["exc_value"] == FORGED
    assert "\x1b" not in first + second


def test_a_terminal_gets_no_line_and_no_order_from_a_client(capfd: pytest.CaptureFixture[str]) -> None:
    log_something("console")
    text = capfd.readouterr().err
    lines = text.splitlines()
    assert not any(line.startswith(("{", "y")) for line in lines)
    assert all(character.isprintable() or character == "\n" for character in text)
    assert any(line.startswith("  ValueError: x") for line in lines)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_holds_no_local_variables(
    log_format: LogFormat, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logging(Settings(log_format=log_format))
    secret = "-".join(["hamlet", "kept", "secret"])
    try:
        raise ValueError(len(secret))
    except ValueError:
        get_logger().exception("failed")
    assert flush_logs(10)
    text = capfd.readouterr().err
    assert "ValueError" in text
    assert secret not in text


def test_a_fault_that_recurs_is_logged_once_and_then_counted(logged_lines: Callable[[], list[Any]]) -> None:
    configure_logging(Settings(log_format="json"))
    (limiter,) = [step for step in structlog.get_config()["processors"] if isinstance(step, FaultLimiter)]

    def fail(error: type[Exception], message: str) -> None:
        try:
            raise error(message)
        except error:
            get_logger().exception("failed")

    for number in range(5):
        fail(OSError, f"attempt {number}")
    fail(ValueError, "another fault")
    get_logger().error("without exception")
    get_logger().error("without exception")
    events = logged_lines()
    assert [line["event"] for line in events] == ["failed", "failed", *["without exception"] * 2]
    limiter.report()
    (repeated,) = logged_lines()
    assert (repeated["event"], repeated["fault"]) == ("fault_repeated", "failed")
    assert (repeated["error"], repeated["count"]) == ("OSError", 4)
    limiter.report()
    assert logged_lines() == []
    for message in ("full", "full", "other"):
        get_logger(library="trio").error("library_message", message=message, exc_info=None)
    assert [line["message"] for line in logged_lines()] == ["full", "other"]


def test_faults_are_remembered_in_bounded_memory() -> None:
    limiter = FaultLimiter()
    for number in range(1_000):
        limiter(None, "error", {"event": f"fault {number}", "exc_info": ValueError()})
    assert len(limiter._faults) == 64
