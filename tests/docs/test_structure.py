"""The tree stays readable: small files, and one name for one thing."""

import ast
import re
import subprocess
from collections import defaultdict
from pathlib import Path

from scripts.doc_tables.pages import REPOSITORY
from tests.docs.reading import TEXTS

MOST_LINES = 400
SOURCES = (".py", ".ts", ".vue", ".css", ".sh")
# Made by scripts/doc_tables, not written by hand.
GENERATED = {"frontend/src/protocol/messages.ts"}
# The same thing of two parts: a module of the server and the command, route or mode that belongs to it.
SHARED_STEMS = {
    "commands", "errors", "frames", "models", "replay", "schema", "serve", "service",
    "tokens",
}  # fmt: skip


def tracked(folder: str = ".") -> list[Path]:
    """Return the files of a folder that git tracks, or would, relative to the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", folder],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return [Path(name) for name in listed if (REPOSITORY / name).is_file()]


def test_every_file_can_be_read_in_one_sitting() -> None:
    long = {
        str(path): lines
        for path in tracked()
        if path.suffix in SOURCES and path.as_posix() not in GENERATED
        if (lines := len((REPOSITORY / path).read_bytes().splitlines())) > MOST_LINES
    }
    assert long == {}


def test_no_two_classes_share_a_name() -> None:
    places = defaultdict(list)
    for path in tracked("hamlet_trio"):
        if path.suffix == ".py":
            tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(path.as_posix())
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_modules_share_a_stem_only_where_they_are_one_thing_of_two_parts() -> None:
    places = defaultdict(list)
    for path in tracked("hamlet_trio"):
        if path.suffix == ".py" and not path.stem.startswith("__"):
            places[path.stem].append(path.as_posix())
    shared = {stem: found for stem, found in places.items() if len(found) > 1}
    assert {stem: found for stem, found in shared.items() if stem not in SHARED_STEMS} == {}
    assert SHARED_STEMS - set(shared) == set(), "no longer shared: take it from the list"


def test_the_journeys_of_the_architecture_pass_through_what_they_name() -> None:
    section = TEXTS["architecture.md"].partition("## Two journeys\n")[2].partition("\n## ")[0]
    steps = re.findall(r"^\d+\. (.+)$", section, re.MULTILINE)
    assert len(steps) > 12
    for step in steps:
        path = None
        for name in re.findall(r"`([\w./]+)`", step):
            if "/" in name:
                path = REPOSITORY / name
                assert path.is_file(), name
            elif name[0].isupper() or name[0] == "_" or name.startswith(("run_", "serve_")):
                assert path is not None
                assert re.search(rf"\b{name}\b", path.read_text(encoding="utf-8")), f"{name} is not in {path}"


def test_only_the_folders_that_make_test_names_are_marked_alone() -> None:
    (line,) = re.findall(
        r'-m "alone and not long" (.+)', (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    )
    marked = {
        path.parent.as_posix()
        for path in tracked("tests")
        if path.suffix == ".py"
        and re.search(r"mark\.alone\b", (REPOSITORY / path).read_text(encoding="utf-8"))
        and path.parent.name != "docs"
    }
    assert marked == set(line.split())
