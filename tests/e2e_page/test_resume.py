"""Test that a reloaded tab goes on with its session, and that a copy of the tab takes it over."""

import re

from playwright.sync_api import Page, expect

from tests.e2e_page.conftest import BrowserUser
from tests.e2e_page.seen import expect_connected, expect_step_above, fact, number


def play(page: Page) -> None:
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_a_reloaded_tab_goes_on_in_the_same_life(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    page.get_by_role("button", name="Reset").click()
    expect(fact(page, "Episode")).to_have_text("2")
    for step in range(1, 8):
        page.get_by_role("button", name="Step", exact=True).click()
        expect(fact(page, "Step")).to_have_text(str(step))
    before, total = int(number(page, "Step")), fact(page, "Return").inner_text()
    page.reload()
    expect(fact(page, "Step")).to_have_text(str(before))
    expect(fact(page, "Episode")).to_have_text("2")
    expect(fact(page, "Return")).to_have_text(total)
    play(page)
    expect_step_above(page, before + 3)
    page.reload()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect_step_above(page, before + 5)
    expect(fact(page, "Episode")).to_have_text("2")


def test_a_reload_keeps_the_person_in_control(user: BrowserUser) -> None:
    page = user.open("?view=play")
    expect_connected(page)
    for step in range(1, 4):
        page.keyboard.press("ArrowUp")
        expect(fact(page, "Step")).to_have_text(str(step))
    page.reload()
    expect(fact(page, "Step")).to_have_text("3")
    page.keyboard.press("ArrowDown")
    expect(fact(page, "Step")).to_have_text("4")
    expect(fact(page, "Last action")).to_have_text(re.compile("Down"))
