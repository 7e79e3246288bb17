"""Logs: nothing that a client sends forges a line, or gives a terminal orders."""

import json

import pytest

from hamlet_trio.logs import configure_logging, get_logger
from hamlet_trio.settings import LogFormat, Settings

pytestmark = pytest.mark.usefixtures("root_logger")

FORGED = 'x\n{"event": "forged", "level": "error"}\r\x1b[2J\x9b31m\u2028y'


def log_something(log_format: LogFormat) -> None:
    """Have every place of a line hold what a client might have sent."""
    configure_logging(Settings(log_format=log_format))
    log = get_logger(bound=FORGED)
    log.warning(FORGED, value=FORGED, within=[FORGED])
    try:
        raise ValueError(FORGED)
    except ValueError:
        log.exception("failed")


def test_json_stays_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    log_something("json")
    lines = capsys.readouterr().err.split("\n")
    first, second, end = lines
    assert end == ""
    assert json.loads(first)["event"] == json.loads(first)["value"] == FORGED
    assert json.loads(second)["exception"][0]["exc_value"] == FORGED
    assert "\x1b" not in first + second


def test_a_terminal_gets_no_line_and_no_order_from_a_client(capsys: pytest.CaptureFixture[str]) -> None:
    log_something("console")
    text = capsys.readouterr().err
    lines = text.splitlines()
    assert not any(line.startswith(("{", "y")) for line in lines)
    assert all(character.isprintable() or character == "\n" for character in text)
    assert any(line.startswith("  ValueError: x") for line in lines)
