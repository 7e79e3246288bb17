"""Reading the documentation: pages, fences, inline code, shell commands."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from scripts.doc_tables.pages import DOCS, REPOSITORY

PAGES = (
    *sorted(DOCS.glob("*.md")),
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "CHANGELOG.md",
    REPOSITORY / "SECURITY.md",
)
TEXTS = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
"""Every page by its name."""

EVERY_PAGE = "\n".join(TEXTS.values())

_FENCE = re.compile(
    r"^ *``` ?(?:\{ \.)?(?P<language>\w+)(?: \})?\n(?P<body>.*?)^ *```$", re.MULTILINE | re.DOTALL
)


class Fence(NamedTuple):
    """One fenced block of a page."""

    page: str
    language: str
    body: str


def fences(language: str) -> list[Fence]:
    """Every fence of a language on any page."""
    return [
        Fence(name, language, found["body"])
        for name, text in TEXTS.items()
        for found in _FENCE.finditer(text)
        if found["language"] == language
    ]


def inline_code() -> Iterator[tuple[str, str]]:
    """Every piece of inline code as (page, code)."""
    for name, text in TEXTS.items():
        for code in re.findall(r"`([^`\n]+)`", _FENCE.sub("", text)):
            yield name, code
