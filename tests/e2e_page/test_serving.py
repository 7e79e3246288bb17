"""1. Served by the metaserver, reconnecting, and with all that is shown in its address."""

import json
import re
import signal
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

from playwright.sync_api import Browser, Route, expect

from tests.e2e.conftest import Server
from tests.e2e_page.conftest import Principal, StartPageServer
from tests.e2e_page.seen import expect_connected, expect_step_above, fact


def test_a_browser_gets_the_page_and_a_script_the_json(visitor: Principal, server: Server) -> None:
    page = visitor.open()
    expect_connected(page)
    expect(page).to_have_title("Watch \u00b7 Hamlet")
    with urlopen(f"http://127.0.0.1:{server.port}/") as answer:
        assert json.load(answer)["service"] == "Hamlet Metaserver"


def test_everything_comes_from_the_server_itself(visitor: Principal, server: Server) -> None:
    hosts = set()
    page = visitor.open("about")
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("websocket", lambda socket: hosts.add(urlsplit(socket.url).netloc))
    visitor.excuse("404")
    page.goto(f"http://127.0.0.1:{server.port}/")
    expect_connected(page)
    assert hosts == {f"127.0.0.1:{server.port}"}


def test_a_reload_and_a_link_show_the_same_view(visitor: Principal) -> None:
    page = visitor.open()
    expect_connected(page)
    page.get_by_label("Model", exact=True).select_option("checkpoint_ep50.pt")
    expect(page.get_by_role("status").filter(has_text="Early")).to_be_visible()
    page.keyboard.press("h")
    page.keyboard.press("+")
    address = page.url
    query = parse_qs(urlsplit(address).query)
    assert query == {"model": ["checkpoint_ep50.pt"], "heat": ["0"], "speed": ["1.5"]}
    page.reload()
    for view in (page, visitor.open(f"?{urlsplit(address).query}")):
        expect(view.get_by_label("Model", exact=True)).to_have_value("checkpoint_ep50.pt")
        expect(view.get_by_role("button", name="Heat map")).to_have_attribute("aria-pressed", "false")
        expect(view.get_by_label("Speed", exact=True)).to_have_attribute("aria-valuetext", "1.5\u00d7 speed")


def test_only_what_the_server_offers_is_offered(visitor: Principal) -> None:
    def inference_alone(route: Route) -> None:
        if "text/html" in route.request.headers.get("accept", ""):
            route.continue_()
        else:
            service = route.fetch().json()
            del service["endpoints"]["training"]
            route.fulfill(json=service)

    context = visitor.context()
    context.route(lambda address: urlsplit(address).path == "/", inference_alone)
    page = visitor.open("?view=train", context)
    expect(page.get_by_text("This server does not offer this view.")).to_be_visible()
    assert page.get_by_role("navigation").get_by_role("link").all_inner_texts() == [
        "Watch",
        "Compare",
        "Play",
        "Replays",
    ]


def test_the_browsers_back_button_goes_back(visitor: Principal) -> None:
    page = visitor.open()
    expect_connected(page)
    page.get_by_role("link", name="Train").click()
    expect(page.get_by_role("heading", name="Train an agent").first).to_be_attached()
    expect(page).to_have_url(re.compile("view=train"))
    page.go_back()
    expect(page.get_by_role("heading", name="Watch an agent live")).to_be_attached()
    expect_connected(page)


def test_two_browsers_are_independent(visitor: Principal) -> None:
    one, other = visitor.open(), visitor.open("?model=checkpoint_ep50.pt")
    for page in (one, other):
        expect_connected(page)
    expect(other.get_by_label("Model", exact=True)).to_have_value("checkpoint_ep50.pt")
    expect(one.get_by_label("Model", exact=True)).to_have_value("trained_agent.pt")
    one.get_by_role("button", name="Play", exact=True).click()
    expect_step_above(one, 5)
    expect(fact(other, "Step")).to_have_text("0")
    other.get_by_role("button", name="Step", exact=True).click()
    expect(fact(other, "Step")).to_have_text("1")
    other.get_by_role("button", name="Reset").click()
    expect(other.get_by_role("button", name="Play", exact=True)).to_be_visible()
    expect(one.get_by_role("button", name="Pause")).to_be_visible()
    expect_step_above(one, 6)


def test_a_killed_and_restarted_server_is_recovered_from(
    browser: Browser, start_page_server: StartPageServer
) -> None:
    server = start_page_server()
    visitor = Principal(browser, f"http://127.0.0.1:{server.port}")
    page = visitor.open("?model=checkpoint_ep1000.pt&speed=5")
    expect_connected(page)
    page.keyboard.press(" ")
    expect_step_above(page, 5)
    # A browser itself reports each attempt that nobody answers.
    visitor.excuse("ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "/ws", "ERR_CONNECTION_RESET")
    server.signal(signal.SIGKILL)
    server.wait()
    expect(page.get_by_text("The connection is lost")).to_be_visible()
    expect(page.get_by_role("button", name="Reset")).to_be_disabled()
    start_page_server(port=server.port)
    expect(page.get_by_text("The connection is lost")).to_be_hidden()
    expect(page.get_by_label("Model", exact=True)).to_have_value("checkpoint_ep1000.pt")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect_step_above(page, 5)
    visitor.leave()


def test_a_restart_that_was_announced_is_named_and_needs_no_hand(
    browser: Browser, start_page_server: StartPageServer
) -> None:
    server = start_page_server()
    visitor = Principal(browser, f"http://127.0.0.1:{server.port}")
    visitor.excuse("ERR_CONNECTION_REFUSED", "/ws/training")
    page = visitor.open("?view=train")
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    server.signal(signal.SIGTERM)
    server.wait()
    expect(page.get_by_role("alert").filter(has_text=re.compile("restarting|lost"))).to_be_visible()
    start_page_server(port=server.port)
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    visitor.leave()


def test_a_full_server_says_so_and_lets_in_who_waits(
    browser: Browser, start_page_server: StartPageServer
) -> None:
    server = start_page_server(max_sessions=1)
    visitor = Principal(browser, f"http://127.0.0.1:{server.port}")
    first = visitor.open()
    expect_connected(first)
    visitor.excuse("503")
    second = visitor.open()
    expect(second.get_by_text("The server has no free place")).to_be_visible()
    first.close()
    second.get_by_role("button", name="Try now").click()
    expect_connected(second)
    visitor.leave()
