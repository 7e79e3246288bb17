"""Test rooms: two people who point, draw, vote and look at each other's lives."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Server
from tests.e2e_page.conftest import BrowserUser
from tests.e2e_page.seen import expect_connected, expect_step_above, fact
from tests.e2e_page.test_quality import violations

REMEMBER_CHANNELS = """
    window.channels = []
    const { prototype } = RTCPeerConnection, make = prototype.createDataChannel
    prototype.createDataChannel = function (...options) {
        const channel = make.apply(this, options)
        window.channels.push(channel)
        return channel
    }
"""


@pytest.fixture(scope="module")
def server(module_server: Server) -> Server:
    """Let the tests use a server of their own: they open rooms."""
    return module_server


def together(user: BrowserUser, script: str = ";", **options: Any) -> tuple[Page, Page]:
    """Open a room in one browser, and its link in another, where a script runs first."""
    ann = user.open("?view=watch")
    expect_connected(ann)
    ann.get_by_role("button", name="Together").click()
    ann.get_by_role("button", name="Open a room").click()
    expect(ann).to_have_url(re.compile(r"room=\d{4}$"))
    # Nobody knows of it yet.
    expect(ann.get_by_role("heading", name="Invite others")).to_be_visible()
    context = user.context(**options)
    context.add_init_script(script)
    ben = user.open(ann.url.rpartition("/")[2], context)
    expect_connected(ben)
    for page in (ann, ben):
        expect(page.get_by_role("button", name="2 members")).to_be_visible()
    return ann, ben


def way(page: Page) -> Locator:
    """Return where the bar says how the members are connected."""
    return page.locator(".room-bar .way")


def nearest_way() -> str:
    """Return how two on this machine are connected: without a default route browsers offer no address."""
    routes = Path("/proc/net/route")
    has_route = not routes.exists() or re.search(r"^\w+\t00000000\t", routes.read_text(), re.M)
    return "direct" if has_route else "over the server"


def test_two_point_draw_and_vote(user: BrowserUser) -> None:
    ann, ben = together(user, viewport={"width": 360, "height": 740}, has_touch=True)
    world = ann.locator(".world")
    box = world.bounding_box()
    assert box
    ann.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.4)
    expect(ben.locator(".room-layer .cursor")).to_be_visible()

    # With a finger. Nothing moves where the tools come, and the bar has one row.
    place = ben.locator(".world").bounding_box()
    ben.get_by_role("button", name="Draw").click()
    expect(ben.get_by_role("heading", name="Draw")).to_be_visible()
    assert ben.locator(".world").bounding_box() == place
    bar = ben.locator(".room-bar").bounding_box()
    assert bar
    assert bar["height"] < 60
    ben.get_by_role("button", name="Star", exact=True).click()
    ben.get_by_role("application").tap(position={"x": 60, "y": 30})
    expect(ann.locator(".room-layer .stroke")).to_have_count(1)
    # With the mouse.
    ann.get_by_role("button", name="Draw").click()
    ann.get_by_role("button", name="Arrow", exact=True).click()
    box = world.bounding_box()
    assert box
    ann.mouse.move(box["x"] + 60, box["y"] + 60)
    ann.mouse.down()
    ann.mouse.move(box["x"] + 200, box["y"] + 120, steps=5)
    ann.mouse.up()
    expect(ben.locator(".room-layer .stroke")).to_have_count(2)
    # With the keyboard.
    ann.get_by_role("button", name="Flag").click()
    ann.get_by_role("application").focus()
    ann.keyboard.press("ArrowLeft")
    ann.keyboard.press("Enter")
    expect(ben.locator(".room-layer .stroke")).to_have_count(3)
    # The keys point as well, until Escape.
    expect(ben.locator(".room-layer .cursor")).to_have_count(1)
    ann.keyboard.press("Escape")
    expect(ben.locator(".room-layer .cursor")).to_have_count(0)
    ann.get_by_role("button", name="Draw").click()
    assert violations(ann) == []
    assert violations(ben) == []
    ann.get_by_role("button", name="Undo").click()
    ann.get_by_role("button", name="Members may draw").click()
    expect(ben.get_by_role("button", name="Star", exact=True)).to_have_count(0)
    expect(ben.locator(".room-layer .stroke")).to_have_count(2)
    ann.get_by_role("button", name="Clear all").click()
    expect(ben.locator(".room-layer .stroke")).to_have_count(0)

    ann.get_by_role("button", name="Start", exact=True).click()
    ann.get_by_role("button", name="Vote").click()
    ann.get_by_role("button", name="Which action would you take?").click()
    # The life that it is about is on both screens.
    expect(ben.get_by_role("heading", name="The life of")).to_be_visible()
    ben.get_by_role("group", name="Vote").get_by_role("button", name="Left").click()
    expect(ann.get_by_text("1 vote", exact=True)).to_be_visible()
    assert violations(ben) == []
    assert ben.evaluate("document.documentElement.scrollWidth") == 360
    ben.reload()
    expect(ben.get_by_role("group", name="Vote").get_by_role("button", name="Left")).to_have_attribute(
        "aria-pressed", "true"
    )
    expect(ben.get_by_role("heading", name="The life of")).to_be_visible()
    ann.get_by_role("button", name="End the vote and let the model act").click()
    for page in (ann, ben):
        expect(page.locator(".result").get_by_text("the model")).to_be_visible()
    expect(ben.locator(".result").get_by_text("1", exact=True)).to_be_visible()
    assert violations(ann) == []
    assert violations(ben) == []
    place, sheet = ben.locator(".world").bounding_box(), ben.locator(".sheets").bounding_box()
    assert place
    assert sheet
    assert place["y"] + place["height"] <= sheet["y"]
    # A life that stopped for the vote says so.
    ann.get_by_role("button", name="Let it go on").click()
    expect(ann.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    ben.get_by_role("button", name="Back to my own life").click()
    expect(ben.get_by_role("heading", name="The life of")).to_have_count(0)
    # Another vote on that life shows it again, also to whoever looked away or closed the sheet.
    # The keyboard goes where the vote goes.
    ann.get_by_role("button", name="Which action would you take?").press("Enter")
    expect(ann.get_by_role("group", name="Vote").get_by_role("button", name="Up")).to_be_focused()
    expect(ben.get_by_role("heading", name="The life of")).to_be_visible()
    expect(ben.get_by_role("button", name="Back to my own life")).to_have_count(0)
    ben.locator(".sheet").get_by_role("button", name="Close").click()
    # It is about the same life after a reload of whose it is, and stands still there.
    ann.reload()
    expect(ann.get_by_text("Your life stands still until")).to_be_visible()
    expect_connected(ann)
    expect(ben.get_by_role("heading", name="The life of")).to_be_visible()
    expect(fact(ann, "Step")).to_have_text(re.compile("[1-9]"))
    stood = fact(ann, "Step").inner_text()
    for control in ("Step", "Reset", "Start"):
        ann.get_by_role("button", name=control, exact=True).click()
    expect(ann.get_by_role("group", name="Vote").get_by_role("button", name="Up")).to_be_visible()
    expect(fact(ann, "Step")).to_have_text(stood)
    ann.get_by_role("button", name="End the vote and let the model act").press("Enter")
    expect(ann.locator(".outcome")).to_be_focused()
    ben.get_by_role("button", name="Back to my own life").click()
    for page in (ann, ben):
        expect(page.locator(".result .model")).to_contain_text("the model")
    answers = [page.locator(".result .model .label").inner_text() for page in (ann, ben)]
    assert answers[0] == answers[1]
    # A reload changes nobody into another.
    you = ben.locator(".room-bar .you")
    name = you.get_attribute("title")
    assert name
    ben.reload()
    expect(you).to_have_attribute("title", name)


def test_a_life_that_is_voted_on_stands_still_and_goes_on_by_whom_it_is_played(user: BrowserUser) -> None:
    ann, ben = together(user)
    ben.get_by_role("button", name="Start", exact=True).click()
    ann.get_by_role("button", name="2 members").click()
    ann.get_by_role("button", name="Watch the life of").click()
    expect_step_above(ann, 2)
    ann.get_by_role("button", name="Vote").click()
    ann.get_by_role("button", name="Which action would you take?").click()
    expect(ben.get_by_text("Your life stands still until")).to_be_visible()
    expect(ben.get_by_role("button", name="Start", exact=True)).to_be_visible()
    # What would tell the answer is hidden, and another view leads to the life.
    expect(ben.get_by_text("Hidden until the vote has ended.")).to_be_visible()
    ann.get_by_role("link", name="Runs", exact=True).click()
    ann.get_by_role("button", name="Show it").click()
    expect(ann.get_by_role("heading", name="The life of")).to_be_visible()
    expect(ann.get_by_role("button", name="Show it")).to_have_count(0)
    # Whoever wants to go on is told why not.
    ben.locator(".sheet").get_by_role("button", name="Close").click()
    ben.get_by_role("button", name="Start", exact=True).click()
    expect(ben.get_by_text("Your life stands still until")).to_be_visible()
    ann.get_by_role("button", name="End the vote and let the model act").click()
    for page in (ann, ben):
        expect(page.locator(".result").get_by_text("the model")).to_be_visible()
    expect(ben.get_by_role("button", name="Let it go on")).to_be_visible()

    ben.get_by_role("link", name="Play", exact=True).click()
    expect_connected(ben)
    expect(ann.get_by_role("heading", name="The life of")).to_be_visible()
    ann.get_by_role("button", name="Which action would you take?").click()
    expect(ben.get_by_text("Your life stands still until")).to_be_visible()
    ben.locator("main").press("ArrowLeft")
    ann.get_by_role("button", name="End the vote and let the player act").click()
    expect(ben.get_by_text("Now it is your move")).to_be_visible()
    expect(fact(ben, "Step")).to_have_text("0")
    ben.locator("main").press("ArrowRight")
    for page in (ann, ben):
        expect(page.locator(".result").get_by_text("the player")).to_be_visible()
    expect(ben.get_by_role("alert")).to_have_text("")


def test_a_full_group_says_so_and_what_to_do(user: BrowserUser) -> None:
    ann, ben = together(user, viewport={"width": 360, "height": 740}, has_touch=True)
    ann.evaluate(
        """([room]) => Promise.all(Array.from({ length: 8 }, () => new Promise((joined) => {
            const socket = new WebSocket(`ws://${location.host}/ws/room`)
            socket.onopen = () => { socket.send(JSON.stringify({ command: 'join', room })) }
            socket.onmessage = joined
        }))).then(() => undefined)""",
        [f"{ann.url[-4:]}-1"],
    )
    alert = ben.locator(".room-bar").get_by_role("alert")
    # From within the room one stays there.
    ben.get_by_role("button", name="2 members").click()
    ben.get_by_role("button", name="Group 1: 8").click()
    expect(alert).to_contain_text("every place is taken")
    assert violations(ben) == []
    expect(ben).to_have_url(re.compile(r"room=\d{4}$"))
    expect(ann.get_by_role("button", name="2 members")).to_be_visible()
    # By a link one is nowhere, and can go to all.
    ben.goto(f"{ann.url}-1")
    expect(alert).to_contain_text("every place is taken")
    expect(ann.get_by_role("button", name="1 member")).to_be_visible()
    assert violations(ben) == []
    ben.get_by_role("button", name="Go to the whole room").click()
    expect(ben).to_have_url(re.compile(r"room=\d{4}$"))
    expect(ann.get_by_role("button", name="2 members")).to_be_visible()
    expect(alert).to_have_count(0)


def test_an_address_with_no_room_s_number_says_what_one_is(user: BrowserUser) -> None:
    page = user.open("?view=watch&room=0123")
    dialog = page.get_by_role("dialog", name="Together")
    expect(dialog.get_by_role("alert")).to_contain_text("no room “0123”")
    assert violations(page) == []
    page.get_by_role("button", name="Open a room").click()
    expect(page).to_have_url(re.compile(r"room=\d{4}$"))
    expect(dialog).to_have_count(0)


def test_no_welcome_covers_the_world_of_a_room(user: BrowserUser) -> None:
    _, ben = together(user, newcomer=True)
    expect(ben.get_by_role("button", name="Watch it try")).to_have_count(0)


def test_one_follows_another_in_a_group_and_leaves(user: BrowserUser) -> None:
    ann, ben = together(user, REMEMBER_CHANNELS)
    ann.get_by_role("button", name="2 members").click()
    ann.get_by_role("button", name="By lot").click()
    for page in (ann, ben):
        expect(page).to_have_url(re.compile(r"room=\d{4}-1$"))
        expect(page.get_by_role("button", name="2 members")).to_be_visible()
    for page in (ann, ben):
        expect(page.get_by_text("can then learn")).to_be_visible()
    ann.get_by_role("button", name="Invite others").click()
    # No phone reaches a server that listens on 127.0.0.1 alone.
    expect(ann.get_by_text("Others cannot reach this page")).to_be_visible()
    ann.route(
        "**/api/class", lambda route: route.fulfill(json=route.fetch().json() | {"host": "192.168.7.5"})
    )
    ann.reload()
    ann.get_by_role("button", name="Invite others").click()
    expect(ann.get_by_role("img", name=re.compile("QR code of .*192.168.7.5.*room="))).to_be_visible()
    assert violations(ann) == []
    ann.get_by_role("button", name="2 members").click()
    for page in (ann, ben):
        expect(way(page)).to_have_text(nearest_way())
    place = ben.locator(".world").bounding_box()
    assert place
    ben.mouse.move(place["x"] + 40, place["y"] + 40)
    expect(ann.locator(".room-layer .cursor")).to_be_visible()
    ben.get_by_role("button", name="2 members").click()
    ann.get_by_role("button", name="Watch the life of").click()
    expect(ann.get_by_role("heading", name="The life of")).to_be_visible()
    expect(ben.get_by_text(re.compile("^watches "))).to_be_visible()
    assert violations(ben) == []
    ben.get_by_role("button", name="Start", exact=True).click()
    expect_step_above(ann, 3)
    # Whoever sends nonsense is cut off in that moment: it is followed, and points, over the server.
    if nearest_way() == "direct":
        ben.evaluate(
            "for (const one of window.channels) if (one.readyState === 'open') one.send('[1e9, {}]')"
        )
    for page in (ann, ben):
        expect(way(page)).to_have_text("over the server")
    for _ in range(3):
        expect(fact(ann, "Step")).not_to_have_text(fact(ann, "Step").inner_text())
    ben.get_by_role("button", name="Leave the room").click()
    expect(ben.locator(".room-bar")).to_have_count(0)
    # Her own life is on again.
    expect(ann.get_by_role("heading", name="The life of")).to_have_count(0)
    expect_connected(ann)
    ann.get_by_role("button", name="Back to all").click()
    expect(ann).to_have_url(re.compile(r"room=\d{4}$"))
