"""Opening the port, and the sentence where that fails."""

import errno
import socket
from contextlib import ExitStack
from typing import Any

import pytest

from hamlet_trio.web.listening import CannotListenError, listen


def test_port_0_is_the_systems_choice_and_one_for_all_addresses() -> None:
    with ExitStack() as stack:
        sockets = [stack.enter_context(opened) for opened in listen("localhost", 0)]
        assert len({opened.getsockname()[1] for opened in sockets}) == 1
        assert sockets[0].getsockname()[1] > 0
        assert not sockets[0].getblocking()


def test_a_port_in_use_is_one_sentence_that_names_another() -> None:
    with listen("127.0.0.1", 0)[0] as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListenError) as failed:
            listen("127.0.0.1", port)
    assert str(failed.value) == (
        f"Port {port} is in use, perhaps by another Hamlet; "
        f"choose another one, such as HAMLET_PORT={port + 1} (or --port {port + 1})."
    )


def test_what_was_opened_before_a_failure_is_closed() -> None:
    addresses = {family for family, *_ in socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)}
    if len(addresses) < 2:
        pytest.skip("localhost has one address here")
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CannotListenError):
        listen("localhost", taken.getsockname()[1])  # a socket left open would be a warning, an error


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "a" * 300, "1.2.3.4.5"])
def test_a_host_that_is_not_of_this_machine_is_one_sentence(host: str) -> None:
    with pytest.raises(CannotListenError, match=r"Cannot listen on .*HAMLET_HOST is 0\.0\.0\.0"):
        listen(host, 0)


def test_every_ipv6_address_means_every_ipv4_address_too() -> None:
    try:
        (opened,) = listen("[::]", 0)
    except CannotListenError:
        pytest.skip("this machine has no IPv6")
    with opened, socket.create_connection(("127.0.0.1", opened.getsockname()[1])):
        pass


@pytest.fixture
def localhost_with_two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)


@pytest.mark.parametrize("missing", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
@pytest.mark.usefixtures("localhost_with_two_addresses")
def test_localhost_is_served_without_ipv6(missing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    create_server = socket.create_server

    def without_ipv6(address: Any, *, family: int = socket.AF_INET, **options: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(missing, "no IPv6 here")
        return create_server(address, family=family, **options)

    monkeypatch.setattr(socket, "create_server", without_ipv6)
    (opened,) = listen("localhost", 0)
    with opened:
        assert opened.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_another_program_on_the_ipv6_address_of_the_port_is_noticed(host: str) -> None:
    try:
        other = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with other, pytest.raises(CannotListenError, match=r"Port \d+ is in use"):
        listen(host, other.getsockname()[1])
