"""Test that what a person needs is in view: on phones of any size, beside hints, in replays."""

import re
from colorsys import rgb_to_hsv
from typing import Any, Final

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e_page.conftest import BrowserUser
from tests.e2e_page.seen import expect_connected, fact

PHONE: Final[dict[str, Any]] = {"has_touch": True, "is_mobile": True}


_COLOR: Final = "(element) => getComputedStyle(element).backgroundColor"


def hue(color: str) -> float:
    """Return the hue of a colour such as `rgb(42, 107, 61)`, in degrees."""
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", color)[:3])
    return 360 * rgb_to_hsv(red, green, blue)[0]


def bottom(locator: Locator) -> float:
    """Return where an element ends, in pixels from the top of the window."""
    box = locator.bounding_box()
    assert box is not None
    return box["y"] + box["height"]


def views_at(page: Page) -> float:
    """Return where the bar of views at a phone's bottom begins."""
    box = page.get_by_role("navigation").bounding_box()
    assert box is not None
    return box["y"]


@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080)])
def test_hints_leave_the_meters_in_view(user: BrowserUser, size: tuple[int, int]) -> None:
    page = user.open("?view=play", viewport={"width": size[0], "height": size[1]})
    expect_connected(page)
    page.get_by_role("button", name="Hints").click()
    expect(page.get_by_text("these 72 numbers")).to_be_attached()
    assert bottom(page.get_by_role("meter", name="Social")) <= size[1]


@pytest.mark.parametrize(("view", "button"), [("watch", "Start"), ("play", "Down")])
def test_a_phone_on_its_side_shows_controls_and_meters(user: BrowserUser, view: str, button: str) -> None:
    page = user.open(f"?view={view}", viewport={"width": 844, "height": 390}, **PHONE)
    expect_connected(page)
    assert bottom(page.get_by_role("button", name=button, exact=True)) <= 390
    assert bottom(page.get_by_role("meter", name="Social")) <= 390


def test_a_small_phone_shows_whole_values(user: BrowserUser) -> None:
    page = user.open("?view=play", viewport={"width": 320, "height": 640}, **PHONE)
    expect_connected(page)
    for value in page.locator(".meter .value").all():
        box, label = (
            value.bounding_box(),
            value.locator("xpath=../*[contains(@class, 'label')]").bounding_box(),
        )
        assert box is not None
        assert label is not None
        assert label["x"] + label["width"] <= box["x"]
        assert value.evaluate("(element) => element.scrollWidth <= element.clientWidth")


@pytest.mark.parametrize("size", [(360, 740), (390, 844)])
def test_a_replay_on_a_phone_leaves_the_meters_in_view(user: BrowserUser, size: tuple[int, int]) -> None:
    page = user.open(viewport={"width": size[0], "height": size[1]}, **PHONE)
    expect_connected(page)
    for step in (1, 2):
        page.keyboard.press("ArrowRight")
        expect(fact(page, "Step")).to_have_text(str(step))
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("button", name="Back to live")).to_be_visible()
    assert bottom(page.get_by_role("meter", name="Social")) <= views_at(page)


def test_the_notice_of_a_recording_covers_no_world(user: BrowserUser) -> None:
    page = user.open(viewport={"width": 1366, "height": 768})
    expect_connected(page)
    page.keyboard.press("ArrowRight")
    expect(fact(page, "Step")).to_have_text("1")
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_role("button", name="Save now", exact=True).click()
    notice = page.get_by_role("status").filter(has_text="Recorded:")
    expect(notice).to_be_visible()
    world, box = page.locator(".world").bounding_box(), notice.bounding_box()
    assert world is not None
    assert box is not None
    assert box["x"] >= world["x"] + world["width"]


def test_a_places_name_stays_readable_under_the_agent(user: BrowserUser) -> None:
    page = user.open("?view=play")
    expect_connected(page)
    layers = page.locator(".plane > *").evaluate_all(
        "(layers) => layers.map((layer) => layer.classList.value)"
    )
    agents = next(index for index, layer in enumerate(layers) if "agents" in layer)
    names = next(index for index, layer in enumerate(layers) if "names" in layer)
    assert names > agents


def test_a_meter_at_zero_money_has_no_bar(user: BrowserUser) -> None:
    page = user.open("?view=play")
    expect_connected(page)
    bar = page.get_by_role("meter", name="Money")
    track, fill = bar.bounding_box(), bar.locator(".fill").bounding_box()
    assert track is not None
    assert fill is not None
    # 50 of -100..100: from the middle, which is zero, a quarter to the right.
    assert abs(fill["x"] - (track["x"] + track["width"] / 2)) < 1
    assert abs(fill["width"] - track["width"] / 4) < 1


def test_good_and_fine_meters_differ_in_hue(user: BrowserUser) -> None:
    page = user.open("?view=play")
    expect_connected(page)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        hues = [
            hue(page.get_by_role("meter", name=name).locator(".fill").evaluate(_COLOR))
            for name in ("Energy", "Social")
        ]
        assert min(abs(hues[0] - hues[1]), 360 - abs(hues[0] - hues[1])) > 45, (scheme, hues)
