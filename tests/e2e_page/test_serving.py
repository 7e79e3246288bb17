"""Test how the page is served, reconnects, and keeps its state in its address."""

import json
import re
import signal
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.e2e.conftest import Server
from tests.e2e_page.conftest import BrowserUser, StartPageServer
from tests.e2e_page.seen import expect_connected, expect_step_above, fact


@pytest.fixture(scope="module")
def server(module_server: Server) -> Server:
    """Let the tests use a server of their own: they count places."""
    return module_server


def test_a_browser_gets_the_page_and_a_script_the_json(user: BrowserUser, server: Server) -> None:
    page = user.open()
    expect_connected(page)
    expect(page).to_have_title("Watch \u00b7 Hamlet")
    with urlopen(f"http://127.0.0.1:{server.port}/") as answer:
        assert json.load(answer)["service"] == "Hamlet Metaserver"


def test_everything_comes_from_the_server_itself(user: BrowserUser, server: Server) -> None:
    hosts = set()
    page = user.open("about")
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("websocket", lambda socket: hosts.add(urlsplit(socket.url).netloc))
    user.excuse("404")
    page.goto(f"http://127.0.0.1:{server.port}/")
    expect_connected(page)
    assert hosts == {f"127.0.0.1:{server.port}"}


def test_a_reload_and_a_link_show_the_same_view(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    page.get_by_label("Model", exact=True).select_option("checkpoint_ep50.pt")
    expect(page.get_by_role("status").filter(has_text="Beginner")).to_be_visible()
    page.keyboard.press("h")
    page.keyboard.press("+")
    address = page.url
    query = parse_qs(urlsplit(address).query)
    assert query == {"model": ["checkpoint_ep50.pt"], "heat": ["0"], "speed": ["1.5"]}
    page.reload()
    for view in (page, user.open(f"?{urlsplit(address).query}")):
        expect(view.get_by_label("Model", exact=True)).to_have_value("checkpoint_ep50.pt")
        expect(view.get_by_role("button", name="Heat map")).to_have_attribute("aria-pressed", "false")
        expect(view.get_by_label("Speed", exact=True)).to_have_attribute("aria-valuetext", "1.5\u00d7 speed")


def test_only_views_of_the_server_are_offered(user: BrowserUser) -> None:
    def inference_alone(route: Route) -> None:
        if "text/html" in route.request.headers.get("accept", ""):
            route.continue_()
        else:
            service = route.fetch().json()
            del service["endpoints"]["training"]
            route.fulfill(json=service)

    context = user.context()
    context.route(lambda address: urlsplit(address).path == "/", inference_alone)
    page = user.open("?view=train", context)
    expect(page.get_by_text("This server does not offer this view.")).to_be_visible()
    links = page.get_by_role("navigation").get_by_role("link")
    expect(links).to_have_text(["Watch", "Compare", "Play", "Replays"])


def test_the_browsers_back_button_goes_back(user: BrowserUser) -> None:
    page = user.open()
    expect_connected(page)
    page.get_by_role("link", name="Train").click()
    expect(page.get_by_role("heading", name="Train an agent").first).to_be_attached()
    expect(page).to_have_url(re.compile("view=train"))
    page.go_back()
    expect(page.get_by_role("heading", name="Watch an agent live")).to_be_attached()
    expect_connected(page)


def test_two_browsers_are_independent(user: BrowserUser) -> None:
    one, other = user.open(), user.open("?model=checkpoint_ep50.pt")
    for page in (one, other):
        expect_connected(page)
    expect(other.get_by_label("Model", exact=True)).to_have_value("checkpoint_ep50.pt")
    expect(one.get_by_label("Model", exact=True)).to_have_value("trained_agent.pt")
    one.get_by_role("button", name="Start", exact=True).click()
    expect_step_above(one, 5)
    expect(fact(other, "Step")).to_have_text("0")
    other.get_by_role("button", name="Step", exact=True).click()
    expect(fact(other, "Step")).to_have_text("1")
    other.get_by_role("button", name="Reset").click()
    expect(other.get_by_role("button", name="Start", exact=True)).to_be_visible()
    expect(one.get_by_role("button", name="Pause")).to_be_visible()
    expect_step_above(one, 6)


def test_the_page_recovers_from_a_killed_server(browser: Browser, start_page_server: StartPageServer) -> None:
    server = start_page_server()
    user = BrowserUser(browser, f"http://127.0.0.1:{server.port}")
    page = user.open("?model=checkpoint_ep1000.pt&speed=5")
    expect_connected(page)
    page.keyboard.press(" ")
    expect_step_above(page, 5)
    # A browser itself reports each attempt that nobody answers.
    user.excuse("ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "/ws", "ERR_CONNECTION_RESET")
    server.signal(signal.SIGKILL)
    server.wait()
    expect(page.get_by_text("The connection is lost")).to_be_visible()
    expect(page.get_by_role("button", name="Reset")).to_be_disabled()
    start_page_server(port=server.port)
    expect(page.get_by_text("The connection is lost")).to_be_hidden()
    expect(page.get_by_role("alert").filter(has_text="on screen before is lost")).to_be_visible()
    expect(page.get_by_label("Model", exact=True)).to_have_value("checkpoint_ep1000.pt")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect_step_above(page, 5)
    user.leave()


@pytest.mark.long
def test_the_page_names_an_announced_restart_and_reconnects(
    browser: Browser, start_page_server: StartPageServer
) -> None:
    server = start_page_server()
    user = BrowserUser(browser, f"http://127.0.0.1:{server.port}")
    user.excuse("ERR_CONNECTION_REFUSED", "/ws/training")
    page = user.open("?view=train")
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    server.signal(signal.SIGTERM)
    server.wait()
    expect(page.get_by_role("alert").filter(has_text=re.compile("restarting|lost"))).to_be_visible()
    start_page_server(port=server.port)
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    user.leave()


def test_a_full_server_is_reported_and_a_free_place_is_taken(
    browser: Browser, start_page_server: StartPageServer
) -> None:
    server = start_page_server(max_sessions=1)
    user = BrowserUser(browser, f"http://127.0.0.1:{server.port}")
    first = user.open()
    expect_connected(first)
    user.excuse("503")
    second = user.open()
    expect(second.get_by_text("The server is full")).to_be_visible()
    first.close()
    second.get_by_role("button", name="Try now").click()
    expect_connected(second)
    user.leave()
