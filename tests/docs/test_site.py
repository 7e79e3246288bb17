"""The site builds strictly and needs nothing from elsewhere; links of pages outside it lead somewhere."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.doc_tables.pages import REPOSITORY

OUTSIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
# What a browser fetches by itself: not `<a href>`, which a person follows.
FETCHED = re.compile(r'<(?:script|img|iframe)\b[^>]*\bsrc="([^"]+)"|<link\b[^>]*\bhref="([^"]+)"')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a broken link, anchor or snippet fails the build."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def fetched(page: Path) -> Iterator[str]:
    """What a browser fetches to show a page."""
    for source, link in FETCHED.findall(page.read_text(encoding="utf-8")):
        yield source or link


def test_a_page_fetches_nothing_from_elsewhere(site: Path) -> None:
    pages = [page for page in site.glob("*.html") if page.name != "404.html"]
    assert len(pages) > 10
    for page in pages:
        for address in fetched(page):
            assert "//" not in address, f"{page.name} fetches {address}"
            assert (page.parent / address.split("?")[0].split("#")[0]).exists(), f"{page.name}: {address}"


def test_the_search_works_from_a_file(site: Path) -> None:
    assert (site / "search" / "search_index.js").read_text(encoding="utf-8").startswith("var __index = {")
    assert "assets/iframe-worker.js" in (site / "index.html").read_text(encoding="utf-8")


def test_samples_can_be_downloaded(site: Path) -> None:
    assert (site / "samples" / "own_rule.py").is_file()


def anchors_of(page: Path) -> set[str]:
    """The anchors that the headings of a page make."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\s-]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", OUTSIDE)
def test_links_outside_the_site_lead_somewhere(name: str) -> None:
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s]+)(#[\w-]+)?\)", text)
    for target, anchor in links:
        if target.startswith(("http://", "https://")):
            continue
        place = REPOSITORY / target
        assert place.exists(), f"{name} links {target}"
        if anchor:
            assert anchor[1:] in anchors_of(place), f"{name} links {target}{anchor}"
