"""Test recordings: rewind, branch, record, find, replay and film."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Server
from tests.e2e_page.conftest import BrowserUser
from tests.e2e_page.seen import expect_connected, expect_step_above, fact
from tests.e2e_page.test_quality import violations


@pytest.fixture(scope="module")
def server(module_server: Server) -> Server:
    """Let the tests use a server of their own: they record."""
    return module_server


def step_to(page: Page, last: int) -> None:
    """Step to this step from step 0."""
    expect_connected(page)
    for step in range(1, last + 1):
        page.keyboard.press("ArrowRight")
        expect(fact(page, "Step")).to_have_text(str(step))


def timeline(page: Page) -> Locator:
    """Return the slider of the episode's steps."""
    return page.get_by_role("slider", name="Step", exact=True)


def drag(page: Page, start: float, end: float) -> None:
    """Drag the timeline's thumb from one part of its length to another."""
    box = timeline(page).bounding_box()
    assert box is not None
    # The middle of the thumb stops half a thumb before the ends.
    left, width, middle = box["x"] + 9, box["width"] - 18, box["y"] + box["height"] / 2
    page.mouse.move(left + width * start, middle)
    page.mouse.down()
    page.mouse.move(left + width * end, middle, steps=12)
    page.mouse.up()


def record(page: Page) -> None:
    """Record the episode on screen, as it is now."""
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_role("button", name="Save now", exact=True).or_(page.get_by_text("Recorded:")).wait_for()
    if page.get_by_role("button", name="Save now", exact=True).is_visible():
        page.get_by_role("button", name="Save now", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="Recorded:")).to_be_visible()


def test_a_person_takes_over_from_an_earlier_step(user: BrowserUser) -> None:
    page = user.open("?model=checkpoint_ep50.pt")
    expect(page.get_by_role("status").filter(has_text="Beginner")).to_be_visible()
    step_to(page, 12)
    episode = fact(page, "Episode").inner_text()
    drag(page, 1, 0.5)
    expect(page.get_by_role("status").filter(has_text="Rewound")).to_be_visible()
    expect(fact(page, "Step")).to_have_text("6")
    page.keyboard.press("ArrowLeft")
    expect(fact(page, "Step")).to_have_text("5")
    expect(timeline(page)).to_have_attribute("aria-valuetext", re.compile("^step 5 of 12"))
    page.get_by_role("button", name="Back to live").click()
    expect(fact(page, "Step")).to_have_text("12")
    expect(fact(page, "Episode")).to_have_text(episode)
    # The slider's own keys.
    timeline(page).focus()
    page.keyboard.press("Home")
    expect(fact(page, "Step")).to_have_text("0")
    page.keyboard.press("ArrowRight")
    expect(fact(page, "Step")).to_have_text("1")
    timeline(page).blur()
    page.get_by_role("button", name="Take over").click()
    expect(page.get_by_role("button", name="Let it go on")).to_be_visible()
    for step, (key, action) in enumerate(
        [("ArrowUp", "Up"), ("ArrowLeft", "Left"), (" ", "Interact")], start=2
    ):
        page.keyboard.press(key)
        expect(fact(page, "Step")).to_have_text(str(step))
        expect(fact(page, "Last action")).to_contain_text(action)
    expect(fact(page, "Episode")).to_have_text(str(int(episode) + 1))
    page.get_by_role("button", name="Let it go on").click()
    expect_step_above(page, 6)


def test_the_model_goes_on_from_an_earlier_step(user: BrowserUser) -> None:
    page = user.open()
    step_to(page, 8)
    drag(page, 1, 0.25)
    expect(fact(page, "Step")).to_have_text("2")
    page.get_by_role("button", name="Go on").click()
    expect_step_above(page, 4)
    expect(fact(page, "Episode")).to_have_text("2")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_an_episode_is_recorded_replayed_and_branched_from_a_link(user: BrowserUser) -> None:
    page = user.open("?speed=10")
    expect_connected(page)
    # By then a meter is critical, or a place was used against that.
    for steps in range(11, 56, 11):
        for _ in range(11):
            page.keyboard.press("ArrowRight")
        expect(fact(page, "Step")).to_have_text(str(steps))
    record(page)
    page.get_by_role("button", name="Replay").click()
    note = page.get_by_role("status").filter(has_text="Replay of episode")
    expect(note).to_be_visible()
    expect(page).to_have_url(re.compile(r"recording=[\w-]+"))
    link = page.url

    other = user.open(f"?{link.split('?')[1]}")
    expect(other.get_by_role("status").filter(has_text="Replay of episode")).to_be_visible()
    expect(fact(other, "Step")).to_have_text("0")
    # From mark to mark: a meter turned critical, or a place was used.
    other.get_by_role("button", name="Next mark").click()
    expect(timeline(other)).to_have_attribute("aria-valuetext", re.compile("turned critical|used"))
    marked = int(fact(other, "Step").inner_text())
    assert marked > 0
    timeline(other).focus()
    other.keyboard.press("Home")
    other.keyboard.press("PageUp")
    expect(fact(other, "Step")).to_have_text(str(marked))
    drag(other, 0.5, 1)
    steps = int((timeline(other).get_attribute("max")) or "0")
    expect(fact(other, "Step")).to_have_text(str(steps))
    drag(other, 1, 0)
    expect(fact(other, "Step")).to_have_text("0")
    # It plays to its end, and stands there.
    timeline(other).blur()
    other.keyboard.press(" ")
    expect(fact(other, "Step")).to_have_text(str(steps))
    expect(other.get_by_role("button", name="Start", exact=True)).to_be_visible()
    drag(other, 1, 0.1)
    other.get_by_role("button", name="Go on").click()
    expect_step_above(other, 8)
    expect(other).not_to_have_url(re.compile("recording="))


