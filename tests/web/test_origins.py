"""Which pages may connect."""

import pytest

from hamlet_trio.web.origins import Origins

LISTED = Origins(["https://hamlet.example.org", "http://Localhost:5173", "http://[::1]:8080"])


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://hamlet.example.org", True),
        ("https://HAMLET.example.org", True),
        ("https://hamlet.example.org:443", True),
        ("http://localhost:5173", True),
        ("http://hamlet.example.org", False),
        ("https://hamlet.example.org:8443", False),
        ("https://hamlet.example.org.evil.com", False),
        ("https://evil.com/https://hamlet.example.org", False),
        ("http://localhost:5174", False),
        ("null", False),
        ("", False),
        ("https://[", False),
        ("https://x:port", False),
        # What one reader takes for evil's and another for ours.
        ("https://evil.com\\@hamlet.example.org", False),
        ("https://evil.com@hamlet.example.org", False),
        ("https://hamlet.example.org/", False),
        ("https://hamlet.example.org?", False),
        ("https://hamlet.example.org#evil.com", False),
        ("https://hamlet.exam\tple.org", False),
        ("https://hamlet.example.org\u3002evil.com", False),
        ("http://[::1]:8080", True),
        ("http://[::1:8080]", False),
    ],
)
def test_a_listed_origin_and_no_other_is_allowed(origin: str, allowed: bool) -> None:
    assert LISTED.allow([origin]) is allowed


def test_a_request_without_an_origin_is_a_scripts() -> None:
    assert LISTED.allow([])
    assert Origins([]).allow([])


def test_every_one_of_several_origins_must_be_listed() -> None:
    assert LISTED.allow(["https://hamlet.example.org"] * 2)
    assert not LISTED.allow(["https://hamlet.example.org", "https://evil.com"])


def test_a_star_allows_every_origin() -> None:
    assert Origins(["*"]).allow(["null"])
    assert Origins(["*"]).any
    assert not Origins([]).allow(["https://hamlet.example.org"])
