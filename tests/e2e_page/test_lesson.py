"""Test the first visit, and the guided lesson that drives the page."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from hamlet_trio.lesson.lesson_file import shipped_lesson
from tests.e2e.conftest import Server
from tests.e2e_page.conftest import BrowserUser, StartPageServer
from tests.e2e_page.seen import expect_connected, expect_step_above, fact
from tests.e2e_page.test_quality import violations


@pytest.fixture(scope="module")
def server(module_server: Server) -> Server:
    """Let the tests use a server of their own: they play as a class."""
    return module_server


def lesson_bar(page: Page) -> Locator:
    """Return the bar of the lesson."""
    return page.get_by_role("region", name=re.compile("^Guided lesson"))


def at_stop(page: Page, number: int) -> None:
    """Wait until the lesson is at this stop, counted from 1."""
    stop = shipped_lesson().stops[number - 1]
    expect(lesson_bar(page).get_by_role("heading")).to_have_text(stop.title["en"])
    expect(lesson_bar(page)).to_contain_text(stop.text["en"])
    expect(page).to_have_url(re.compile(f"lesson={stop.id}"))


def test_a_newcomer_meets_a_beginner_and_what_winning_means(user: BrowserUser) -> None:
    context = user.context(newcomer=True)
    page = user.open(context=context)
    expect(page.get_by_text("it wins by living 500 of them")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Beginner")).to_be_visible()
    expect(fact(page, "Episode")).to_have_text("1")
    page.get_by_role("button", name="Watch it try").click()
    expect_step_above(page, 3)
    expect(page.get_by_text("it wins by living 500 of them")).to_be_hidden()
    # The second visit begins with the shipped agent, as every session does.
    again = user.open(context=context)
    expect_connected(again)
    expect(again.get_by_label("Model", exact=True)).to_have_value("trained_agent.pt")


def test_a_link_shows_a_newcomer_what_it_names(user: BrowserUser) -> None:
    page = user.open("?model=checkpoint_ep1000.pt", context=user.context(newcomer=True))
    expect_connected(page)
    expect(page.get_by_label("Model", exact=True)).to_have_value("checkpoint_ep1000.pt")
    page.get_by_role("button", name="Close the welcome").click()
    expect(page.get_by_role("button", name="Watch it try")).to_be_hidden()


@pytest.mark.parametrize("size", [(1366, 768), (1280, 720)])
def test_what_a_stop_asks_about_is_in_view(user: BrowserUser, size: tuple[int, int]) -> None:
    page = user.open("?lesson=play", viewport={"width": size[0], "height": size[1]})
    at_stop(page, 3)
    expect(page.get_by_role("meter", name="Social")).to_be_in_viewport(ratio=1)
    lesson_bar(page).get_by_role("button", name="Stop 6").click()
    at_stop(page, 6)
    expect(page.get_by_role("img", name=re.compile("^The lives on screen"))).to_be_in_viewport(ratio=1)
    lesson_bar(page).get_by_role("button", name="Stop 8").click()
    expect(page.get_by_role("button", name="Watch the model in it")).to_be_in_viewport(ratio=1)
    assert violations(page) == []


def test_the_lesson_drives_the_page_from_stop_to_stop(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    page.get_by_role("button", name="Lesson", exact=True).click()
    at_stop(page, 1)
    expect(page.get_by_label("Model", exact=True)).to_have_value("checkpoint_ep50.pt")
    expect_step_above(page, 2)
    following = lesson_bar(page).get_by_role("button", name="Next")
    following.click()
    at_stop(page, 2)
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
    following.click()
    at_stop(page, 3)
    expect(page.get_by_role("heading", name="Live it yourself", level=1)).to_be_attached()
    following.click()
    at_stop(page, 4)
    expect(page.get_by_role("button", name="Start training")).to_be_visible()
    following.click()
    at_stop(page, 5)
    panes = page.get_by_role("article")
    expect(panes).to_have_count(2)
    expect(panes.first.get_by_role("combobox")).to_have_value("checkpoint_ep50.pt")
    expect_step_above(panes.last, 2)
    lesson_bar(page).get_by_role("button", name="Stop 8").click()
    at_stop(page, 8)
    expect(page.get_by_role("heading", name="Make a world", level=1)).to_be_attached()
    lesson_bar(page).get_by_role("button", name="Back").click()
    at_stop(page, 7)
    expect(page.locator(".agent")).to_have_count(3)
    lesson_bar(page).get_by_role("button", name="Stop 8").click()
    lesson_bar(page).get_by_role("button", name="Finish").click()
    expect(lesson_bar(page)).to_be_hidden()


def test_the_lesson_goes_on_where_it_was_left(user: BrowserUser) -> None:
    context = user.context()
    page = user.open(context=context)
    expect_connected(page)
    page.get_by_role("button", name="Lesson", exact=True).click()
    lesson_bar(page).get_by_role("button", name="Stop 3").click()
    at_stop(page, 3)
    lesson_bar(page).get_by_role("button", name="Leave the lesson").click()
    expect(lesson_bar(page)).to_be_hidden()
    expect(page).not_to_have_url(re.compile("lesson="))
    again = user.open(context=context)
    again.get_by_role("button", name="Lesson", exact=True).click()
    at_stop(again, 3)
    # A link opens the stop, and the browser's Back leads to the one before.
    other = user.open(f"?{again.url.split('?')[1]}")
    at_stop(other, 3)
    lesson_bar(other).get_by_role("button", name="Next").click()
    at_stop(other, 4)
    other.go_back()
    at_stop(other, 3)


def test_the_lesson_is_told_in_german(user: BrowserUser) -> None:
    page = user.open("?lesson=fail", locale="de-DE")
    expect(page.get_by_role("heading", name="Sieh zu, wie er scheitert")).to_be_visible()
    # The link names the stop alone; the stop brings its model and what it begins with.
    expect(page).to_have_url(re.compile("model=checkpoint_ep50.pt&lesson=fail"))
    expect(fact(page, "Schritt")).not_to_have_text("0")
    expect(page.get_by_role("button", name="Weiter")).to_be_visible()


@pytest.mark.long
def test_a_teachers_own_lesson_is_told_and_a_damaged_one_is_named(
    browser: Browser, start_page_server: StartPageServer, tmp_path: Path
) -> None:
    file = tmp_path / "lesson.toml"
    file.write_text(
        'title = "Ours"\n[[stops]]\nid = "here"\ntitle = "Only this"\ntext = "Look around."\n'
        'address = "view=play&heat=0"\n'
    )
    server = start_page_server(data_dir=tmp_path)
    user = BrowserUser(browser, f"http://127.0.0.1:{server.port}")
    page = user.open()
    expect_connected(page)
    page.get_by_role("button", name="Lesson", exact=True).click()
    expect(lesson_bar(page)).to_contain_text("Look around.")
    expect(page).to_have_url(re.compile("view=play.*heat=0.*lesson=here"))
    file.write_text("title = 7")
    page = user.open("?lesson=fail")
    expect(lesson_bar(page)).to_contain_text(re.compile("cannot be used.*lesson.toml: the title"))
    user.leave()
    server.end()


def test_on_a_phone_the_text_can_be_folded_away(user: BrowserUser) -> None:
    page = user.open("?lesson=sees", viewport={"width": 390, "height": 844}, has_touch=True)
    bar = lesson_bar(page)
    expect(bar).to_contain_text("It sees 72 numbers")
    before = bar.bounding_box()
    bar.get_by_role("button", name="Hide the text").click()
    expect(bar.get_by_text("It sees 72 numbers")).to_be_hidden()
    after = bar.bounding_box()
    assert before is not None
    assert after is not None
    assert after["height"] < before["height"] / 2
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_class_plays_along_and_the_projector_shows_it(user: BrowserUser, server: Server) -> None:
    shown = user.open("?present=1", viewport={"width": 1366, "height": 768})
    expect(shown.get_by_text("Others cannot reach this page")).to_be_visible()
    # A name of this machine that could as well be one of the network (RFC 6761).
    shown.goto(f"http://hamlet.localhost:{server.port}/?present=1")
    expect(shown.get_by_text("Nobody has joined yet")).to_be_visible()
    expect(shown.get_by_role("img", name=re.compile("QR code of .*view=play&join=1"))).to_be_visible()
    assert shown.evaluate("document.documentElement.scrollHeight <= innerHeight")
    for text in ("Energy", "Social"):
        expect(shown.get_by_text(text).first).to_be_in_viewport(ratio=1)
    expect(shown.get_by_role("button", name="End the presentation")).to_be_in_viewport(ratio=1)
    player = user.open("?view=play&join=1", viewport={"width": 390, "height": 844})
    me = player.get_by_role("status").filter(has_text="You are")
    expect(me).to_have_text("You are Red fox.")
    expect(shown.get_by_text("1 player is here")).to_be_visible()
    for _ in range(400):
        if player.get_by_text("Live again").is_visible():
            break
        player.keyboard.press("ArrowDown")
    expect(player.get_by_text("Live again")).to_be_visible()
    row = shown.get_by_role("row").filter(has_text="Red fox")
    expect(row.get_by_role("cell").last).to_have_text("1")
    shown.get_by_role("button", name="New round").click()
    expect(row.get_by_role("cell").last).to_have_text("0")
    shown.keyboard.press("Escape")
    expect(shown.get_by_role("button", name="End the presentation")).to_be_hidden()
    expect(shown).not_to_have_url(re.compile("present"))
