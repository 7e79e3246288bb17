"""Log in on the page with the class code or a teacher's token, and out again, without a reload."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import Server
from tests.e2e_page.conftest import BrowserUser, StartPageServer
from tests.e2e_page.seen import expect_connected, expect_step_above
from tests.e2e_page.test_quality import violations
from tests.web.access.conftest import Known, made

__all__ = ["made"]


@pytest.fixture(scope="module")
def school(start_page_server: StartPageServer, made: Known) -> Server:
    """Start a server on which everyone logs in."""
    return start_page_server(login="everyone", tokens_file=made.file)


@pytest.fixture
def student(browser: Browser, school: Server) -> Iterator[BrowserUser]:
    """Return a user of it."""
    user = BrowserUser(browser, f"http://127.0.0.1:{school.port}")
    yield user
    user.leave()


def test_a_class_code_allows_watching_and_a_token_training(student: BrowserUser, made: Known) -> None:
    page = student.open()
    page.evaluate("window.neverReloaded = true")
    code = page.get_by_label("Class code")
    expect(code).to_be_focused()
    expect(page.get_by_role("heading", name="Which class are you?")).to_be_visible()
    student.excuse("401")
    page.keyboard.type("wxyz-wxyz")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="This code or token is not valid")).to_be_visible()
    expect(code).to_have_attribute("aria-invalid", "true")
    page.get_by_role("button", name="Show what I type").click()
    expect(code).to_have_attribute("type", "text")
    code.fill("")
    page.keyboard.type(made.code.upper())
    page.keyboard.press("Enter")
    expect_connected(page)
    page.get_by_role("button", name="Start", exact=True).click()
    expect_step_above(page, 2)

    page.get_by_role("link", name="Train").click()
    expect(page.get_by_text("Only a teacher can start a run")).to_be_visible()
    expect(page.get_by_role("button", name="Start training")).to_have_count(0)
    page.get_by_text("I am a teacher").click()
    page.get_by_label("Teacher\u2019s token").fill(made.teacher)
    page.get_by_role("button", name="Log in").last.click()
    start = page.get_by_role("button", name="Start training")
    expect(start).to_be_enabled()
    page.get_by_label("Episodes", exact=True).fill("400")
    start.click()
    expect(page.get_by_role("button", name="Pause")).to_be_enabled()

    # A student, at the same time, sees the run and no buttons for it.
    other = student.open("?view=train")
    other.get_by_label("Class code").fill(made.code)
    other.get_by_role("button", name="Log in").click()
    expect(other.get_by_text("You are watching. A teacher can pause")).to_be_visible()
    expect(other.get_by_text("Training", exact=True)).to_be_visible()
    expect(other.get_by_role("button", name="Pause")).to_have_count(0)

    page.get_by_role("button", name="Stop and save").click()
    expect(start).to_be_enabled()
    page.get_by_role("button", name="Logged in: Ms Jones").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Which class are you?")).to_be_visible()
    assert page.evaluate("window.neverReloaded") is True
    assert page.evaluate("document.cookie + JSON.stringify(localStorage)").count("hamlet_") == 0
    page.reload()
    expect(page.get_by_label("Class code")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_the_login_page_fits_a_phone(student: BrowserUser, made: Known, scheme: str) -> None:
    page = student.open(viewport={"width": 360, "height": 640}, color_scheme=scheme)
    button = page.get_by_role("button", name="Log in")
    expect(button).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= 40
    assert violations(page) == []
    page.get_by_label("Class code").fill(made.code)
    page.keyboard.press("Enter")
    expect_connected(page)
    page.goto(page.url + "?view=train")
    page.get_by_text("I am a teacher").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(page) == []
    page.get_by_role("button", name="Logged in: 3b").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    assert violations(page) == []


@pytest.mark.long
def test_watching_needs_no_login_where_only_teachers_log_in(
    browser: Browser, start_page_server: StartPageServer, made: Known
) -> None:
    server = start_page_server(login="teachers", tokens_file=made.file)
    user = BrowserUser(browser, f"http://127.0.0.1:{server.port}")
    page = user.open("?view=watch&room=4827")
    expect_connected(page)
    expect(page.get_by_role("button", name="1 member")).to_be_visible()
    expect(page.get_by_role("button", name="Vote")).to_have_count(0)
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("Teacher\u2019s token").fill(made.teacher)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Logged in: Ms Jones")).to_be_visible()
    # In the room too, at once.
    expect(page.get_by_role("button", name="Vote")).to_be_visible()
    user.leave()
    server.end()


@pytest.mark.long
def test_a_paused_session_that_was_left_goes_on_when_asked_to(
    browser: Browser, start_page_server: StartPageServer
) -> None:
    server = start_page_server(idle_timeout=1)
    user = BrowserUser(browser, f"http://127.0.0.1:{server.port}")
    user.excuse("status of 426")  # on a slow machine a session ends before it begins, and the page asks why
    page = user.open()
    expect(page.get_by_text("You were away")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    server.wait_for("disconnected", 2, endpoint="/ws")  # another session began, and was left again
    expect(page.get_by_text("You were away")).to_be_visible()
    user.leave()
    server.end()
