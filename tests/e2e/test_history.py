"""A server that is killed while it trains: what a client was told of is in the history."""

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import trio_websocket

from hamlet_trio.history import HistoryReader
from hamlet_trio.history.queries import EpisodesQuery
from tests.e2e.client import viewing
from tests.e2e.conftest import StartServer

RUN = {
    "num_episodes": 100_000,
    "show_every": 100_000,
    "step_delay": 0,
    "max_steps": 5,
    "network_type": "qnetwork",
    "checkpoint_every": 100_000,
}


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.long
async def test_every_episode_that_reached_a_client_is_there_after_a_kill(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(ready=False)
    told: list[int] = []
    with pytest.RaisesGroup(trio_websocket.ConnectionClosed, allow_unwrapped=True, flatten_subgroups=True):
        async with viewing(server.port) as viewer:
            await viewer.send("start_training", **RUN)
            run_id = (await viewer.expect("training_started"))["run_id"]
            while True:
                message = await viewer.receive()
                if message["type"] == "episode_complete":
                    told.append(message["episode"])
                    if len(told) == 20:
                        server.signal(signal.SIGKILL)
    assert len(told) >= 20
    kept = HistoryReader(tmp_path / "data" / "history.db").all_episodes(run_id, EpisodesQuery())
    episodes = [one.episode for page in kept for one in page]
    assert episodes[: told[-1]] == told
    with closing(sqlite3.connect(tmp_path / "data" / "history.db")) as connection:
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
