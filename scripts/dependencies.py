"""Write docs/dependencies.md, the packages that Hamlet is built from: `python -m scripts.dependencies`.

It also copies constraints.txt into pyproject.toml, where uv reads the versions.

A row keeps its date as long as its version stays; a new version gets today's. tests/docs/test_dependencies.py
fails when the page and the files that pin the versions disagree.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from scripts.doc_tables.markdown import table
from scripts.doc_tables.pages import DOCS, REPOSITORY

PAGE: Final = DOCS / "dependencies.md"
PROJECT: Final = REPOSITORY / "pyproject.toml"
_UV_LIST = re.compile(r"(?<=^constraint-dependencies = \[\n)(?:    .*\n)*(?=\])", re.M)
_ROW = re.compile(r"^\| (?P<name>\S+) \| (?P<version>\S+) \| (?P<date>\d{4}-\d\d-\d\d) \|$", re.M)


class Package(NamedTuple):
    """One package in one version."""

    name: str
    version: str


def constraints() -> list[str]:
    """Return the lines of constraints.txt that pin a version."""
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def with_uv_constraints(text: str) -> str:
    """Return pyproject.toml's text with the pinned versions of constraints.txt in the list that uv reads."""
    return _UV_LIST.sub("".join(f'    "{line}",\n' for line in constraints()), text)


def python_packages() -> list[Package]:
    """Return what constraints.txt pins."""
    pinned = [line.partition("==") for line in constraints()]
    return sorted((Package(name, version) for name, _, version in pinned), key=lambda p: p.name.lower())


def npm_packages() -> list[Package]:
    """Return what the page's lock file pins, each version of a package once."""
    lock = json.loads((REPOSITORY / "frontend" / "package-lock.json").read_text(encoding="utf-8"))
    found = {
        Package(path.rpartition("node_modules/")[2], entry["version"])
        for path, entry in lock["packages"].items()
        if path
    }
    return sorted(found)


LISTS: Final = {"python": python_packages, "npm": npm_packages}


def listed(text: str) -> dict[str, list[Package]]:
    """Return the packages of each list on a page."""
    return {
        what: [Package(row["name"], row["version"]) for row in _ROW.finditer(_between(text, what))]
        for what in LISTS
    }


def fill(text: str, today: str) -> str:
    """Return the page with both lists brought up to date."""
    dates = {Package(row["name"], row["version"]): row["date"] for row in _ROW.finditer(text)}
    for what, packages in LISTS.items():
        begin = text.index(_begin(what)) + len(_begin(what))
        end = begin + len(_between(text, what))
        text = f"{text[:begin]}\n{_table(packages(), dates, today)}\n\n{text[end:]}"
    return text


def _begin(what: str) -> str:
    return f"<!-- list: {what} -->\n"


def _between(text: str, what: str) -> str:
    _, begun, rest = text.partition(_begin(what))
    body, ended, _ = rest.partition(f"<!-- end: {what} -->")
    if not begun or not ended:
        raise ValueError(f"{PAGE.name} has no list of {what} between its marks")
    return body


def _table(packages: Iterable[Package], dates: Mapping[Package, str], today: str) -> str:
    rows = [(p.name, p.version, dates.get(p, today)) for p in packages]
    return table(("Package", "Version", "In this version since"), rows)


def main() -> int:
    """Rewrite the page, and the list for uv in pyproject.toml."""
    PROJECT.write_text(with_uv_constraints(PROJECT.read_text(encoding="utf-8")), encoding="utf-8")
    today = datetime.now(UTC).date().isoformat()
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), today), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
