"""The page for operators knows every error code, and every event that is logged as a warning or an error."""

import ast

from hamlet_trio.protocol.errors import ErrorCode
from scripts.doc_tables.pages import REPOSITORY
from tests.docs.reading import TEXTS

LEVELS = {"warning", "error", "exception"}


def section(title: str) -> str:
    """What stands under a heading of the page."""
    return TEXTS["operations.md"].partition(f"## {title}\n")[2].partition("\n## ")[0]


def codes_in(text: str) -> set[str]:
    """Everything in a table's first column that is marked as code."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {code for cell in cells for code in cell.split("`")[1::2]}


def logged_events() -> set[str]:
    """Every event that the code logs at one of these levels: the first argument of a logger's method."""
    found = set()
    for path in (REPOSITORY / "hamlet_trio").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                first = node.args[0] if node.args else None
                named = isinstance(first, ast.Constant) and isinstance(first.value, str)
                if node.func.attr in LEVELS and named:
                    found.add(ast.literal_eval(node.args[0]))
    return found


def test_every_error_code_has_a_word_for_operators() -> None:
    assert codes_in(section("What each error means")) == {code.value for code in ErrorCode}


def test_every_warning_and_error_of_the_log_is_explained() -> None:
    assert codes_in(section("Logs")) == logged_events()
