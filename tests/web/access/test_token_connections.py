"""Connections end with the token that opened them, on the virtual clock."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import trio
from msgspec.structs import replace
from trio.testing import MockClock

from hamlet_trio.web.access.access_control import AccessControl, Principal
from hamlet_trio.web.access.roles import Role
from hamlet_trio.web.access.token_file import change_tokens
from hamlet_trio.web.access.tokens import Tokens
from tests.web.access.conftest import CLIENT, Known, MakeApp, add_token, revoke


class Connections:
    """Connections with these tokens or none, and which of them were ended."""

    def __init__(self, access: AccessControl) -> None:
        self.access = access
        self.ended: list[str | None] = []

    async def hold(self, token_id: str | None, ends: datetime | None = None) -> None:
        principal = Principal(client=CLIENT, role=Role.VIEWER, token_id=token_id, ends=ends)
        with self.access.hold(principal) as scope:
            await trio.Event().wait()
        assert scope.cancelled_caught
        self.ended.append(token_id)


@pytest.fixture
def ids(known: Known) -> tuple[str, str]:
    return known.id_of("token", "teacher"), known.id_of("token", "viewer")


class WallClock:
    """A wall clock that keeps step with the virtual one, until it is set."""

    def __init__(self) -> None:
        self.start = datetime.now(UTC) - timedelta(seconds=trio.current_time())
        self.ahead = timedelta()

    def now(self, _: object = None) -> datetime:
        return self.start + timedelta(seconds=trio.current_time()) + self.ahead

    def time(self) -> float:
        return self.now().timestamp()


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    """The wall clock that access control sees."""
    clock = WallClock()
    monkeypatch.setattr("hamlet_trio.web.access.token_connections.datetime", clock)
    monkeypatch.setattr("hamlet_trio.web.access.access_control.time", clock)
    return clock


@pytest.fixture
async def connections(guarded: MakeApp, clock: WallClock, nursery: trio.Nursery) -> Connections:
    """The connections of an app whose access control runs."""
    access = guarded().server.access
    nursery.start_soon(access.run)
    return Connections(access)


async def test_connections_end_with_their_token_and_no_others(
    connections: Connections,
    known: Known,
    ids: tuple[str, str],
    nursery: trio.Nursery,
    autojump_clock: MockClock,
) -> None:
    teacher, viewer = ids
    for token_id in (teacher, viewer, viewer, None):
        nursery.start_soon(connections.hold, token_id)
    await trio.sleep(2)
    revoke(known.file, viewer)
    await trio.sleep(1.5)
    assert connections.ended == [viewer, viewer]
    await connections.hold(viewer)  # admitted just before it was revoked
    known.file.write_text("no tokens")
    await trio.sleep(2)
    assert connections.ended == [viewer] * 3


async def test_a_connection_ends_in_the_second_in_which_its_token_expires(
    connections: Connections, known: Known, clock: WallClock, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    add_token(known.file, "a guest", "viewer")
    guest = json.loads(known.file.read_text())["tokens"][-1]["id"]
    until = clock.now() + timedelta(seconds=60)

    def limit(tokens: Tokens) -> tuple[Tokens, None]:
        changed = (replace(token, expires=until) if token.id == guest else token for token in tokens.tokens)
        return replace(tokens, tokens=tuple(changed)), None

    nursery.start_soon(connections.hold, guest)
    nursery.start_soon(connections.hold, None)
    await trio.sleep(0.5)
    change_tokens(known.file, limit)
    await trio.sleep(59)
    assert connections.ended == []
    await trio.sleep(1)
    assert connections.ended == [guest]


async def test_a_connection_ends_with_the_login_that_opened_it(
    connections: Connections,
    ids: tuple[str, str],
    clock: WallClock,
    nursery: trio.Nursery,
    autojump_clock: MockClock,
) -> None:
    _, viewer = ids
    nursery.start_soon(connections.hold, viewer, clock.now() + timedelta(seconds=60))
    nursery.start_soon(connections.hold, viewer)
    await trio.sleep(59)
    assert connections.ended == []
    await trio.sleep(1.5)
    assert connections.ended == [viewer]


async def test_a_connection_ends_in_time_after_the_clock_was_set(
    connections: Connections,
    ids: tuple[str, str],
    clock: WallClock,
    nursery: trio.Nursery,
    autojump_clock: MockClock,
) -> None:
    teacher, viewer = ids
    nursery.start_soon(connections.hold, viewer, clock.now() + timedelta(hours=1))
    nursery.start_soon(connections.hold, teacher, clock.now() + timedelta(hours=9))
    await trio.sleep(10)
    clock.ahead = timedelta(hours=2)
    await trio.sleep(2)
    assert connections.ended == [viewer]
