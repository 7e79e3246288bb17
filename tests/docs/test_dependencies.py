"""The list of dependencies agrees with the files that pin their versions."""

import tomllib

import pytest

from scripts.dependencies import LISTS, PAGE, PROJECT, constraints, fill, listed, with_uv_constraints


def test_every_package_is_listed_in_its_version() -> None:
    found = listed(PAGE.read_text(encoding="utf-8"))
    for what, packages in LISTS.items():
        assert found[what] == packages(), "run: .venv/bin/python -m scripts.dependencies"
        assert len(found[what]) > 50


def test_a_date_stays_with_its_version_and_is_new_with_another() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert fill(text, "2100-01-01") == text
    name, version = LISTS["python"]()[0]
    changed = fill(text.replace(f"| {name} | {version} |", f"| {name} | 0.0.1 |"), "2100-01-01")
    assert f"| {name} | {version} | 2100-01-01 |" in changed
    assert changed.count("2100-01-01") == 1


def test_a_page_without_its_marks_is_noticed() -> None:
    with pytest.raises(ValueError, match="has no list of python"):
        listed("nothing")


def test_uv_takes_the_versions_that_pip_takes() -> None:
    text = PROJECT.read_text(encoding="utf-8")
    kept = tomllib.loads(text)["tool"]["uv"]["constraint-dependencies"]
    assert kept == constraints(), "run: .venv/bin/python -m scripts.dependencies"
    assert with_uv_constraints(text) == text
    assert with_uv_constraints(text.replace('    "torch==', '    "torch<')) == text
