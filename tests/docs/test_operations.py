"""The page for operators knows every error code, and every event that is logged as a warning or an error."""

import ast

from hamlet_trio.protocol.errors import ErrorCode
from scripts.doc_tables.pages import REPOSITORY
from tests.docs.reading import TEXTS

LEVELS = {"warning": 0, "error": 0, "exception": 0, "log": 1}
"""The methods of a logger, with the place of the event among their arguments."""


def section(title: str) -> str:
    """Return the text under a heading of the page."""
    return TEXTS["operations.md"].partition(f"## {title}\n")[2].partition("\n## ")[0]


def codes_in(text: str) -> set[str]:
    """Everything in a table's first column that is marked as code."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {code for cell in cells for code in cell.split("`")[1::2]}


def logged_events() -> set[str]:
    """Every event that the code logs at one of these levels."""
    found = set()
    for path in (REPOSITORY / "hamlet_trio").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                for event in node.args[LEVELS.get(node.func.attr, len(node.args)) :][:1]:
                    if isinstance(event, ast.Constant) and isinstance(event.value, str):
                        found.add(event.value)
    return found


def test_every_error_code_has_a_word_for_operators() -> None:
    assert codes_in(section("What each error means")) == {code.value for code in ErrorCode}


def test_every_warning_and_error_of_the_log_is_explained() -> None:
    assert codes_in(section("Logs")) == logged_events()
