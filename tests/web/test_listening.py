"""Opening the port, and the sentence where that fails."""

import socket
from contextlib import ExitStack

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