@pytest.mark.long
def test_a_replay_of_a_death_does_not_begin_with_it(user: BrowserUser) -> None:
    page = user.open("?model=checkpoint_ep50.pt&speed=10")
    expect_connected(page)
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="Recorded:")).to_be_visible()
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="Replay of episode")).to_be_visible()
    expect(page.get_by_text("It wins by living")).to_be_visible()


def test_a_recording_is_found_and_downloaded_as_a_film(user: BrowserUser) -> None:
    page = user.open("?model=checkpoint_ep1000.pt")
    expect(page.get_by_role("status").filter(has_text="Skilled")).to_be_visible()
    step_to(page, 5)
    record(page)
    page.get_by_role("link", name="Replays").click()
    rows = page.get_by_role("region", name="Recordings").get_by_role("listitem")
    page.get_by_label("Model", exact=True).select_option("checkpoint_ep1000.pt")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("5 steps")
    expect(rows).to_contain_text("Asked for")
    # The picture of its way is drawn from the file: six cells of five steps, and the eight places.
    picture = rows.get_by_role("img", name=re.compile(r"^The way in episode \d+\. Used"))
    points = picture.locator("polyline").get_attribute("points") or ""
    assert len(points.split()) == 6
    expect(picture.locator("g")).to_have_count(8)
    page.get_by_label("Grouped by").select_option("ending")
    expect(page.get_by_role("heading", name="Recorded before its end")).to_be_visible()
    expect(rows).to_have_count(1)
    page.get_by_label("Grouped by").select_option("run")
    expect(page.get_by_role("heading", name=re.compile("^Watched: "))).to_be_visible()
    page.get_by_label("From", exact=True).select_option("training")
    expect(page.get_by_text("Nothing to show.")).to_be_visible()
    page.get_by_label("From", exact=True).select_option("")
    assert violations(page) == []

    rows.get_by_role("link", name="Replay").click()
    expect(page.get_by_role("status").filter(has_text="Replay of episode")).to_be_visible()
    drag(page, 0, 1)
    expect(fact(page, "Step")).to_have_text("5")
    assert violations(page) == []
    page.get_by_role("button", name="Film").click()
    dialog = page.get_by_role("dialog", name="A film of this episode")
    dialog.get_by_role("button", name="Make the film").click()
    expect(dialog.get_by_role("progressbar")).to_be_visible()
    dialog.get_by_role("button", name="Cancel").click()
    dialog.get_by_role("button", name="Make the film").click()
    ready = dialog.get_by_role("link", name="Download")
    expect(ready).to_be_visible()
    assert violations(page) == []
    with page.expect_download() as waiting:
        ready.click()
    film = waiting.value
    assert film.suggested_filename.endswith(".mp4")
    assert b"ftyp" in Path(film.path()).read_bytes()[:16]


def test_a_missing_recording_is_reported_and_the_session_stays(user: BrowserUser) -> None:
    page = user.open("?recording=20200101-000000-000000")
    expect_connected(page)
    expect(page.get_by_role("alert").filter(has_text="20200101-000000-000000")).to_be_visible()
    expect(page).not_to_have_url(re.compile("recording="))
    page.keyboard.press("ArrowRight")
    expect(fact(page, "Step")).to_have_text("1")


def test_the_timeline_moves_by_touch(user: BrowserUser) -> None:
    page = user.open(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    step_to(page, 10)
    box = timeline(page).bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(fact(page, "Step")).to_have_text("5")
    expect(page.get_by_role("button", name="Back to live")).to_be_visible()
