"""The page in a real browser through nginx's TLS, under its Content-Security-Policy."""

import base64
import hashlib
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e_nginx.proxy import NAME, Proxy
from tests.e2e_page.conftest import FLAGS, BrowserUser, chromium
from tests.e2e_page.seen import expect_connected, expect_step_above
from tests.web.access.conftest import Known


def key_hash(proxy: Proxy) -> str:
    """The hash of the certificate's key, by which Chromium is told to trust it for this one start."""
    key = x509.load_pem_x509_certificate((proxy.folder / "fullchain.pem").read_bytes()).public_key()
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(encoded).digest()).decode()


@pytest.fixture
def trusting_browser(proxy: Proxy) -> Iterator[Browser]:
    """Chromium, for which the shipped name is this machine."""
    program = chromium()
    own = [
        f"--ignore-certificate-errors-spki-list={key_hash(proxy)}",
        f"--host-resolver-rules=MAP {NAME} 127.0.0.1",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*FLAGS, *own])
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
