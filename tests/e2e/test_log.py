"""What a real server logs at its most talkative: one object a line, with ids, without what clients keep to
themselves, and nothing that a client wrote itself."""

import json
import sys

import pytest
import trio

from tests.e2e.client import viewing, watching
from tests.e2e.conftest import Server, StartServer
from tests.web.wire import connect, handshake

SERVE = [sys.executable, "-m", "hamlet_trio.cli", "serve", "--no-banner"]
SECRET = "a-secret-of-somebody"  # noqa: S105  # the test's own
FORGED = '\n{"event": "forged", "level": "error"}\r\x1b[2J'


def lines_of(server: Server) -> list[dict[str, object]]:
    """Each line it has logged; whatever is no object fails."""
    return [json.loads(line) for line in server.output().splitlines()]


async def test_nothing_a_client_sends_forges_a_line_or_leaves_a_secret(start_server: StartServer) -> None:
    server = start_server(command=SERVE)
    headers = f"authorization: Bearer {SECRET}\r\ncookie: hamlet={SECRET}\r\nuser-agent: \x9b2J"
    for line in (f"GET /api/status?token={SECRET}", f"GET /%0A%7B%22event%22:%22forged%22%7D?x={SECRET}"):
        async with connect(server.port) as client:
            await client.send(f"{line} HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n".encode("latin1"))
            assert (await client.read_answer()).status in (200, 404)
    async with connect(server.port) as client:
        await client.send(handshake(f"/ws?token={SECRET}", authorization=f"Bearer {SECRET}", origin="\x1bx"))
        await client.read_answer()
    async with connect(server.port) as client:
        await client.send(b"GET /" + FORGED.encode() + b" HTTP/1.1\r\n\r\n")
        await client.read_answer()
    async with watching(server.port) as player:
        await player.send("load_model", model=f"{FORGED}.pt")
        await player.expect("error", code="invalid_model_name")
        await player.send(FORGED, **{FORGED: FORGED})
        await player.expect("error", code="unknown_command")
    async with viewing(server.port) as viewer:
        await viewer.send("start_training", resume_from=FORGED)
        await viewer.expect("error", code="unknown_checkpoint")
    await trio.to_thread.run_sync(server.wait_for, "disconnected")
    assert SECRET not in server.output()
    assert "forged" not in {line["event"] for line in lines_of(server)}
    assert server.logged("error") == []


@pytest.mark.long
async def test_lines_of_a_session_and_of_a_run_carry_their_ids(start_server: StartServer) -> None:
    server = start_server(command=SERVE)
    async with watching(server.port), viewing(server.port) as viewer:
        await viewer.send("start_training", num_episodes=1, max_steps=2, step_delay=0)
        run_id = (await viewer.expect("training_started"))["run_id"]
        await viewer.expect("training_complete")
    await trio.to_thread.run_sync(server.wait_for, "disconnected", 2)
    connected = [line for line in lines_of(server) if line["event"] in ("connected", "disconnected")]
    assert len({line["session_id"] for line in connected}) == 2
    assert len(connected) == 4
    states = [line for line in lines_of(server) if line["event"] == "training_state"]
    assert {line["run_id"] for line in states} == {run_id}
