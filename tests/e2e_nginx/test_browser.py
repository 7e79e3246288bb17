"""The page in a real browser through nginx's TLS, under its Content-Security-Policy."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from bench.page.measuring import FLAGS
from tests.e2e_nginx.client import trusting_flags
from tests.e2e_nginx.proxy import NAME, Proxy
from tests.e2e_page.conftest import BrowserUser, chromium
from tests.e2e_page.seen import expect_connected, expect_step_above
from tests.web.access.conftest import Known


@pytest.fixture
def trusting_browser(proxy: Proxy) -> Iterator[Browser]:
    """Chromium, for which the shipped name is this machine."""
    program = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*FLAGS, *trusting_flags(proxy)])
        yield browser
        browser.close()


def test_the_page_plays_and_complains_of_nothing(
    trusting_browser: Browser, built_page: None, proxy: Proxy, keys: Known
) -> None:
    visitor = BrowserUser(trusting_browser, f"https://{NAME}:{proxy.port}")
    page = visitor.open()
    expect_connected(page)
    page.get_by_role("button", name="Start", exact=True).click()
    expect_step_above(page, 3)
    page.get_by_role("link", name="Train").click()
    page.get_by_text("I am a teacher").click()
    page.get_by_label("Teacher\u2019s token").fill(keys.teacher)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    (cookie,) = page.context.cookies()
    assert (cookie["name"], cookie["secure"], cookie["httpOnly"]) == ("__Host-hamlet", True, True)
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("isSecureContext")
    visitor.leave()
