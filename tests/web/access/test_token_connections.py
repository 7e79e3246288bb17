"""Connections end with the token that opened them, on the virtual clock."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import trio
from msgspec.structs import replace
from trio.testing import MockClock, wait_all_tasks_blocked

from hamlet_trio.web.access.access_control import AccessControl, Principal
from hamlet_trio.web.access.roles import Role
from hamlet_trio.web.access.token_file import change_tokens
from hamlet_trio.web.access.tokens import Tokens
from tests.web.access.conftest import CLIENT, Known, MakeApp, add_token, revoke


class Connections:
    """Connections of visitors with these tokens, or none, and which of them were ended."""

    def __init__(self, access: AccessControl) -> None:
        self.access = access
        self.ended: list[str | None] = []

    async def hold(self, token_id: str | None) -> None:
        principal = Principal(client=CLIENT, role=Role.VIEWER, token_id=token_id)
        with self.access.hold(principal) as scope:
            await trio.Event().wait()
        assert scope.cancelled_caught
        self.ended.append(token_id)


@pytest.fixture
def ids(known: Known) -> tuple[str, str]:
    return known.id_of("token", "teacher"), known.id_of("token", "viewer")


async def test_connections_end_with_their_token_and_no_others(
    guarded: MakeApp, known: Known, ids: tuple[str, str], mock_clock: MockClock
) -> None:
    teacher, viewer = ids
    access = guarded().server.access
    connections = Connections(access)
    async with trio.open_nursery() as nursery:
        for token_id in (teacher, viewer, viewer, None):
            nursery.start_soon(connections.hold, token_id)
        await wait_all_tasks_blocked()
        access.refresh()
        revoke(known.file, viewer)
        mock_clock.jump(0.9)
        access.refresh()
        await wait_all_tasks_blocked()
        assert connections.ended == []  # looked at a moment ago
        mock_clock.jump(0.2)
        access.refresh()
        await wait_all_tasks_blocked()
        assert connections.ended == [viewer, viewer]
        await connections.hold(viewer)  # let in just before it was revoked
        known.file.write_text("no tokens")
        mock_clock.jump(2)
        access.refresh()
        await wait_all_tasks_blocked()
        assert connections.ended == [viewer] * 3
        nursery.cancel_scope.cancel()


async def test_a_connection_ends_in_the_second_in_which_its_token_expires(
    guarded: MakeApp, known: Known, mock_clock: MockClock
) -> None:
    mock_clock.autojump_threshold = 0
    add_token(known.file, "a guest", "viewer")
    guest = json.loads(known.file.read_text())["tokens"][-1]["id"]
    until = datetime.now(UTC) + timedelta(hours=1)

    def limit(tokens: Tokens) -> tuple[Tokens, None]:
        changed = (replace(token, expires=until) if token.id == guest else token for token in tokens.tokens)
        return replace(tokens, tokens=tuple(changed)), None

    connections = Connections(guarded().server.access)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connections.hold, guest)
        nursery.start_soon(connections.hold, None)
        await wait_all_tasks_blocked()
        change_tokens(known.file, limit)
        connections.access.refresh()
        await trio.sleep(3500)
        assert connections.ended == []
        await trio.sleep(100)
        assert connections.ended == [guest]
        nursery.cancel_scope.cancel()
    assert trio.current_time() - began == 3600
