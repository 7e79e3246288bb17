"""Clients that leave, in every state and every manner: nothing of theirs stays."""

import random
import struct
from collections.abc import Awaitable, Callable
from socket import SO_LINGER, SOL_SOCKET

import pytest
import trio

from tests.e2e.conftest import Server, StartServer
from tests.web.wire import BINARY, CLOSE, TEXT, Client, connect, frame, handshake, request

State = Callable[[Client], Awaitable[None]]


def command(text: str) -> bytes:
    """One command's frame."""
    return frame(TEXT, f'{{"command":{text}}}'.encode())


async def at_handshake(client: Client) -> None:
    """Leaves before the answer."""
    await client.send(handshake("/ws"))


async def half_a_request(client: Client) -> None:
    """Leaves within the request."""
    await client.send(handshake("/ws")[:40])


async def just_connected(client: Client) -> None:
    """Leaves as the old page does when it looks what is there."""
    await client.open_websocket("/ws")


async def paused(client: Client) -> None:
    """Leaves after the opening messages."""
    await client.open_websocket("/ws")
    for _ in range(3):
        await client.read_text()


async def playing(client: Client) -> None:
    """Leaves in the middle of an episode."""
    await paused(client)
    await client.send(command('"set_speed","speed":10') + command('"play"'))
    for _ in range(4):
        await client.read_text()


async def stepping(client: Client) -> None:
    """Leaves with steps under way."""
    await paused(client)
    await client.send(command('"step"') * 50)
    await client.read_text()


async def loading(client: Client) -> None:
    """Leaves with models being loaded."""
    await paused(client)
    for model in ("first.pt", "second.pt", "third.pt"):
        await client.send(command(f'"load_model","model":"{model}"'))


async def in_a_frame(client: Client) -> None:
    """Leaves within a frame."""
    await paused(client)
    await client.send(frame(BINARY, b"x" * 1000)[:500])


async def too_much(client: Client) -> None:
    """Leaves after a message over the limit."""
    await client.open_websocket("/ws")
    await client.send(frame(TEXT, b"x" * 70_000))


async def viewing(client: Client) -> None:
    """Leaves as a viewer of training."""
    await client.open_websocket("/ws/training")
    await client.send(command('"status"'))
    await client.read_text()


STATES: list[State] = [
    at_handshake,
    half_a_request,
    just_connected,
    paused,
    playing,
    stepping,
    loading,
    in_a_frame,
    too_much,
    viewing,
]
HELD = {just_connected, paused, playing, stepping, loading, in_a_frame, viewing}


async def by_close_frame(client: Client) -> None:
    """In order."""
    await client.send(frame(CLOSE, b"\x03\xe8"))
    assert await client.read_close() == 1000


async def by_closing(client: Client) -> None:
    """Without a word."""
    await trio.aclose_forcefully(client.stream)


async def by_reset(client: Client) -> None:
    """By breaking the connection."""
    assert isinstance(client.stream, trio.SocketStream)
    client.stream.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    await trio.aclose_forcefully(client.stream)


async def metrics(server: Server) -> dict[str, float]:
    """The server's metrics by name."""
    answer = await request(server.port, "GET /metrics")
    lines = [line for line in answer.body.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.mark.parametrize("manner", [by_close_frame, by_closing, by_reset], ids=lambda f: f.__name__)
@pytest.mark.parametrize("state", [s for s in STATES if s in HELD], ids=lambda f: f.__name__)
async def test_a_client_that_leaves_gives_its_place_back(
    state: State, manner: State, shared_server: Server
) -> None:
    before = len([e for e in shared_server.logged("debug") if e["event"] == "disconnected"])
    async with connect(shared_server.port) as client:
        await state(client)
        if not (state is in_a_frame and manner is by_close_frame):  # a close frame cannot interrupt one
            await manner(client)
    await trio.to_thread.run_sync(shared_server.wait_for, "disconnected", before + 1)
    sessions = await metrics(shared_server)
    assert sessions["hamlet_inference_sessions"] == 0
    assert sessions["hamlet_training_viewers"] == 0
    assert shared_server.logged("error") == []


@pytest.mark.long
async def test_a_thousand_connections_leave_nothing_behind(start_server: StartServer) -> None:
    server = start_server()
    chance = random.Random(8)

    async def come_and_go(count: int) -> None:
        for _ in range(count):
            async with connect(server.port) as client:
                await chance.choice(STATES)(client)
                await chance.choice([by_closing, by_reset])(client)

    async def crowd(people: int, visits: int) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(people):
                nursery.start_soon(come_and_go, visits)

    await crowd(20, 5)  # so that threads and caches are as warm before as after
    before = await settled(server)
    await crowd(20, 50)
    after = await settled(server)
    assert after["hamlet_connections_opened_total"] - before["hamlet_connections_opened_total"] >= 1000
    for name in ("inference_sessions", "training_viewers", "connections", "tasks"):
        assert after[f"hamlet_{name}"] == before[f"hamlet_{name}"], name
    assert after["process_open_fds"] <= before["process_open_fds"]
    assert after["hamlet_threads"] <= before["hamlet_threads"] + 2  # idle ones, which end after 10 s
    assert server.logged("error") == []


async def settled(server: Server) -> dict[str, float]:
    """The metrics once every connection so far is closed, but for the one that asks."""
    opened = (await metrics(server))["hamlet_connections_opened_total"]
    await trio.to_thread.run_sync(server.wait_for, "connection_closed", int(opened))
    return await metrics(server)
