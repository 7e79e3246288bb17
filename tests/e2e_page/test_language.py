"""Read the page in German, change its language, and let a browser translate it."""

import re

from playwright.sync_api import Page, expect

from tests.e2e_page.conftest import BrowserUser
from tests.e2e_page.seen import expect_connected

# What a browser's translation does: each text goes into elements of its own, away from where it was.
TRANSLATE = """() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) if (walker.currentNode.data.trim() !== '') texts.push(walker.currentNode);
    for (const text of texts) {
        const font = document.createElement('font');
        const inner = font.appendChild(document.createElement('font'));
        inner.textContent = text.data;
        text.replaceWith(font);
    }
    return texts.length;
}"""


def test_a_german_browser_is_shown_german(user: BrowserUser) -> None:
    page = user.open("?model=trained_agent.pt", locale="de-DE")
    expect(page.get_by_role("navigation", name="Ansichten")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page).to_have_title("Zuschauen · Hamlet")
    expect_connected_in_german(page)


def expect_connected_in_german(page: Page) -> None:
    """Wait until the world is shown."""
    expect(page.locator(".agent")).to_be_visible()
    expect(page.get_by_role("meter", name="Sättigung")).to_have_attribute(
        "aria-valuetext", re.compile(r"^\d+\u202f%, (gut|in Ordnung|niedrig|kritisch)$")
    )


def test_the_language_is_chosen_in_the_header_and_remembered(user: BrowserUser) -> None:
    page = user.open("?view=play")
    expect_connected(page)
    expect(page.get_by_role("link", name="Watch", exact=True)).to_be_visible()
    page.get_by_role("combobox", name="Language").select_option(label="Deutsch")
    expect(page.get_by_role("link", name="Zuschauen", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name="Zuschauen", exact=True)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.get_by_role("combobox", name="Sprache").select_option(label="English")
    expect(page.get_by_role("link", name="Watch", exact=True)).to_be_visible()


def test_numbers_are_written_and_read_in_german(user: BrowserUser) -> None:
    page = user.open("?view=editor&world=usual", locale="de-DE")
    falls = page.get_by_role("textbox", name="Energie fällt je Schritt um")
    expect(falls).to_have_value("0,5")
    falls.fill("0,75")
    falls.blur()
    expect(page.get_by_text("Energie fällt je Schritt um 0,75 statt 0,5.")).to_be_visible()
    falls.fill("1.5")
    falls.blur()
    expect(falls).to_have_value("1,5")
    page.goto(page.url.split("?")[0] + "?view=train")
    page.get_by_text("Weitere Parameter").click()
    rate = page.get_by_role("textbox", name="Lernrate")
    for text in ("0,0005", "0.0005"):
        rate.fill(text)
        expect(page.get_by_role("button", name="Training starten")).to_be_enabled()
    rate.fill("0,5,5")
    expect(page.get_by_role("button", name="Training starten")).to_be_disabled()
    # A term explains itself, with the question that a class asks about it.
    page.get_by_role("button", name="Verlust", exact=True).click()
    answer = page.get_by_role("main").get_by_text("Warum steigt der Verlust?")
    expect(answer).to_be_visible()
    page.keyboard.press("Escape")
    expect(answer).to_be_hidden()


def test_live_text_goes_on_under_a_browsers_translation(user: BrowserUser) -> None:
    page = user.open("?model=trained_agent.pt&speed=5")
    expect_connected(page)
    page.get_by_role("button", name="Start", exact=True).click()
    # Found by its text as a whole, which stays the same when it is taken apart.
    step = page.locator(".facts .fact", has_text=re.compile("^Step")).locator("dd")
    expect(step).not_to_have_text("0")
    assert page.evaluate(TRANSLATE) > 30
    before = int(step.inner_text())
    above = "|".join(str(one) for one in range(before + 3, before + 400))
    expect(step).to_have_text(re.compile(f"^({above})$"))
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
    # Other views take their places whole, again and again.
    for view in ("Train", "Compare", "Failures", "Replays", "Watch"):
        page.get_by_role("link", name=view, exact=True).click()
        expect(page.get_by_role("link", name=view, exact=True)).to_have_attribute("aria-current", "page")
        page.evaluate(TRANSLATE)
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.evaluate(TRANSLATE)
    page.get_by_role("combobox", name="Language").select_option(label="Deutsch", force=True)
    expect(page.locator("html")).to_have_attribute("lang", "de")
