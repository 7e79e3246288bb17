"""Test what the page says when something between it and the server blocks WebSockets."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import takewhile

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import Server
from tests.e2e_page.conftest import BrowserUser, StartPageServer

_UPGRADE = re.compile(rb"(?im)^(upgrade|connection):[^\n]*\n")


class UpgradeDroppingProxy:
    """Forward HTTP to a server as nginx does by default: without the `Upgrade` header."""

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as reader, socket.create_connection(self._server) as server:
            # To its end, where a browser opened a connection and then did not need it.
            head = b"".join(takewhile(lambda line: line != b"\r\n", reader))
            server.sendall(_UPGRADE.sub(b"", head) + b"Connection: close\r\n\r\n")
            with suppress(ConnectionError):  # a browser that leaves does not wait for what it asked for
                while part := server.recv(65536):
                    client.sendall(part)


@pytest.fixture
def proxy(server: Server) -> Iterator[UpgradeDroppingProxy]:
    """Run such a proxy in front of the module's server."""
    proxy = UpgradeDroppingProxy(server.port)
    yield proxy
    proxy.close()


def test_a_proxy_that_drops_upgrade_is_named(browser: Browser, proxy: UpgradeDroppingProxy) -> None:
    user = BrowserUser(browser, f"http://127.0.0.1:{proxy.port}")
    user.excuse("426")
    page = user.open()
    notice = page.get_by_role("alert").filter(has_text="This page cannot connect")
    expect(notice).to_contain_text("a proxy does not pass the Upgrade header on")
    user.leave()


@pytest.mark.long
def test_a_forbidden_origin_is_named(browser: Browser, start_page_server: StartPageServer) -> None:
    server = start_page_server(allowed_origins="http://page.example")
    user = BrowserUser(browser, f"http://127.0.0.1:{server.port}")
    user.excuse("403")
    page = user.open()
    notice = page.get_by_role("alert").filter(has_text="This page cannot connect")
    expect(notice).to_contain_text("HAMLET_ALLOWED_ORIGINS")
    user.leave()
