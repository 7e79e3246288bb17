"""The glossary, the code and the wire speak of one thing by one name."""

import io
import re
import tokenize

import msgspec
import pytest

from hamlet_trio.web.schema import build_schema
from scripts.doc_tables.pages import REPOSITORY
from tests.docs.reading import TEXTS

CODE = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "hamlet_trio").rglob("*.py"))
NAMES = {
    token.string
    for path in (REPOSITORY / "hamlet_trio").rglob("*.py")
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
    if token.type == tokenize.NAME
}
PAGE = TEXTS["glossary.md"]


def rows(heading: str) -> list[list[str]]:
    """Return the cells of each row of the table under a heading."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def names(cell: str) -> list[str]:
    """Return the names that a cell sets in code."""
    return re.findall(r"`(\w+)`", cell)


def test_there_are_ten_words_to_know() -> None:
    assert len(rows("Eleven words to know")) == 11


@pytest.mark.parametrize("row", rows("Eleven words to know"), ids=lambda row: row[0])
def test_each_word_stands_in_the_code_and_on_the_wire(row: list[str]) -> None:
    _, _, code, wire = row
    for name in names(code):
        assert re.search(rf"^(?:class|async def|def) {name}\b", CODE, re.MULTILINE)
    known = msgspec.json.encode(build_schema()).decode()
    for name in names(wire):
        assert f'"{name}"' in known


@pytest.mark.parametrize("row", rows("Older names"), ids=lambda row: row[0])
def test_an_older_name_is_gone_and_its_new_one_is_there(row: list[str]) -> None:
    (old,), (new,) = names(row[0]), names(row[1])
    assert re.search(rf"^class {new}\b", CODE, re.MULTILINE)
    assert old not in NAMES
