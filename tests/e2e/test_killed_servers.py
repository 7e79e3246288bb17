"""Servers that are killed while they train, again and again: nothing is missing from the history.

As many times as the environment's `SERVER_KILLS` says, which a long run before a release sets to 200.
"""

import os
import signal
from pathlib import Path

import pytest
import trio
from trio_websocket import ConnectionClosed

from hamlet_trio.history import HistoryReader
from hamlet_trio.history.queries import EpisodesQuery
from tests.e2e.client import Player, connected
from tests.e2e.conftest import Server, StartServer

KILLS = int(os.environ.get("SERVER_KILLS", "1"))
RUN = {
    "num_episodes": 100_000,
    "show_every": 100_000,
    "step_delay": 0,
    "max_steps": 5,
    "network_type": "qnetwork",
    "buffer_capacity": 100,
    "batch_size": 8,
    "checkpoint_every": 25,
}


async def begin(viewer: Player, run_id: str | None) -> str:
    """Start the run, or resume it as soon as it is offered."""
    resume = {} if run_id is None else {"resume_from": run_id}
    offered = [] if run_id is None else [run_id]
    await viewer.expect("training_status", resumable=offered)
    await viewer.send("start_training", **(resume or RUN))
    while (message := await viewer.receive())["type"] != "training_started":
        assert message["type"] == "training_status", message
    return str(message["run_id"])


async def until_killed(server: Server, run_id: str | None, *, stopped: bool) -> tuple[str, set[int]]:
    """Train until 30 episodes were told, and kill the server; one that is `stopped` hears nothing before."""
    told: set[int] = set()
    with pytest.RaisesGroup(ConnectionClosed, allow_unwrapped=True, flatten_subgroups=True):
        async with connected(server.port, "/ws/training") as viewer:
            run_id = await begin(viewer, run_id)
            while True:
                message = await viewer.receive()
                if message["type"] == "training_history":
                    told |= {episode["episode"] for episode in message["episodes"]}
                elif message["type"] == "episode_complete":
                    told.add(message["episode"])
                    if len(told) % 30 == 0 and server.process.returncode is None:
                        if stopped:
                            server.signal(signal.SIGSTOP)
                            await trio.sleep(0.3)  # the trainer goes on meanwhile: that is the fault
                        server.signal(signal.SIGKILL)
    assert run_id is not None
    return run_id, told


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
async def test_no_kill_of_a_server_leaves_a_gap_in_the_history(
    start_server: StartServer, tmp_path: Path
) -> None:
    told: set[int] = set()
    run_id: str | None = None
    for number in range(KILLS):
        server = start_server(ready=False)
        run_id, more = await until_killed(server, run_id, stopped=number % 2 == 0)
        told |= more
        server.end()
    server = start_server(ready=False)
    async with connected(server.port, "/ws/training") as viewer:
        run_id = await begin(viewer, run_id)
        await viewer.expect("episode_complete")
        await viewer.send("stop")
        last = (await viewer.expect("checkpoint_saved"))["episode"]
        await viewer.expect("training_stopped")
    past = HistoryReader(tmp_path / "data" / "history.db")
    kept = [one.episode for page in past.all_episodes(run_id, EpisodesQuery()) for one in page]
    assert kept == list(range(1, last + 1))
    assert told <= set(kept)
    run = past.run(run_id)
    assert (run.state, run.checkpoints[-1].episode) == ("stopped", last)
