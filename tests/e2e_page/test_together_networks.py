"""Two pupils of a group in real browsers on real networks: how they are connected, and that it says so."""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from bench.page.measuring import FLAGS
from tests.e2e.conftest import launch
from tests.e2e_page.conftest import PATIENCE_MS, VISITED
from tests.e2e_page.networks import Network, network
from tests.e2e_page.seen import expect_connected
from tests.needs import left_out

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("built_page")]

DIRECT, RELAYED = "direct", "over the server"
# Longer than an attempt, which the page ends after 4 s.
ATTEMPT_MS = 6000


@contextmanager
def group(net: Network, models: Path, folder: Path, **settings: object) -> Iterator[list[Page]]:
    """Start a server in the network, and open a group in the browsers of both pupils."""
    program = shutil.which("chromium") or shutil.which("google-chrome") or ""
    if not program:
        left_out("the page's tests in a browser need Chromium: apt-get install chromium")
    own = {f"HAMLET_{name.upper()}": str(value) for name, value in settings.items()}
    folders = {"HAMLET_MODELS_DIR": str(models), "HAMLET_DATA_DIR": str(folder / "data")}
    command = ["ip", "netns", "exec", net.server, sys.executable, "demo_metaserver.py"]
    server = launch({"HAMLET_HOST": "0.0.0.0"} | folders | own, command)
    try:
        port = server.wait_for("listening")["port"]
        server.wait_for("inference_ready")
        with sync_playwright() as playwright:
            pages = []
            for pupil in net.pupils:
                wrapper = net.wrapped(pupil, program, folder)
                browser = playwright.chromium.launch(executable_path=wrapper, args=FLAGS)
                page = browser.new_page(reduced_motion="reduce")
                page.set_default_timeout(PATIENCE_MS)
                page.add_init_script(VISITED)
                page.goto(f"http://{net.seen_by(pupil)}:{port}/?view=watch&room=4827-1")
                expect_connected(page)
                pages.append(page)
            for page in pages:
                expect(page.get_by_role("button", name="2 members")).to_be_visible()
            yield pages
            for page in pages:
                assert page.context.browser
                page.context.browser.close()
    finally:
        server.end()


def expect_way(pages: list[Page], way: str) -> None:
    """Wait until both say how they are connected."""
    for page in pages:
        expect(page.locator(".room-bar .way")).to_have_text(way)


def point(pages: list[Page], x: float) -> float:
    """Have the first pupil point at a place, wait until the second sees it; return the seconds it took."""
    first, second = pages
    own = first.locator(".world").bounding_box()
    theirs = second.locator(".world").bounding_box()
    assert own
    assert theirs
    began = time.monotonic()
    first.mouse.move(own["x"] + own["width"] * x, own["y"] + own["height"] * 0.3)
    second.wait_for_function(
        """([left, width, x]) => {
            const cursor = document.querySelector('.room-layer .cursor')?.getBoundingClientRect()
            return cursor && Math.abs((cursor.left - left) / width - x) < 0.08
        }""",
        arg=[theirs["x"], theirs["width"], x],
    )
    return time.monotonic() - began


class Case(NamedTuple):
    """A network, and how two in it are connected."""

    segments: int
    stun_port: int
    routed: bool
    way: str


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Case(1, 0, routed=True, way=DIRECT), id="one segment"),
        pytest.param(Case(2, 0, routed=True, way=RELAYED), id="two segments"),
        pytest.param(Case(2, 3478, routed=True, way=DIRECT), id="two segments and STUN"),
        pytest.param(Case(1, 0, routed=False, way=RELAYED), id="no default route"),
        pytest.param(Case(1, 3478, routed=False, way=DIRECT), id="no default route and STUN"),
    ],
)
def test_the_way_is_found_and_told(
    case: Case, page_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        network(segments=case.segments, routed=case.routed) as net,
        group(net, page_models, tmp_path, stun_port=case.stun_port) as pages,
    ):
        if case.way == RELAYED:
            pages[0].wait_for_timeout(ATTEMPT_MS)
        expect_way(pages, case.way)
        took = point(pages, 0.3)
    with capsys.disabled():
        print(f"\n{case.way}: a cursor arrived after {took:.2f} s")


def test_a_cable_is_pulled_in_the_middle(
    page_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with network() as net, group(net, page_models, tmp_path) as pages:
        expect_way(pages, DIRECT)
        point(pages, 0.2)
        net.part(apart=True)
        pulled = point(pages, 0.7)
        expect_way(pages, RELAYED)
        relayed = point(pages, 0.3)
        net.part(apart=False)
        # It is tried again after half a minute, if the connection was given up.
        expect_way(pages, DIRECT)
        point(pages, 0.8)
    with capsys.disabled():
        print(f"\na cable was pulled: a cursor arrived after {pulled:.2f} s, the next after {relayed:.2f} s")
