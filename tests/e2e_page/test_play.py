"""Test Play."""

import json
import re

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.e2e.conftest import Server
from tests.e2e_page.conftest import BrowserUser
from tests.e2e_page.seen import agent_cell, expect_connected, expect_step_above, fact


@pytest.fixture(scope="module")
def server(module_server: Server) -> Server:
    """Let the tests use a server of their own: they fill the leaderboard."""
    return module_server


def press(page: Page, key: str, step: int) -> None:
    """Press a key, and expect that it is one step."""
    page.keyboard.press(key)
    expect(fact(page, "Step")).to_have_text(str(step))


def test_arrow_keys_walk_and_space_uses_a_place(user: BrowserUser) -> None:
    page = user.open("?view=play")
    expect_connected(page)
    for step, key in enumerate(["ArrowUp", "ArrowUp", "ArrowLeft", "ArrowDown", "ArrowRight"], start=1):
        press(page, key, step)
    expect(page.get_by_role("img", name=re.compile("agent 0 in column 5, row 4"))).to_be_visible()
    assert agent_cell(page) == (5, 4)
    for step, key in enumerate(["ArrowUp"] * 3 + ["ArrowRight"] * 3, start=6):
        press(page, key, step)
    press(page, " ", 12)
    expect(fact(page, "Last action")).to_have_text("Interact")
    # The Bar: company for money.
    expect(page.get_by_role("meter", name="Money")).to_have_attribute("aria-valuetext", re.compile("^35"))
    expect(page.get_by_role("meter", name="Social")).to_have_attribute("aria-valuetext", re.compile("good"))


def test_the_first_key_counts_before_the_server_has_confirmed_control(user: BrowserUser) -> None:
    held: list[str] = []

    def slow(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def answer(message: str | bytes) -> None:
            if json.loads(message)["type"] == "playback":
                held.append(str(message))
            else:
                socket.send(message)

        server.on_message(answer)

    context = user.context()
    context.route_web_socket(re.compile("/ws$"), slow)
    page = user.open("?view=play", context)
    expect_connected(page)
    press(page, "ArrowUp", 1)
    press(page, "ArrowLeft", 2)
    expect(fact(page, "Last action")).to_have_text("Left")
    assert json.loads(held[0])["controller"] == "human"


def test_a_finished_episode_is_on_the_leaderboard(user: BrowserUser) -> None:
    page = user.open("?view=play")
    expect_connected(page)
    result = page.get_by_role("button", name="Live again")
    # Waiting on the spot: it costs energy, and after some 67 steps there is none left.
    for step in range(1, 66):
        press(page, " ", step)
    while not result.is_visible():
        page.keyboard.press(" ")
    for _ in range(10):
        # Hammered on, it begins no new life.
        page.keyboard.press(" ")
    expect(page.get_by_text("Energy ran out").first).to_be_visible()
    row = page.get_by_role("row", name=re.compile("You"))
    expect(row).to_be_visible()
    steps = page.locator(".result .steps").inner_text()
    expect(row).to_contain_text(steps)
    page.keyboard.press("ArrowUp")
    expect(fact(page, "Step")).to_have_text(steps)
    result.click()
    expect(fact(page, "Step")).to_have_text("0")
    page.reload()
    expect(page.get_by_role("row", name=re.compile("You"))).to_contain_text(steps)


def test_watched_models_are_on_the_leaderboard(user: BrowserUser) -> None:
    context = user.context()
    page = user.open("?speed=10&model=checkpoint_ep50.pt", context)
    expect(page.get_by_role("status").filter(has_text="Beginner")).to_be_visible()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="ended episode")).to_be_visible()
    page.get_by_role("link", name="Play", exact=True).click()
    expect(page.get_by_role("row", name=re.compile("After 50 episodes"))).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    # What is left of it is the evaluation in its file.
    row = page.get_by_role("row", name=re.compile("After 50 episodes"))
    expect(row.get_by_role("cell").last).to_have_text("\u2013")


def test_the_model_takes_over_and_gives_control_back(user: BrowserUser) -> None:
    page = user.open("?view=play")
    expect_connected(page)
    press(page, "ArrowUp", 1)
    page.get_by_role("button", name="Let the model go on").click()
    expect_step_above(page, 4)
    page.get_by_role("button", name="Take over again").click()
    expect(page.get_by_role("button", name="Let the model go on")).to_be_visible()
    for key, action in [(" ", "Interact"), ("ArrowUp", "Up"), (" ", "Interact"), ("ArrowDown", "Down")]:
        page.keyboard.press(key)
        expect(fact(page, "Last action")).to_have_text(action)


def test_hints_show_what_the_model_would_do(user: BrowserUser) -> None:
    page = user.open("?view=play")
    expect_connected(page)
    page.get_by_role("button", name="Hints").click()
    bars = page.get_by_role("list", name="Q-values of the five actions").get_by_role("listitem")
    expect(bars.filter(has_text="would choose")).to_have_count(1)
    press(page, "ArrowLeft", 1)
    expect(bars.filter(has_text="would choose")).to_have_count(1)


def test_play_by_touch_on_a_phone(user: BrowserUser) -> None:
    page = user.open("?view=play", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    expect_connected(page)
    page.get_by_role("button", name="Left", exact=True).tap()
    expect(fact(page, "Step")).to_have_text("1")
    page.get_by_role("button", name="Interact", exact=True).tap()
    expect(fact(page, "Step")).to_have_text("2")
    expect(fact(page, "Last action")).to_have_text("Interact")
