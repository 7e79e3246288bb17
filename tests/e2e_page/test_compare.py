"""Test Compare: sessions side by side with one set of controls."""

import re
import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.e2e_page.conftest import BrowserUser, StartPageServer
from tests.e2e_page.seen import expect_all_connected, expect_step_above, fact

STAGES = ["checkpoint_ep50.pt", "checkpoint_ep455.pt", "checkpoint_ep1000.pt"]


def test_three_stages_are_compared_at_once(user: BrowserUser) -> None:
    sockets: list[str] = []
    context = user.context()
    context.on("page", lambda page: page.on("websocket", lambda socket: sockets.append(socket.url)))
    page = user.open("?view=compare", context)
    sessions = expect_all_connected(page, 3)
    for pane, model in zip(sessions, STAGES, strict=True):
        expect(pane.get_by_role("combobox")).to_have_value(model)
    assert len(sockets) == 3
    page.get_by_role("button", name="Start all").click()
    for pane in sessions:
        expect_step_above(pane, 5)
    page.get_by_role("button", name="Pause all").click()
    expect(page.get_by_role("button", name="Start all")).to_be_visible()
    page.get_by_role("button", name="Reset all").click()
    for pane in sessions:
        expect(fact(pane, "Step")).to_have_text("0")
    for step in (1, 2, 3):
        page.get_by_role("button", name="Step all").click()
        for pane in sessions:
            expect(fact(pane, "Step")).to_have_text(str(step))


