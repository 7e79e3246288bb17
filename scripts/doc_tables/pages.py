"""The pages of the documentation, and the markers of tables in them."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
DOCS: Final = REPOSITORY / "docs"
PAGES: Final = (*sorted(DOCS.glob("*.md")), REPOSITORY / "README.md")
"""Every page that may hold a generated table."""

_TABLE = re.compile(
    r"<!-- table: (?P<name>[a-z-]+) -->\n(?P<body>.*?)<!-- end: (?P<end>[a-z-]+) -->", re.DOTALL
)
_BEGIN = re.compile(r"^<!-- table:", re.MULTILINE)


def fill(text: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """Return the page with every table brought up to date.

    Raises `ValueError` for a marker that names no table, or whose end is missing or names another.
    """

    def make(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in tables:
            raise ValueError(f"there is no table {name}; there are {', '.join(sorted(tables))}")
        if found["end"] != name:
            raise ValueError(f"the table {name} ends as {found['end']}")
        return f"<!-- table: {name} -->\n\n{tables[name]().strip()}\n\n<!-- end: {name} -->"

    filled, count = _TABLE.subn(make, text)
    if count != len(_BEGIN.findall(text)):
        raise ValueError("a table has no end marker, or its marker is misspelt")
    return filled


def tables_in(text: str) -> list[str]:
    """Return the names of a page's tables."""
    return [found["name"] for found in _TABLE.finditer(text)]
