"""The six requests that end a bare Hypercorn process leave this server and a playing session alone."""

import pytest

from tests.e2e.client import watching
from tests.e2e.conftest import Server
from tests.web.killers import KILLERS, send_killer
from tests.web.wire import connect, request


@pytest.mark.parametrize("name", KILLERS)
async def test_a_killer_request_harms_nobody(name: str, shared_server: Server) -> None:
    async with watching(shared_server.port) as player:
        await player.send("play")
        await player.frames(1)
        async with connect(shared_server.port) as killer:
            await send_killer(killer, name)
            await killer.read_eof()
        await player.frames(3)
        assert (await request(shared_server.port, "GET /")).status == 200
    assert shared_server.logged("error") == []
