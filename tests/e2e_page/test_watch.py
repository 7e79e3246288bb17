"""Test Watch and its Think panel."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e_page.conftest import STORY, BrowserUser, StartPageServer
from tests.e2e_page.seen import agent_cell, expect_connected, expect_step_above, fact, number
from tests.e2e_page.test_quality import violations

# Before the browser tells the page that the dialog is closed, which it does in a later task.
SPACE_AS_THE_DIALOG_CLOSES = """() => {
  new MutationObserver((_, observer) => {
    observer.disconnect()
    const key = new KeyboardEvent("keydown", { key: " ", bubbles: true, cancelable: true })
    document.activeElement.dispatchEvent(key)
  }).observe(document.querySelector("dialog[open]"), { attributeFilter: ["open"] })
}"""

METERS = ("Energy", "Hygiene", "Satiation", "Money", "Mood", "Social")


def play(page: Page) -> None:
    """Press Play, and wait until the session plays."""
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_the_world_is_there_before_anything_is_played(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    expect(fact(page, "Step")).to_have_text("0")
    expect(page.get_by_text("It wins by living 500 steps.")).to_be_visible()
    expect(page.locator(".places .place")).to_have_count(8)
    assert agent_cell(page) == (5, 5)
    for name in METERS:
        expect(page.get_by_role("meter", name=name)).to_be_visible()
    expect(page.get_by_role("meter", name="Money")).to_have_attribute("aria-valuetext", "50, good")
    expect(page.get_by_role("meter", name="Social")).to_have_attribute("aria-valuetext", "50%, fine")


def test_play_pause_step_and_reset(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    play(page)
    expect_step_above(page, 3)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
    page.get_by_role("button", name="Reset").click()
    expect(fact(page, "Episode")).to_have_text("2")
    expect(fact(page, "Step")).to_have_text("0")
    for step in range(1, 6):
        page.get_by_role("button", name="Step", exact=True).click()
        expect(fact(page, "Step")).to_have_text(str(step))
    expect(fact(page, "Last action")).to_have_text(re.compile("Up|Down|Left|Right|Interact"))
    expect(page.get_by_text("Reward of this step")).to_be_visible()


def test_an_episode_ends_with_its_reason_and_the_next_begins(user: BrowserUser) -> None:
    page = user.open("?speed=10")
    expect_connected(page)
    play(page)
    note = page.get_by_role("status").filter(has_text="ended episode")
    expect(note).to_have_text(re.compile(r"(collapsed|ran out|starved|Survived).* after \d+ steps, return"))
    expect(fact(page, "Episode")).to_have_text(re.compile(r"[2-9]|\d\d"))


def test_models_are_listed_with_their_stages_and_load(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    chooser = page.get_by_label("Model", exact=True)
    names = [
        "After 50 episodes (beginner, plain network)",
        "After 455 episodes (improving, relational network)",
        "After 1,000 episodes (skilled, spatial network)",
        "Trained agent (expert, 1,000 episodes, dueling network)",
        "damaged (cannot be used)",
    ]
    expect(chooser.locator("option")).to_have_text(names)
    expect(page.get_by_role("status").filter(has_text="Expert")).to_be_visible()
    play(page)
    chooser.select_option("checkpoint_ep1000.pt")
    expect(page.get_by_role("status").filter(has_text="Skilled")).to_be_visible()
    expect_step_above(page, 2)
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_a_model_chosen_before_the_first_step_keeps_the_episode(user: BrowserUser) -> None:
    page = user.open("?model=checkpoint_ep50.pt")
    expect(page.get_by_role("status").filter(has_text="Beginner")).to_be_visible()
    expect_connected(page)
    expect(fact(page, "Episode")).to_have_text("1")
    page.get_by_label("Model", exact=True).select_option("checkpoint_ep455.pt")
    expect(page.get_by_role("status").filter(has_text="Improving")).to_be_visible()
    expect(fact(page, "Episode")).to_have_text("1")
    expect(page.get_by_text("No episode has ended yet").first).to_be_visible()


def test_a_failed_load_is_reported_and_the_old_model_plays_on(user: BrowserUser) -> None:
    page = user.open("?model=damaged.pt")
    expect_connected(page)
    expect(page.get_by_role("alert").filter(has_text="damaged.pt")).to_be_visible()
    expect(page.get_by_label("Model", exact=True)).to_have_value("trained_agent.pt")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_role("alert").filter(has_text="damaged.pt")).to_be_hidden()


@pytest.mark.long
def test_a_server_without_models_shows_its_untrained_agent(
    browser: Browser, start_page_server: StartPageServer, tmp_path: Path
) -> None:
    server = start_page_server(models_dir=tmp_path)
    user = BrowserUser(browser, f"http://127.0.0.1:{server.port}")
    page = user.open("?model=gone.pt")
    expect_connected(page)
    expect(page.get_by_role("alert").filter(has_text="gone.pt")).to_be_visible()
    chosen = page.get_by_label("Model", exact=True).locator("option:checked")
    expect(chosen).to_have_text("Untrained agent")
    play(page)
    expect_step_above(page, 2)
    user.leave()
    server.end()


def test_every_shortcut(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    page.keyboard.press("ArrowRight")
    expect(fact(page, "Step")).to_have_text("1")
    page.keyboard.press(" ")
    expect_step_above(page, 3)
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
    page.keyboard.press("r")
    expect(fact(page, "Episode")).to_have_text("2")
    speed = page.get_by_label("Speed", exact=True)
    page.keyboard.press("+")
    expect(speed).to_have_attribute("aria-valuetext", "1.5\u00d7 speed")
    page.keyboard.press("-")
    page.keyboard.press("-")
    expect(speed).to_have_attribute("aria-valuetext", "0.5\u00d7 speed")
    expect(page.locator(".heat")).to_be_visible()
    page.keyboard.press("h")
    expect(page.locator(".heat")).to_have_count(0)
    page.keyboard.press("t")
    expect(page.get_by_role("list", name="Q-values of the five actions")).to_have_count(0)


def test_a_button_that_was_clicked_leaves_the_space_bar_to_play(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    page.get_by_role("button", name="Reset").click()
    expect(fact(page, "Episode")).to_have_text("2")
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect_step_above(page, 2)
    expect(fact(page, "Episode")).to_have_text("2")
    # Reached by keyboard, it is pressed with it.
    page.get_by_role("button", name="Reset").focus()
    page.keyboard.press(" ")
    expect(fact(page, "Episode")).to_have_text("3")


def test_shortcuts_can_be_switched_off(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    page.get_by_role("button", name="Keyboard shortcuts").click()
    page.get_by_label("Shortcuts are on").uncheck()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("h")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".heat")).to_be_visible()
    expect(fact(page, "Step")).to_have_text("0")


def test_a_closed_dialog_leaves_the_space_bar_to_play(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.get_by_role("dialog")).to_be_hidden()
    # Opened by keyboard too, where the button keeps its place in the order; return presses it again.
    opener = page.get_by_role("button", name="Keyboard shortcuts")
    opener.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.evaluate(SPACE_AS_THE_DIALOG_CLOSES)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
    expect(opener).to_be_focused()
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_every_frame_shows_its_q_values(user: BrowserUser) -> None:
    page = user.open("?model=checkpoint_ep1000.pt")
    expect(page.get_by_role("status").filter(has_text="Skilled")).to_be_visible()
    bars = page.get_by_role("list", name="Q-values of the five actions").get_by_role("listitem")
    expect(bars).to_have_count(5)
    page.get_by_role("button", name="Step", exact=True).click()
    expect(fact(page, "Step")).to_have_text("1")
    chosen = bars.filter(has_text="chosen")
    expect(chosen).to_have_count(1)
    expect(chosen).to_contain_text(fact(page, "Last action").inner_text().split(":")[0].strip())
    values = [float(text.replace("\u2212", "-")) for text in bars.locator(".number").all_inner_texts()]
    best = chosen.locator(".number").inner_text().replace("\u2212", "-")
    assert float(best) == max(values)
    page.get_by_role("button", name="What it sees").click()
    expect(page.get_by_text("these 72 numbers")).to_be_visible()


def test_thinking_can_be_switched_on_while_paused(user: BrowserUser) -> None:
    page = user.open("?think=0")
    expect_connected(page)
    page.get_by_role("button", name="Think").click()
    bars = page.get_by_role("list", name="Q-values of the five actions").get_by_role("listitem")
    expect(bars.first.locator(".number")).to_have_text(re.compile(r"\d"))
    assert number(page, "Step") == 0
    # What it thinks of the world on screen is about its next step, not about the one that led there.
    for step in range(1, 8):
        page.get_by_role("button", name="Think").click()
        page.get_by_role("button", name="Step", exact=True).click()
        expect(fact(page, "Step")).to_have_text(str(step))
        page.get_by_role("button", name="Think").click()
        marked = bars.filter(has_text="would choose")
        expect(marked).to_have_count(1)
        # In one moment: what it thinks of this step may have come just now.
        shown = bars.evaluate_all(
            "(bars) => bars.map((bar) => [bar.querySelector('.number').innerText, bar.innerText])"
        )
        values = {float(value.replace("\u2212", "-")): text for value, text in shown}
        assert "would choose" in values[max(values)]


def test_a_models_story_is_shown(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    line = page.get_by_role("button", name=STORY["title"])
    line.click()
    told = page.get_by_role("dialog", name=STORY["title"])
    expect(told).to_contain_text("Trained for a thousand episodes.")
    expect(told).to_contain_text("Watch for: It goes to a place")
    page.keyboard.press("ArrowRight")  # belongs to the dialog
    told.get_by_role("button", name="Close").click()
    expect(told).to_be_hidden()
    expect(fact(page, "Step")).to_have_text("0")
    page.get_by_label("Model", exact=True).select_option("checkpoint_ep50.pt")
    expect(page.get_by_role("status").filter(has_text="Beginner")).to_be_visible()
    expect(line).to_have_count(0)


def test_a_relational_model_shows_its_attention(user: BrowserUser) -> None:
    page = user.open("?model=checkpoint_ep455.pt")
    expect(page.get_by_role("status").filter(has_text="Improving")).to_be_visible()
    weights = page.get_by_role("table", name=re.compile("Attention")).locator(".percent")
    expect(weights).to_have_count(36)
    page.get_by_role("button", name="Step", exact=True).click()
    expect(fact(page, "Step")).to_have_text("1")
    percents = [int(text) for text in weights.all_inner_texts()]
    for row in range(6):
        assert 94 <= sum(percents[6 * row : 6 * row + 6]) <= 106, percents


def test_several_agents_live_together(user: BrowserUser) -> None:
    page = user.open("?agents=2")
    agents = page.locator(".agent")
    expect(agents).to_have_count(2)
    # By keyboard: one more of them, the rule, and a model for the second one.
    page.get_by_role("button", name="2 agents in this world").press("Enter")
    dialog = page.get_by_role("dialog", name="Agents in this world")
    dialog.get_by_role("button", name="3", exact=True).press("Enter")
    expect(agents).to_have_count(3)
    dialog.get_by_role("checkbox", name="Each place serves one agent").press("Space")
    expect(page).to_have_url(re.compile("agents=3&contention=1"))
    model = dialog.get_by_label("Model of agent B")
    model.select_option("checkpoint_ep50.pt")
    expect(model).to_have_value("checkpoint_ep50.pt")
    expect(dialog.get_by_label("Model of agent C")).to_have_value("trained_agent.pt")
    assert violations(page) == []

    # A person is one of them; a key is a step for all.
    dialog.get_by_role("button", name="Play agent B yourself").press("Enter")
    whom = page.get_by_role("group", name="Whom the panels follow")
    expect(whom.get_by_role("button", name=re.compile("agent B.*You play it"))).to_have_attribute(
        "aria-pressed", "true"
    )
    page.keyboard.press("ArrowDown")
    expect(fact(page, "Step")).to_have_text("1")
    expect(fact(page, "Last action")).to_have_text("Down")
    page.get_by_role("button", name="Let it go on").click()
    expect_step_above(page, 3)
    page.get_by_role("button", name="Pause").click()

    # The page follows whom one chooses, in a replay too.
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_role("button", name="Save now", exact=True).click()
    page.get_by_role("status").get_by_role("button", name="Replay").click()
    expect(page.get_by_role("button", name="Back to live")).to_be_visible()
    expect(agents).to_have_count(3)
    whom.get_by_role("button", name="Agent C").press("Enter")
    expect(page.get_by_role("region", name="Meters of agent C")).to_be_visible()
    world = page.get_by_role(
        "img", name=re.compile("agent A in column.*agent B in column.*agent C in column")
    )
    expect(world).to_be_visible()
    assert violations(page) == []
