"""Test accessibility, themes, screen sizes and a steady layout."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import ROOT, Server
from tests.e2e_page.conftest import BrowserUser
from tests.e2e_page.seen import expect_all_connected, expect_connected, expect_step_above, fact
from tests.needs import left_out


@pytest.fixture(scope="module")
def server(module_server: Server) -> Server:
    """Let the tests use a server of their own: they need empty lists."""
    return module_server


AXE: Path = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
VIEWS = ("watch", "compare", "play", "train", "runs", "replays", "failures", "lab")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# All that another theme changes.
COLOURS = '{ type: "rule", values: ["color-contrast"] }'
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def speak(page: Page, language: str) -> None:
    """Choose the language of the page in its header."""
    chooser = page.get_by_role("banner").get_by_role("combobox", name=re.compile("^(Language|Sprache)$"))
    chooser.select_option(label=language)
    expect(page.locator("html")).to_have_attribute("lang", {"Deutsch": "de", "English": "en"}[language])


def settle(page: Page, view: str) -> None:
    """Wait until the view has loaded."""
    if view == "train":
        expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    elif view == "runs":
        expect(page.get_by_text("No run yet.")).to_be_visible()
    elif view == "lab":
        expect(page.get_by_text("usually 0.5")).to_be_visible()
    elif view in {"replays", "failures"}:
        expect(page.get_by_text("Nothing to show.")).to_be_visible()
    elif view == "compare":
        expect_all_connected(page, 3)
    else:
        expect_connected(page)


def violations(page: Page, rules: str = json.dumps(RULES)) -> list[str]:
    """Return what axe finds against WCAG 2.2 AA, or against other rules of its own."""
    if not AXE.is_file():
        left_out("axe-core is not installed: python frontend/tooling.py test installs it")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(f"axe.run({{ runOnly: {rules} }})")
    return [
        f"{one['id']} ({one['impact']}): {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(user: BrowserUser, view: str) -> None:
    page = user.open(f"?view={view}&model=checkpoint_ep455.pt", color_scheme="light")
    settle(page, view)
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    assert violations(page, COLOURS) == []
    speak(page, "Deutsch")
    assert violations(page) == []


def test_axe_finds_nothing_while_a_cell_is_chosen_over_the_policy_map(user: BrowserUser) -> None:
    page = user.open("?policy=1", color_scheme="light")
    expect(page.locator(".marks > g")).to_have_count(64)
    page.get_by_role("button", name="Move the agent").click()
    expect(page.get_by_role("application")).to_be_focused()
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    assert violations(page, COLOURS) == []


def test_axe_finds_nothing_in_the_dialog_and_on_a_phone(user: BrowserUser) -> None:
    page = user.open("?view=watch", viewport={"width": 360, "height": 640})
    expect_connected(page)
    assert violations(page) == []
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_cut_off_at_any_width(user: BrowserUser, view: str) -> None:
    page = user.open(f"?view={view}&model=checkpoint_ep455.pt")
    settle(page, view)
    for language in ("English", "Deutsch"):
        speak(page, language)
        for width, height in ((360, 640), (390, 844), (768, 1024), (1440, 900), (3840, 2160)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate(OVERFLOW) <= 0, (language, width)


@pytest.mark.parametrize(
    "size",
    [
        (1366, 768),
        pytest.param((1440, 900), marks=pytest.mark.long),
        pytest.param((1920, 1080), marks=pytest.mark.long),
        (3840, 2160),
    ],
)
def test_views_fit_large_screens_without_scrolling(user: BrowserUser, size: tuple[int, int]) -> None:
    page = user.open(viewport={"width": size[0], "height": size[1]})
    for view in ("watch", "play", "train"):
        page.goto(page.url.split("?")[0] + f"?view={view}")
        settle(page, view)
        hidden = page.evaluate(
            "document.documentElement.scrollHeight - document.documentElement.clientHeight"
        )
        assert hidden <= 0, (view, size)


@pytest.mark.parametrize("size", [(360, 740), (390, 844)])
def test_a_phone_shows_world_meters_and_controls_at_once(user: BrowserUser, size: tuple[int, int]) -> None:
    width, height = size
    page = user.open(viewport={"width": width, "height": height}, has_touch=True, is_mobile=True)
    for view, last in (("watch", "Faster"), ("play", "Down")):
        page.goto(page.url.split("?")[0] + f"?view={view}")
        settle(page, view)
        views = page.get_by_role("navigation").bounding_box()
        assert views is not None
        for seen in (
            page.get_by_role("meter", name="Social"),
            page.get_by_role("button", name=last, exact=True),
        ):
            box = seen.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= views["y"], (view, size)


def test_bars_keep_their_shape_in_forced_colours(user: BrowserUser) -> None:
    page = user.open("?view=watch", forced_colors="active")
    expect_connected(page)
    shades = "(bar) => [bar, bar.firstElementChild].map((one) => getComputedStyle(one).backgroundColor)"
    for name in ("Energy", "Money"):
        track, fill = page.get_by_role("meter", name=name).evaluate(shades)
        assert track != fill
    assert (
        page.get_by_role("meter", name="Money").evaluate("(bar) => getComputedStyle(bar).borderStyle")
        == "solid"
    )


@pytest.mark.parametrize("address", ["?speed=10&model=checkpoint_ep455.pt", "?view=compare&speed=10"])
def test_the_layout_does_not_shift_while_frames_arrive(user: BrowserUser, address: str) -> None:
    # So high that no part is below the edge, where what moves is not counted.
    tall = {"width": 1440, "height": 1600}
    page = user.open(address, reduced_motion="no-preference", viewport=tall)
    expect(page.get_by_role("status").filter(has_text="Improving")).to_be_visible()
    if "compare" in address:
        first = expect_all_connected(page, 3)[0]
    else:
        first = page.locator("main")
        expect_connected(first)
    page.keyboard.press(" ")
    # What moves because somebody pressed something is no surprise.
    expect_step_above(first, 2)
    page.evaluate("""() => {
        window.shifts = [];
        new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) window.shifts.push(
                [entry.value, ...entry.sources.map((source) => source.node?.className ?? '')]);
        }).observe({ type: 'layout-shift' });
    }""")
    expect_step_above(first, 30)
    expect(first.get_by_role("status").filter(has_text="ended episode")).to_be_visible()
    expect_step_above(first, 10)
    assert page.evaluate("window.shifts") == []


def test_the_agent_walks_smoothly_unless_motion_is_reduced(user: BrowserUser) -> None:
    watch = """() => {
        window.places = new Set();
        const agent = document.querySelector('.agent');
        const look = () => {
            const { left, top, width } = agent.getBoundingClientRect();
            const plane = agent.parentElement.getBoundingClientRect();
            window.places.add([(left - plane.left) / width, (top - plane.top) / width].join());
            requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
    }"""
    off = "(part) => Math.abs(part - Math.round(part)) > 0.02"
    between = f"[...window.places].filter((place) => place.split(',').map(Number).some({off})).length"
    for motion, smooth in (("no-preference", True), ("reduce", False)):
        page = user.open("?view=play", reduced_motion=motion)
        expect_connected(page)
        page.evaluate(watch)
        # Where the browser draws seldom, it may be on its way between two pictures.
        for step in range(1, 41 if smooth else 5):
            page.keyboard.press(("ArrowUp", "ArrowLeft", "ArrowDown", "ArrowRight")[step % 4])
            expect(fact(page, "Step")).to_have_text(str(step))
            if smooth and page.evaluate(between):
                break
        page.wait_for_function("() => window.places.size >= 3")
        assert (page.evaluate(between) > 0) is smooth


def test_everything_can_be_reached_by_keyboard(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    names = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        names.add(
            page.evaluate(
                "document.activeElement.getAttribute('aria-label') || document.activeElement.innerText.trim()"
                " || document.activeElement.id"
            )
        )
    for name in (
        "Skip to the view",
        "Watch",
        "Compare",
        "Train",
        "Keyboard shortcuts",
        "Step",
        "Reset",
        "Slower",
    ):
        assert name in names, names
    page.keyboard.press("Home")
    page.get_by_role("link", name="Compare").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Compare models side by side")).to_be_attached()
    expect(page.locator("#main")).to_be_focused()


def test_the_theme_is_remembered_before_the_first_paint(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    page.get_by_role("button", name="Theme: same as the system").click()
    page.get_by_role("button", name="Theme: light").click()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 23, 26)"


def test_a_strict_content_security_policy_is_enough(user: BrowserUser) -> None:
    """No script, style or data of the page is inline; the browser reports a violation as an error."""
    page = user.open("?speed=10")
    answer = page.request.get(page.url, headers={"accept": "text/html"})
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "data:" not in answer.headers["content-security-policy"]
    expect_connected(page)
    page.keyboard.press(" ")
    expect(page.get_by_role("status").filter(has_text="ended episode")).to_be_visible()
    for view in ("Compare", "Play", "Train", "Runs", "Replays", "Failures"):
        page.get_by_role("link", name=view, exact=True).click()
        settle(page, view.lower())
