"""Make worlds on the page, play in them, and train in them."""

import re
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.e2e_page.conftest import BrowserUser
from tests.e2e_page.seen import expect_connected, fact
from tests.e2e_page.test_quality import violations


def place(page: Page, name: str, column: int, row: int) -> None:
    """Wait until the shown world has a place on a cell, both counted from 1."""
    world = page.get_by_role("img", name=re.compile(rf"{name} in column {column}, row {row}"))
    expect(world.first).to_be_visible()


def test_a_world_is_chosen_and_stands_in_the_address(user: BrowserUser) -> None:
    page = user.open("?model=trained_agent.pt")
    expect_connected(page)
    page.get_by_role("button", name="World: ").click()
    page.get_by_role("button", name="Two bars").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    place(page, "Corner Bar", 1, 3)
    expect(page).to_have_url(re.compile("world=two-bars"))
    page.reload()
    place(page, "Corner Bar", 1, 3)
    page.get_by_role("button", name="World: Two bars").click()
    page.get_by_role("button", name="Twice as far").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("8 x 8")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text(
        "Choose a model that was trained there"
    )
    page.get_by_role("button", name="The model\u2019s own world").click()
    place(page, "Recreation", 1, 8)
    expect(page).not_to_have_url(re.compile("world="))

    # Who plays needs no model that can read the world.
    page = user.open("?view=play&world=twice-as-far")
    place(page, "Job", 13, 13)
    page.keyboard.press("ArrowUp")
    expect(fact(page, "Step")).to_have_text("1")
    expect(page.get_by_role("combobox", name="A model at your side")).to_contain_text("Untrained agent")


