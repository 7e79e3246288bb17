"""Test the limits for each client: others are not affected, and memory stays bounded."""

import pytest
import trio
from trio.testing import MockClock

from hamlet_trio.web.access import limits
from hamlet_trio.web.access.limits import ClientFullError, ClientPlaces, ClientRate


async def test_each_client_has_a_rate_of_its_own(mock_clock: MockClock) -> None:
    rate = ClientRate(0.5, 3)
    assert [rate.take("a") for _ in range(4)] == [True, True, True, False]
    assert not rate.has("a")
    assert rate.take("b")
    assert rate.retry_after == "2"
    mock_clock.jump(2)
    assert rate.has("a")
    assert [rate.take("a") for _ in range(2)] == [True, False]
    rate.give_back("a")
    assert rate.take("a")


async def test_what_is_given_back_never_exceeds_the_burst() -> None:
    rate = ClientRate(1e-9, 2)
    for _ in range(5):
        rate.give_back("a")
    assert [rate.take("a") for _ in range(3)] == [True, True, False]


async def test_memory_is_bounded_and_who_was_seen_last_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MAX_CLIENTS", 3)
    rate = ClientRate(1e-9, 1)
    for client in ("a", "b", "c"):
        assert rate.take(client)
    assert not rate.has("a")
    assert rate.take("d")  # in the place of b, which was seen least recently
    assert len(rate) == 3
    assert not rate.take("a")
    assert rate.take("b")
    await trio.lowlevel.checkpoint()


def test_places_are_counted_for_each_client_and_given_back() -> None:
    places = ClientPlaces("sessions", 2, "HAMLET_MAX_SESSIONS_PER_CLIENT")
    with places.admit("a"), places.admit("a"), places.admit("b"):
        with pytest.raises(ClientFullError, match=r"the 2 sessions.*HAMLET_MAX_SESSIONS_PER_CLIENT"):
            places.admit("a").__enter__()
        assert len(places) == 2
    assert len(places) == 0
    with places.admit("2001:db8::1"), places.admit("2001:db8::2"), pytest.raises(ClientFullError):
        places.admit("2001:db8::3").__enter__()
