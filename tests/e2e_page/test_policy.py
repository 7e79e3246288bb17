"""Test what the model would do anywhere, and lives that begin elsewhere."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Server
from tests.e2e_page.conftest import BrowserUser
from tests.e2e_page.seen import (
    agent_cell,
    expect_all_connected,
    expect_connected,
    expect_step_above,
    fact,
)


@pytest.fixture(scope="module")
def server(module_server: Server) -> Server:
    """Let the tests use a server of their own: they gather statistics."""
    return module_server


CELLS = 64

CHANGED = """before => [...document.querySelectorAll('rect.shade')]
  .some((one, index) => one.getAttribute('fill-opacity') !== before[index])"""
SAME = """before => [...document.querySelectorAll('rect.shade')]
  .every((one, index) => one.getAttribute('fill-opacity') === before[index])"""


def open_what_if(page: Page) -> None:
    page.get_by_role("button", name="What if?").click()


def toggle(page: Page) -> Locator:
    return page.get_by_role("button", name="What would it do anywhere?")


def starts(page: Page) -> Locator:
    return page.get_by_label("Where episodes begin")


def shades(page: Page) -> list[str]:
    read = "all => all.map((one) => one.getAttribute('fill-opacity') ?? '')"
    found: list[str] = page.locator("rect.shade").evaluate_all(read)
    return found


def cell_middle(page: Page, column: int, row: int) -> tuple[float, float]:
    """Return the middle of a cell of the world, whose columns and rows count from 1."""
    box = page.locator(".plane").first.bounding_box()
    assert box is not None
    return box["x"] + box["width"] * (column - 0.5) / 8, box["y"] + box["height"] * (row - 0.5) / 8


def expect_agent_at(page: Page | Locator, column: int, row: int) -> None:
    world = page.get_by_role("img", name=re.compile("cells")).first
    expect(world).to_have_attribute("aria-label", re.compile(rf"agent 0 in column {column}, row {row}\b"))


def test_every_cell_has_what_the_model_would_do_and_a_value(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    expect(page.locator(".marks > g")).to_have_count(0)
    open_what_if(page)
    toggle(page).click()
    expect(page.locator(".marks > g")).to_have_count(CELLS)
    expect(page.locator("rect.shade")).to_have_count(CELLS)
    assert page.locator(".marks .arrow, .marks .use").count() == CELLS
    expect(page).to_have_url(re.compile("policy=1"))
    ends = page.locator(".scale .end").all_inner_texts()
    assert all(re.fullmatch(r"\u2212?\d+\.\d", end) for end in ends), ends
    page.reload()
    expect(page.locator(".marks > g")).to_have_count(CELLS)
    toggle(page).click()
    expect(page.locator(".marks > g")).to_have_count(0)


def test_other_meters_are_supposed_until_taken_back(user: BrowserUser) -> None:
    page = user.open("?policy=1")
    expect(page.locator("rect.shade")).to_have_count(CELLS)
    now = shades(page)
    page.get_by_role("slider", name="Energy").fill("0.05")
    page.get_by_role("slider", name="Money").focus()
    for _ in range(40):
        page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("slider", name="Energy")).to_have_attribute("aria-valuetext", "5%")
    page.wait_for_function(CHANGED, arg=now)
    back = page.get_by_role("button", name="As they are now")
    back.click()
    expect(back).to_be_disabled()
    expect(page.get_by_role("slider", name="Energy")).to_have_attribute("aria-valuetext", "100%")
    page.wait_for_function(SAME, arg=now)


def test_it_follows_the_life_without_moving_the_page(user: BrowserUser) -> None:
    page = user.open("?policy=1&speed=5")
    expect(page.locator(".marks > g")).to_have_count(CELLS)
    first = shades(page)
    page.evaluate(
        """() => {
        window.shifts = []
        new PerformanceObserver((list) => {
          for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifts.push(shift.value)
        }).observe({ type: 'layout-shift' })
        }"""
    )
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_function(CHANGED, arg=first)
    expect_step_above(page, 30)
    assert sum(page.evaluate("window.shifts")) < 0.01


def test_the_agent_is_dragged_and_lives_on_with_its_meters(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    for step in range(1, 4):
        page.get_by_role("button", name="Step", exact=True).click()
        expect(fact(page, "Step")).to_have_text(str(step))
    column, row = agent_cell(page)
    expect(page.get_by_role("meter", name="Energy")).not_to_have_attribute(
        "aria-valuetext", re.compile("^100")
    )
    energy = page.get_by_role("meter", name="Energy").get_attribute("aria-valuetext") or ""
    page.mouse.move(*cell_middle(page, column, row))
    page.mouse.down()
    page.mouse.move(*cell_middle(page, 2, 7), steps=4)
    expect(page.locator(".target")).to_be_visible()
    page.mouse.up()
    expect_agent_at(page, 2, 7)
    expect(fact(page, "Step")).to_have_text("0")
    expect(page.get_by_role("meter", name="Energy")).to_have_attribute("aria-valuetext", energy)
    expect(page).to_have_url(re.compile("start=1%2C6"))
    page.get_by_role("button", name="Start", exact=True).click()
    expect_step_above(page, 2)


def test_a_finger_drags_it_too(user: BrowserUser) -> None:
    page = user.open(viewport={"width": 390, "height": 844}, has_touch=True)
    expect_connected(page)
    client = page.context.new_cdp_session(page)
    begin, end = cell_middle(page, *agent_cell(page)), cell_middle(page, 7, 2)
    for kind, at in (("touchStart", begin), ("touchMove", end), ("touchEnd", None)):
        points = [] if at is None else [{"x": at[0], "y": at[1]}]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    expect_agent_at(page, 7, 2)


def test_a_cell_is_chosen_with_the_keyboard_alone(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    assert agent_cell(page) == (5, 5)
    open_what_if(page)
    move = page.get_by_role("button", name="Move the agent")
    move.press("Enter")
    picker = page.get_by_role("application")
    expect(picker).to_be_focused()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    expect(picker.get_by_text("Column 2, row 3", exact=True)).to_be_attached()
    page.keyboard.press("ArrowDown")
    expect(picker.get_by_text("Column 2, row 4: Home meal")).to_be_attached()
    page.keyboard.press("Enter")
    expect(picker).to_be_hidden()
    expect_agent_at(page, 2, 4)
    move.press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(picker).to_be_hidden()
    expect_agent_at(page, 2, 4)
    expect(fact(page, "Step")).to_have_text("0")


@pytest.mark.parametrize("view", ["", "?view=play"])
def test_lives_begin_where_a_person_says(user: BrowserUser, view: str) -> None:
    page = user.open(view)
    expect_connected(page)
    if view == "":
        open_what_if(page)
    starts(page).select_option("chosen")
    page.mouse.click(*cell_middle(page, 3, 6))
    expect_agent_at(page, 3, 6)
    expect(starts(page).locator("option:checked")).to_have_text("Start: column 3, row 6")
    page.reload()
    expect_agent_at(page, 3, 6)
    if view == "":
        open_what_if(page)
    starts(page).select_option("usual")
    expect_agent_at(page, 5, 5)
    starts(page).select_option("random")
    again = page.get_by_role("button", name=re.compile("Reset|New life"))
    seen = set()
    for _ in range(6):
        number = int(fact(page, "Episode").inner_text())
        again.click()
        expect(fact(page, "Episode")).to_have_text(str(number + 1))
        seen.add(agent_cell(page))
    assert len(seen) > 1
    expect(page).to_have_url(re.compile("start=random"))


def test_compared_models_begin_at_one_start_and_statistics_say_which(user: BrowserUser) -> None:
    page = user.open("?view=compare&compare=trained_agent.pt&compare=checkpoint_ep50.pt&start=0,0&speed=10")
    for pane in expect_all_connected(page, 2):
        expect_agent_at(pane, 1, 1)
    page.get_by_role("button", name="Start all").click()
    for pane in page.get_by_role("article").all():
        expect(pane.locator(".statistics")).to_have_text(
            re.compile("From a chosen start: .*steps on average")
        )
    starts(page).select_option("random")
    for pane in page.get_by_role("article").all():
        expect(pane.locator(".statistics")).to_have_text(re.compile("From random starts: .*steps on average"))


def test_q_values_are_on_one_scale_for_the_whole_life(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    lowest = highest = None
    for step in range(1, 9):
        page.get_by_role("button", name="Step", exact=True).click()
        expect(fact(page, "Step")).to_have_text(str(step))
        texts = page.locator(".bars .number").all_inner_texts()
        values = [float(text.replace("\u2212", "-")) for text in texts]
        lowest = min([*values, *([] if lowest is None else [lowest])])
        highest = max([*values, *([] if highest is None else [highest])])
        parts = page.locator(".bars .fill").evaluate_all(
            "all => all.map((one) => Number(/scaleX\\((.*)\\)/.exec(one.style.transform)[1]))"
        )
        for value, part in zip(values, parts, strict=True):
            # The numbers are rounded, and of random weights.
            rounding = 0.02 / (highest - lowest) + 0.01
            assert part == pytest.approx(max(0.015, (value - lowest) / (highest - lowest)), abs=rounding)