@pytest.mark.long
def test_a_world_made_by_keyboard_is_trained_in_and_watched_elsewhere(teacher: BrowserUser) -> None:
    page = teacher.open("?view=editor&world=usual", color_scheme="light")
    bed = page.get_by_role("button", name=re.compile("^Bed, column"))
    expect(bed).to_have_attribute("aria-label", "Bed, column 2, row 2")
    bed.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(bed).to_have_attribute("aria-label", "Bed, column 4, row 2")
    page.get_by_role("button", name=re.compile("^Gym, column")).focus()
    page.keyboard.press("Delete")
    expect(page.get_by_text("There is no Gym.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("There is no Gym.")).to_have_count(0)
    page.get_by_role("button", name="Redo").click()
    expect(page.get_by_text("There is no Gym.")).to_be_visible()
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    assert violations(page) == []

    page.get_by_role("button", name="Train in it").press("Enter")
    expect(page.get_by_label("World", exact=True)).to_contain_text("(as edited)")
    page.get_by_label("Episodes", exact=True).fill("3")
    page.get_by_text("More parameters").press("Enter")
    page.get_by_label("Seconds per shown step", exact=True).fill("0")
    page.get_by_role("button", name="Start training").press("Enter")
    events = page.get_by_role("log", name="What happened")
    expect(events).to_contain_text("Finished")
    events.get_by_role("link", name="Watch it").click()
    place(page, "Bed", 4, 2)

    model = parse_qs(urlsplit(page.url).query)["model"][0]
    other = teacher.open(f"?model={model}")
    place(other, "Bed", 4, 2)
    expect(other.get_by_role("img", name=re.compile("Gym in column"))).to_have_count(0)

    # A life in it is recorded, replayed and filmed there.
    other.get_by_role("button", name="Step", exact=True).press("Enter")
    expect(fact(other, "Step")).to_have_text("1")
    other.get_by_role("button", name="Record", exact=True).press("Enter")
    other.get_by_role("button", name="Save now", exact=True).press("Enter")
    other.get_by_role("status").get_by_role("button", name="Replay").press("Enter")
    replay = other.get_by_role("group", name="Replay", exact=True)
    place(other, "Bed", 4, 2)
    replay.get_by_role("button", name="Film").press("Enter")
    dialog = other.get_by_role("dialog", name="A film of this episode")
    dialog.get_by_role("button", name="Make the film").press("Enter")
    with other.expect_download() as film:
        dialog.get_by_role("link", name="Download").press("Enter")
    assert b"ftyp" in film.value.path().read_bytes()[:16]
    dialog.get_by_role("button", name="Close").press("Enter")

    # Its run is in the library, and leads to what training recorded in this world.
    other.get_by_role("link", name="Runs").press("Enter")
    other.get_by_role("button", name=re.compile("^Details of")).first.press("Enter")
    other.get_by_role("link", name=re.compile(r"^\d+ recordings?")).press("Enter")
    other.get_by_role("link", name=re.compile("^Replay episode")).first.press("Enter")
    expect(replay).to_be_visible()
    place(other, "Bed", 4, 2)


def test_a_world_is_dragged_saved_and_refused_at_its_field(teacher: BrowserUser) -> None:
    page = teacher.open("?view=editor&world=usual")
    bed = page.get_by_role("button", name=re.compile("^Bed, column"))
    box = bed.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 2.7, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    expect(bed).to_have_attribute("aria-label", "Bed, column 4, row 2")
    page.get_by_label("Name to save it under").fill("moved-bed")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved as moved-bed.")).to_be_visible()

    teacher.excuse("409")
    page.get_by_label("Name to save it under").fill("usual")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("is a preset")).to_be_visible()

    other = teacher.open("?world=moved-bed")
    place(other, "Bed", 4, 2)


def test_no_number_moves_a_button_and_each_says_what_is_allowed(teacher: BrowserUser) -> None:
    page = teacher.open("?view=editor&world=usual", viewport={"width": 1366, "height": 768})
    page.get_by_role("button", name=re.compile("^Job, column")).click()
    expect(page.get_by_role("button", name="Train in it")).to_be_visible()
    expect(page.get_by_label("Money, when tired")).to_be_visible()
    page.evaluate("document.fonts.ready")
    buttons = page.locator(".editor button")
    before = boxes(buttons)
    numbers = page.locator(".editor input[inputmode]:visible")
    assert numbers.count() >= 22
    for number in numbers.all():
        # What is typed last is taken by the click: its button is where it was when the pointer went down.
        number.fill("1e308")
        expect(number).to_have_attribute("aria-invalid", "true")
        expect(number.locator("xpath=..").get_by_role("alert")).to_contain_text(re.compile(r"Allowed: .*\d"))
        assert boxes(buttons) == before
        number.press("Control+z")
        expect(number).to_have_attribute("aria-invalid", "false")
        number.fill("3")
        page.get_by_role("heading", name="Make a world").click()
        assert boxes(buttons) == before
    expect(page.get_by_role("alert").filter(has_text=re.compile("."))).to_have_count(0)
    expect(page.get_by_text("The grid has 3 by 3 cells")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1366

    # In a number, undo is the world's, by either key.
    columns = page.get_by_label("Columns")
    columns.fill("9")
    page.get_by_role("button", name="Undo").click()
    expect(columns).to_have_value("3")
    columns.focus()
    page.keyboard.press("Control+y")
    expect(columns).to_have_value("9")
    page.keyboard.press("Control+z")
    expect(columns).to_have_value("3")
    page.keyboard.press("Control+y")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+Shift+z")
    expect(columns).to_have_value("9")
    # A name keeps its own.
    title = page.get_by_placeholder("The usual world, changed")
    title.press_sequentially("Mine")
    page.keyboard.press("Control+z")
    expect(columns).to_have_value("9")


def test_a_number_is_for_the_place_it_was_typed_for_and_a_wrong_one_stays(teacher: BrowserUser) -> None:
    page = teacher.open("?view=editor&world=usual")
    bar, job = (page.get_by_role("button", name=re.compile(f"^{name}, column")) for name in ("Bar", "Job"))
    money = page.get_by_label("Money (a minus is a price)")
    bar.click()
    usual = money.input_value()
    # Neither another place nor the start takes it, whatever the field is when the pointer goes down.
    money.fill("-99")
    job.click()
    expect(page.get_by_text("Bar costs 99; usually it")).to_be_visible()
    expect(page.get_by_text(re.compile("^Job (costs|earns)"))).to_have_count(0)
    bar.click()
    expect(money).to_have_value("\u221299")
    money.fill("-98")
    page.get_by_role("button", name=re.compile("^Start of the agent, column")).click()
    expect(page.get_by_text("Bar costs 98; usually it")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    bar.click()
    expect(money).to_have_value(usual)

    # What is not allowed stays as it was typed, is nobody else's, and nothing goes ahead with the old number.
    money.fill("many")
    job.click()
    expect(money).to_have_attribute("aria-invalid", "false")
    energy = page.get_by_label("Energy at the start")
    page.get_by_label("Name to save it under").fill("never")
    for name in ("Watch the model in it", "Train in it", "Save", "Copy link", "Download"):
        button = page.get_by_role("button", name=name, exact=True)
        job.click()
        button.or_(page.get_by_role("link", name=name, exact=True)).click()
        expect(money).to_be_focused()
        expect(money).to_have_value("many")
        expect(money.locator("xpath=..").get_by_role("alert")).to_be_visible()
        expect(page.get_by_role("heading", name="Make a world")).to_be_visible()
    expect(page.get_by_text("First correct the number at \u201cBar, Money").first).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(money).to_have_value(usual)
    expect(page.get_by_text("First correct the number")).to_have_count(0)
    energy.fill("1000")
    energy.press("Tab")
    expect(energy).to_have_value("1000")
    expect(energy.locator("xpath=..").get_by_text("Allowed: above 0, to 100.")).to_be_visible()
    energy.fill("50")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved as never.")).to_be_visible()


def boxes(buttons: Locator) -> Any:
    """Return where the named buttons are, but for places on the grid, which move with its size."""
    return buttons.evaluate_all(
        """all => all.filter(one => one.checkVisibility() && !one.closest('.plane')).map(one => {
          const { x, y, width, height } = one.getBoundingClientRect()
          return [one.textContent || one.ariaLabel, x, y + scrollY, width, height]
        })"""
    )


def test_what_comes_from_outside_is_checked_and_the_draft_outlives_its_view(teacher: BrowserUser) -> None:
    teacher.excuse("422", "412")
    for world in (
        '{"shaped":null}',
        '{"width":100000000,"height":100000000}',
        '{"affordances":{"Bed":{"code":0}}}',
    ):
        page = teacher.open(f"?view=editor&world={quote(world)}")
        expect(page.get_by_role("alert").filter(has_text="The world was not opened.")).to_be_visible()
        expect(page.get_by_label("Columns")).to_have_value("8")
    page.get_by_text("Open a world from a file or text").click()
    page.get_by_label("Or its text").fill('title = "Wide"\nwidth = 10')
    page.get_by_role("button", name="Open it").click()
    expect(page.get_by_label("Columns")).to_have_value("10")
    expect(page.get_by_role("alert").filter(has_text=re.compile("."))).to_have_count(0)

    # By keyboard: the focus goes to the next place, so that undo has one.
    page.get_by_role("button", name=re.compile("^Bed, column")).focus()
    page.keyboard.press("Delete")
    expect(page.get_by_role("button", name=re.compile("^Shower, column"))).to_be_focused()
    page.keyboard.press("Control+z")
    expect(page.get_by_role("button", name=re.compile("^Bed, column"))).to_be_visible()

    page.get_by_label("Rows").fill("32")
    page.get_by_role("button", name="Watch the model in it").click()
    page.go_back()
    expect(page.get_by_label("Rows")).to_have_value("32")
    page.reload()
    expect(page.get_by_label("Rows")).to_have_value("32")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("Rows")).to_have_value("8")

    # What is no name is told so here, and moves nothing that is pressed.
    copy = page.get_by_role("button", name="Copy link")
    where = copy.bounding_box()
    for name in ("..", ".", "a/b", "../x", "A"):
        page.get_by_label("Name to save it under").fill(name)
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("A world\u2019s name has 1 to 64 lower-case letters")).to_be_visible()
        assert copy.bounding_box() == where
    for content, words in ((b"", "is empty"), (b"\xff\x00\x81", "not JSON"), (b"x" * 70_000, "65,536 bytes")):
        file: FilePayload = {"name": "world.json", "mimeType": "application/json", "buffer": content}
        page.get_by_label("A file (JSON or TOML)").set_input_files(file)
        expect(page.get_by_role("alert").filter(has_text=words)).to_be_visible()
        expect(page.get_by_label("Rows")).to_have_value("8")

    # Somebody else has saved another version meanwhile.
    page.get_by_label("Name to save it under").fill("wide")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved as wide.")).to_be_visible()
    other = teacher.open("?view=editor&world=usual")
    other.get_by_label("Name to save it under").fill("wide")
    other.get_by_role("button", name="Save").click()
    other.get_by_role("button", name="Replace it with mine").click()
    expect(other.get_by_text("Saved as wide.")).to_be_visible()

    # An address of which nothing can be made is told.
    other = teacher.open("?agents=9&model=trained_agent.pt")
    expect(other.get_by_text("The address asks for \u201c9\u201d agents")).to_be_visible()
    expect_connected(other)
