"""Test the reward lab: change a weight, predict, train, and see what came of it."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Server
from tests.e2e_page.conftest import BrowserUser
from tests.e2e_page.past_runs import ONE, OTHER, model_of
from tests.e2e_page.seen import expect_all_connected
from tests.e2e_page.test_quality import violations


@pytest.fixture
def own_server(past_server: Server) -> Server:
    """Let the teacher use a server that remembers runs."""
    return past_server


def test_two_rewards_are_compared_with_a_guess(teacher: BrowserUser) -> None:
    page = teacher.open("?view=runs", locale="en-US")
    page.get_by_role("link", name="Reward lab").click()
    expect(page.get_by_text("usually 0.5")).to_be_visible()
    # By keyboard: another weight, its value, and a guess.
    page.get_by_role("radio", name="Being near the place").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_text("usually 2", exact=True)).to_be_visible()
    page.get_by_role("slider", name="How much: Using places").focus()
    page.keyboard.press("Home")
    expect(page.locator(".amount")).to_have_text("0")
    page.get_by_role("radio", name="It lives longer").check()
    page.get_by_role("radio", name="It is paid less").check()

    page.get_by_label("Usual reward", exact=True).select_option(ONE)
    page.get_by_label("Our reward", exact=True).select_option(OTHER)
    expect(page).to_have_url(re.compile(f"run={OTHER}.*run={ONE}|run={ONE}.*run={OTHER}"))
    verdict = page.get_by_role("status").filter(has_text="Acting greedily")
    expect(verdict).to_contain_text("survives 400 steps with a return of +350, ours 1,200 steps with +1,150")
    expect(page.get_by_text("You guessed right. It lives longer.")).to_be_visible()
    expect(page.get_by_text("Your guess: It is paid less. What happened: It is paid more.")).to_be_visible()
    for name in ("Survival in training", "Return in training"):
        expect(page.get_by_role("img", name=re.compile(f"^{name}.*Usual reward.*Our reward"))).to_be_visible()
    assert violations(page) == []

    # A link, or a reload, shows the same; the guess stays in this browser.
    page.reload()
    expect(verdict).to_be_visible()
    expect(page.get_by_role("radio", name="It lives longer")).to_be_checked()
    page.get_by_role("link", name="Watch both side by side").click()
    expect_all_connected(page, 2)
    expect(page).to_have_url(re.compile(f"compare={model_of(ONE)}"))


@pytest.mark.long
def test_the_lab_trains_with_the_changed_reward(teacher: BrowserUser) -> None:
    page = teacher.open("?view=lab", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    train = page.get_by_role("button", name="Train with our reward")
    expect(train).to_be_enabled()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    train.tap()
    expect(page.get_by_text(re.compile(r"Episode \d+ of 100"))).to_be_visible()
    expect(train).to_be_disabled()
    # Once its first episode has ended it is the run of our reward.
    ours = page.get_by_label("Our reward", exact=True)
    expect(ours.locator("option:checked")).to_contain_text("Being near: 20")
    expect(page).to_have_url(re.compile("run=2"))
    page.get_by_role("link", name="See it learn").tap()
    page.get_by_role("button", name="Stop and save").tap()
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
