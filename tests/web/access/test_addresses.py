"""Which client it is, behind proxies that are trusted and before ones that are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamlet_trio.web.access.addresses import UNKNOWN, Proxies, limit_key

PROXIES = Proxies(["127.0.0.1", "::1", "10.0.0.0/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "real", "client"),
    [
        # Nobody's word is taken but a trusted proxy's.
        ("192.0.2.9", ["198.51.100.1"], ["198.51.100.2"], "192.0.2.9"),
        ("127.0.0.1", ["198.51.100.1"], [], "198.51.100.1"),
        ("::1", ["2001:db8::5"], [], "2001:db8::5"),
        ("::ffff:127.0.0.1", ["198.51.100.1"], [], "198.51.100.1"),
        ("127.0.0.1", [], ["198.51.100.2"], "198.51.100.2"),
        ("127.0.0.1", ["198.51.100.1"], ["198.51.100.2"], "198.51.100.1"),
        ("127.0.0.1", [], [], "127.0.0.1"),
        # The rightmost that is no proxy: what stands left of it, the client may have invented.
        ("127.0.0.1", ["6.6.6.6, 198.51.100.1"], [], "198.51.100.1"),
        ("127.0.0.1", ["6.6.6.6", "198.51.100.1"], [], "198.51.100.1"),
        ("127.0.0.1", ["6.6.6.6, 198.51.100.1, 10.1.2.3"], [], "198.51.100.1"),
        ("127.0.0.1", ["10.9.9.9, 10.1.2.3"], [], "10.9.9.9"),
        # What is no address ends the search.
        ("127.0.0.1", ["6.6.6.6, nonsense"], [], "127.0.0.1"),
        ("127.0.0.1", ["6.6.6.6, nonsense, 10.1.2.3"], [], "10.1.2.3"),
        ("127.0.0.1", ["[2001:db8::5]"], [], "2001:db8::5"),
        (None, ["198.51.100.1"], [], UNKNOWN),
        ("<local>", ["198.51.100.1"], [], UNKNOWN),
    ],
)
def test_the_client_s_address(peer: str | None, forwarded: list[str], real: list[str], client: str) -> None:
    assert PROXIES.client(peer, forwarded, real) == client


@given(st.lists(st.text(max_size=30), max_size=5), st.lists(st.text(max_size=30), max_size=2))
def test_a_stranger_s_headers_never_matter(forwarded: list[str], real: list[str]) -> None:
    assert PROXIES.client("192.0.2.9", forwarded, real) == "192.0.2.9"
    PROXIES.client("127.0.0.1", forwarded, real)  # and a proxy's raise nothing


def test_trust_is_bounded_to_the_addresses_of_the_setting() -> None:
    assert PROXIES.trust("10.255.0.1")
    assert not PROXIES.trust("11.0.0.1")
    assert not Proxies([]).trust("127.0.0.1")
    assert not PROXIES.trust(None)


def test_an_ipv6_client_is_its_network_since_it_may_choose_the_rest() -> None:
    assert limit_key("2001:db8:1:2:3:4:5:6") == limit_key("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert limit_key("192.0.2.9") == "192.0.2.9"
    assert limit_key(UNKNOWN) == UNKNOWN
