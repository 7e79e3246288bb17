"""Test a life as a story: its picture, its end, and what it is compared with."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.e2e_page.conftest import BrowserUser
from tests.e2e_page.seen import expect_connected, expect_step_above, fact

EARLY = "?model=checkpoint_ep50.pt"


def picture(page: Page) -> Locator:
    """Return the picture of the life."""
    return page.get_by_role("img", name=re.compile("^This life, step by step"))


def end_card(page: Page) -> Locator:
    """Return what the page says of a life that ended."""
    return page.locator(".end").filter(has_text=re.compile("collapsed|ran out|starved"))


def live_out(page: Page, query: str = "") -> None:
    """Play a life of the early model to its end, and pause there."""
    expect(page.get_by_role("status").filter(has_text="Beginner")).to_be_visible()
    page.keyboard.press(" ")
    expect(end_card(page)).to_be_visible()
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()


def ink(page: Page, channel: int) -> int:
    """Count the pixels of the picture in which a channel of the colour stands out."""
    return int(
        page.locator(".life canvas").evaluate(
            """(canvas, channel) => {
                const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
                let count = 0;
                for (let at = 0; at < data.length; at += 4) {
                    const others = [0, 1, 2].filter((one) => one !== channel).map((one) => data[at + one]);
                    if (data[at + 3] > 128 && data[at + channel] > Math.max(...others) + 40) count += 1;
                }
                return count;
            }""",
            channel,
        )
    )


def test_the_picture_grows_with_the_life(user: BrowserUser) -> None:
    page = user.open(EARLY)
    expect(page.get_by_role("status").filter(has_text="Beginner")).to_be_visible()
    expect_connected(page)
    expect(picture(page)).to_have_attribute("aria-label", re.compile("not begun"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(picture(page)).to_have_attribute("aria-label", re.compile(r": 2 steps, \d+ visits"))
    expect(page.locator(".life .axis")).to_contain_text("step 2")
    assert ink(page, 2) > 500


def test_a_death_stays_on_screen_at_full_speed_and_tells_its_last_chance(user: BrowserUser) -> None:
    page = user.open(f"{EARLY}&speed=10")
    live_out(page)
    card = end_card(page)
    expect(card).to_contain_text(re.compile(r"after \d+ steps"))
    expect(card).to_contain_text(re.compile(r"\w+: at step \d+ it could still have reached \w+"))
    steps = int(re.findall(r"after (\d+) steps", card.inner_text())[0])
    chance = int(re.findall(r"at step (\d+)", card.inner_text())[0])
    assert 0 <= chance < steps
    # Something critical is drawn in red.
    assert ink(page, 0) > 50
    card.get_by_role("button", name="Its last chance").click()
    expect(fact(page, "Step")).to_have_text(str(chance))
    expect(card).to_be_hidden()
    page.get_by_role("button", name="Back to live").click()
    expect(fact(page, "Step")).to_have_text(str(steps))
    card.get_by_role("button", name="Next life").click()
    expect(fact(page, "Episode")).to_have_text("2")
    expect(card).to_be_hidden()


def test_the_picture_is_a_timeline_and_tells_its_values(user: BrowserUser) -> None:
    page = user.open(f"{EARLY}&speed=10")
    live_out(page)
    box = picture(page).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    heading = page.locator(".life figcaption")
    expect(heading).to_contain_text(re.compile(r"^Step \d+"))
    step = int(re.findall(r"Step (\d+)", heading.inner_text())[0])
    values = page.locator(".life .values li")
    expect(values).to_have_count(8)
    page.mouse.down()
    page.mouse.up()
    expect(fact(page, "Step")).to_have_text(str(step))
    meter = page.get_by_role("meter", name="Energy")
    expect(meter).to_have_attribute("aria-valuetext", re.compile(f"^{values.nth(1).inner_text()}"))


def test_earlier_lives_are_drawn_on_request(user: BrowserUser) -> None:
    page = user.open(f"{EARLY}&speed=10")
    live_out(page)
    page.keyboard.press(" ")
    expect(fact(page, "Episode")).to_have_text("2")
    expect_step_above(page, 5)
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
    before = page.locator(".life canvas").evaluate("(canvas) => canvas.toDataURL()")
    button = page.get_by_role("button", name="Earlier lives")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    page.wait_for_function(
        "(before) => document.querySelector('.life canvas').toDataURL() !== before", arg=before
    )


def test_a_recordings_life_is_there_whole_from_its_first_step(user: BrowserUser) -> None:
    page = user.open(f"{EARLY}&speed=10")
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_text("This episode is being recorded, to its end.")).to_be_visible()
    live_out(page)
    expect(page.get_by_role("status").filter(has_text="Recorded:")).to_be_visible()
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(fact(page, "Step")).to_have_text("0")
    expect(picture(page)).to_have_attribute("aria-label", re.compile(r": [1-9]\d+ steps, \d+ visits"))
    expect(end_card(page)).to_be_hidden()


def test_visits_are_those_of_this_life_of_the_last_or_of_all(user: BrowserUser) -> None:
    page = user.open(f"{EARLY}&speed=10")
    live_out(page)
    page.get_by_label("Visits shown").select_option("this life")
    expect(page).to_have_url(re.compile("visits=life"))
    page.get_by_role("button", name="Next life").click()
    expect(fact(page, "Step")).to_have_text("0")
    visited = page.locator(".heat .cell:not([fill-opacity='0'])")
    expect(visited).to_have_count(1)
    page.get_by_label("Visits shown").select_option("last 10 lives")
    expect(visited).not_to_have_count(1)
