"""Models whose metadata would break a table or a terminal are listed or refused in a sentence."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hamlet_trio.cli import app
from hamlet_trio.cli.errors import UserError
from tests.agent.test_models import write_model


def test_titles_are_printed_without_escapes_and_on_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    write_model(tmp_path / "odd.pt", title="[bold]\x1b]0;owned\x07\nnext", evaluation={"mean_length": 76})
    result = CliRunner().invoke(app, ["models", "--models-dir", str(tmp_path)], catch_exceptions=False)
    assert "\x1b" not in result.output
    (line,) = [line for line in result.output.splitlines() if "odd.pt" in line]
    assert "[bold]?]0;owned? next" in line


def test_an_unusable_world_is_named(tmp_path: Path) -> None:
    write_model(tmp_path / "odd.pt", world={"width": 8, "height": 8, "max_steps": "many"})
    with pytest.raises(UserError, match=r"odd\.pt names an unusable world: Expected `int`"):
        CliRunner().invoke(app, ["evaluate", str(tmp_path / "odd.pt")], catch_exceptions=False)
