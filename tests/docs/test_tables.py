"""Test that the generated tables are up to date, and that each is on a page."""

from pathlib import Path

import pytest

from hamlet_trio.web.schema import build_schema
from scripts.doc_tables import TABLES, kept
from scripts.doc_tables.pages import PAGES, fill, tables_in


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_are_fresh(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert fill(text, TABLES) == text, "run: .venv/bin/python -m scripts.doc_tables"


def test_every_table_is_on_a_page() -> None:
    shown = {name for page in PAGES for name in tables_in(page.read_text(encoding="utf-8"))}
    assert shown == set(TABLES)


@pytest.mark.parametrize(
    "text",
    [
        "<!-- table: nothing -->\n<!-- end: nothing -->",
        "<!-- table: settings -->\n<!-- end: commands -->",
        "<!-- table: settings -->\n",
    ],
)
def test_a_misspelt_marker_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="table"):
        fill(text, TABLES)


def test_every_form_the_pages_call_kept_exists() -> None:
    schema = build_schema()
    for direction, forms in (("commands", kept.COMMANDS), ("messages", kept.MESSAGES)):
        for endpoint, names in forms.items():
            known = schema["endpoints"][endpoint][direction]
            for name, fields in names.items():
                definition = schema["$defs"][known[name]["$ref"].rpartition("/")[2]]
                assert set(fields) <= set(definition["properties"]), f"{endpoint} {name}"