def test_worlds_of_several_agents_are_compared(user: BrowserUser) -> None:
    page = user.open("?view=compare&compare=checkpoint_ep50.pt&compare=trained_agent.pt&speed=10")
    expect_all_connected(page, 2)
    page.get_by_role("button", name="1 agent in this world").click()
    dialog = page.get_by_role("dialog", name="Agents in this world")
    dialog.get_by_role("button", name="3", exact=True).click()
    page.keyboard.press("Escape")
    panes = page.get_by_role("article").all()
    for pane in panes:
        expect(pane.locator(".agent")).to_have_count(3)
    expect(page).to_have_url(re.compile("agents=3"))
    # The agent that one follows in one world is followed in the others.
    panes[0].get_by_role("button", name="Agent C").click()
    expect(panes[1].get_by_role("button", name="Agent C")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Start all").click()
    for pane in panes:
        expect(pane.get_by_text(re.compile("steps on average.*each the mean of its agents"))).to_be_visible()
    other = user.open(f"?{page.url.split('?')[1]}")
    for pane in other.get_by_role("article").all():
        expect(pane.locator(".agent")).to_have_count(3)


def test_one_of_the_worlds_may_have_its_own_world_agents_and_models(user: BrowserUser) -> None:
    page = user.open("?view=compare&compare=checkpoint_ep50.pt&compare=trained_agent.pt")
    expect_all_connected(page, 2)
    page.get_by_role("button", name="World: The usual world").click()
    worlds = page.get_by_role("dialog", name="Which world?")
    worlds.get_by_role("button", name="World 2").click()
    worlds.get_by_role("button", name=re.compile("^Poverty")).click()
    expect(worlds).to_be_hidden()
    one, other = page.get_by_role("article").all()
    expect(other.get_by_role("listitem").filter(has_text="Poverty")).to_be_visible()
    expect(one.get_by_text("Poverty")).to_have_count(0)
    page.get_by_role("button", name="1 agent in this world").click()
    agents = page.get_by_role("dialog", name="Agents in this world")
    expect(agents.get_by_label("Model of agent B")).to_have_count(0)
    agents.get_by_role("button", name="World 2").click()
    agents.get_by_role("button", name="2", exact=True).last.click()
    agents.get_by_label("Model of agent B").select_option("checkpoint_ep455.pt")
    page.keyboard.press("Escape")

    def expect_own(one: Locator, other: Locator) -> None:
        expect(one.locator(".agent")).to_have_count(1)
        expect(other.locator(".agent")).to_have_count(2)
        for told in ("Poverty", "2 agents in this world", "B: 455 episodes"):
            expect(other.get_by_role("listitem").filter(has_text=told)).to_be_visible()

    expect_own(one, other)
    expect(page).to_have_url(re.compile("own="))
    linked = user.open(f"?{page.url.split('?')[1]}").get_by_role("article")
    expect_own(linked.first, linked.last)
    # What is chosen for all of them takes the place of what one has for itself.
    page.get_by_role("button", name="World: The usual world").click()
    worlds.get_by_role("button", name=re.compile("^Night shift")).click()
    expect(other.get_by_role("listitem").filter(has_text="Poverty")).to_have_count(0)
    expect(other.get_by_role("listitem").filter(has_text="2 agents")).to_be_visible()


def test_each_session_has_its_own_model_and_numbers(user: BrowserUser) -> None:
    page = user.open("?view=compare&compare=checkpoint_ep50.pt&compare=trained_agent.pt&speed=10")
    one, other = expect_all_connected(page, 2)
    page.get_by_role("button", name="Start all").click()
    for pane in (one, other):
        expect(pane.get_by_role("status").filter(has_text="ended episode")).to_be_visible()
        expect(pane.get_by_text(re.compile(r"\d+ episodes?: \d+ steps on average"))).to_be_visible()
    page.get_by_role("button", name="Survival by episode").click()
    chart = page.get_by_role("img", name=re.compile(r"side by side, \d+ points; newest: 1 .*, 2 "))
    expect(chart).to_be_visible()
    one.get_by_role("combobox").select_option("checkpoint_ep455.pt")
    expect(one.get_by_role("status").filter(has_text="Improving")).to_be_visible()
    expect(other.get_by_role("combobox")).to_have_value("trained_agent.pt")
    expect(fact(other, "Episode")).not_to_have_text("1")


def test_the_address_follows_sessions_added_and_removed(user: BrowserUser) -> None:
    page = user.open("?view=compare&compare=checkpoint_ep50.pt&compare=checkpoint_ep455.pt")
    expect_all_connected(page, 2)
    page.get_by_role("button", name="Add a model").click()
    page.get_by_role("button", name="Add a model").click()
    expect_all_connected(page, 4)
    expect(page.get_by_role("button", name="Add a model")).to_be_disabled()
    page.get_by_role("button", name="Remove session 1").click()
    sessions = expect_all_connected(page, 3)
    expect(sessions[0].get_by_role("combobox")).to_have_value("checkpoint_ep455.pt")
    compared = parse_qs(urlsplit(page.url).query)["compare"]
    assert compared == ["checkpoint_ep455.pt", "checkpoint_ep1000.pt", "trained_agent.pt"]
    page.reload()
    for pane, model in zip(expect_all_connected(page, 3), compared, strict=True):
        expect(pane.get_by_role("combobox")).to_have_value(model)


@pytest.mark.long
def test_an_added_model_starts_with_the_others_and_is_no_copy(
    browser: Browser, start_page_server: StartPageServer, tmp_path: Path, page_models: Path
) -> None:
    for name in ("checkpoint_ep50.pt", "checkpoint_ep455.pt", "checkpoint_ep1000.pt"):
        shutil.copy(page_models / name, tmp_path / name)
    shutil.copy(page_models / "checkpoint_ep1000.pt", tmp_path / "trained_agent.pt")
    server = start_page_server(models_dir=tmp_path)
    user = BrowserUser(browser, f"http://127.0.0.1:{server.port}")
    page = user.open("?view=compare&compare=checkpoint_ep50.pt&compare=checkpoint_ep1000.pt")
    sessions = expect_all_connected(page, 2)
    page.get_by_role("button", name="Step all").click()
    for pane in sessions:
        expect(fact(pane, "Step")).to_have_text("1")
    page.get_by_role("button", name="Add a model").click()
    sessions = expect_all_connected(page, 3)
    expect(sessions[2].get_by_role("combobox")).to_have_value("checkpoint_ep455.pt")
    for pane in sessions:
        expect(fact(pane, "Step")).to_have_text("0")
    user.leave()
    server.end()


def test_the_keyboard_controls_all_sessions(user: BrowserUser) -> None:
    page = user.open("?view=compare")
    sessions = expect_all_connected(page, 3)
    page.keyboard.press("+")
    expect(page.get_by_label("Speed", exact=True)).to_have_attribute("aria-valuetext", "1.5\u00d7 speed")
    page.keyboard.press("ArrowRight")
    for pane in sessions:
        expect(fact(pane, "Step")).to_have_text("1")
    page.keyboard.press(" ")
    for pane in sessions:
        expect_step_above(pane, 3)
