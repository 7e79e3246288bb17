"""Test that episodes, links and live text survive other views, other people and a translator."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import Server
from tests.e2e_page.conftest import BrowserUser, StartPageServer
from tests.e2e_page.seen import expect_connected, expect_step_above, fact


@pytest.fixture(scope="module")
def server(module_server: Server) -> Server:
    """Let the tests use a server of their own: they record."""
    return module_server


# As browsers translate: each text node of the page gives way to one in elements of the translator.
TRANSLATE = """() => {
    const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) if (walker.currentNode.data.trim()) texts.push(walker.currentNode);
    for (const text of texts) {
        const font = document.createElement('font');
        font.append(text.data);
        text.replaceWith(font);
    }
}"""


def test_an_episode_goes_on_after_another_view(user: BrowserUser) -> None:
    page = user.open("?model=checkpoint_ep50.pt")
    expect(page.get_by_role("status").filter(has_text="Beginner")).to_be_visible()
    for step in range(1, 4):
        page.keyboard.press("ArrowRight")
        expect(fact(page, "Step")).to_have_text(str(step))
    page.get_by_role("link", name="Play", exact=True).click()
    expect_connected(page)
    page.keyboard.press("ArrowUp")
    expect(fact(page, "Step")).to_have_text("1")
    page.get_by_role("link", name="Failures").click()
    page.get_by_role("link", name="Watch").click()
    expect(fact(page, "Step")).to_have_text("3")
    expect(page.get_by_label("Model", exact=True)).to_have_value("checkpoint_ep50.pt")
    page.get_by_role("link", name="Play", exact=True).click()
    expect(fact(page, "Step")).to_have_text("1")


def test_a_playing_session_waits_while_its_view_is_hidden(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    page.keyboard.press(" ")
    expect_step_above(page, 3)
    page.get_by_role("link", name="Replays").click()
    page.get_by_role("link", name="Watch").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect_step_above(page, 5)
    expect(fact(page, "Episode")).to_have_text("1")


def test_a_link_to_a_replay_opens_at_its_step(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    for step in range(1, 7):
        page.keyboard.press("ArrowRight")
        expect(fact(page, "Step")).to_have_text(str(step))
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_role("button", name="Save now", exact=True).click()
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="Replay of episode")).to_be_visible()
    for step in range(1, 4):
        page.keyboard.press("ArrowRight")
        expect(fact(page, "Step")).to_have_text(str(step))
    expect(page).to_have_url(re.compile(r"recording=[\w-]+&step=3"))
    other = user.open(f"?{page.url.split('?')[1]}")
    expect(fact(other, "Step")).to_have_text("3")
    other.get_by_role("button", name="Back to live").click()
    expect(other).not_to_have_url(re.compile("step="))


def test_live_text_follows_under_a_browsers_translation(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    page.evaluate(TRANSLATE)
    facts = page.locator(".facts .fact")
    page.keyboard.press("ArrowRight")
    expect(facts.filter(has_text="Step").locator("dd")).to_have_text("1")
    expect(facts.filter(has_text="Last action").locator("dd")).to_have_text(
        re.compile("Up|Down|Left|Right|Interact")
    )
    page.get_by_label("Model", exact=True).select_option("checkpoint_ep50.pt")
    expect(page.get_by_role("status").filter(has_text="Beginner")).to_be_visible()
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


@pytest.mark.long
def test_the_train_dot_follows_runs_that_others_start(
    browser: Browser, start_page_server: StartPageServer
) -> None:
    server = start_page_server()
    user = BrowserUser(browser, f"http://127.0.0.1:{server.port}")
    watching, training = user.open(), user.open("?view=train")
    expect_connected(watching)
    training.get_by_label("Episodes", exact=True).fill("2000")
    training.get_by_role("button", name="Start training").click()
    expect(watching.get_by_role("link", name=re.compile("Train.*a run is on"))).to_be_visible()
    training.get_by_role("button", name="Stop and save").click()
    expect(watching.get_by_role("link", name="Train", exact=True)).to_be_visible()
    user.leave()
    server.end()
