"""The instance that trains is killed: the run goes on at the other one by itself, and loses nothing."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import trio

from hamlet_trio.history import HistoryReader
from hamlet_trio.history.queries import EpisodesQuery, RunsQuery
from hamlet_trio.protocol.parameters import TrainingParameters
from tests.e2e.client import Message, Player, connected
from tests.e2e_redis.conftest import Pair
from tests.patience import PATIENCE
from tests.shared.redis_server import RedisServer
from tests.training.conftest import one_thread
from tests.training.local_runs import train
from tests.training.support import plain
from tests.web.wire import request

__all__ = ["one_thread"]

RUN = TrainingParameters(
    batch_size=8,
    buffer_capacity=500,
    max_steps=20,
    step_delay=0.02,
    show_every=1,
    network_type="qnetwork",
    seed=7,
    checkpoint_every=5,
    random_start=0.5,
)


def trains(redis: RedisServer, pair: Pair) -> int:
    """The number of the instance that holds the run."""
    holder = redis.ask("GET", "hamlet:run:lock").decode()
    return next(number for number, port in enumerate(pair.ports) if f":{port}:" in holder)


class Watch:
    """A viewer at one instance, for as long as that lives."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.is_over = False
        self._viewer: Player | None = None
        self._changed = trio.Event()

    async def live(self, port: int, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled, or the run is complete."""
        async with connected(port, "/ws/training") as viewer:
            self._viewer = viewer
            while not self.is_over:
                message = await viewer.receive()
                if not self.messages:
                    task_status.started()
                self.messages.append(message)
                self.is_over = message.get("state") == "idle"
                self._changed.set()
                self._changed = trio.Event()

    def kinds(self) -> list[str]:
        return [message["type"] for message in self.messages]

    def episodes(self) -> list[int]:
        return [message["episode"] for message in self.messages if message["type"] == "episode_complete"]

    async def until(self, condition: Callable[[], object]) -> None:
        with trio.fail_after(3 * PATIENCE):
            while not condition():
                await self._changed.wait()

    async def until_more(self, number: int) -> None:
        """Wait until so many more episodes were told."""
        wanted = len(self.episodes()) + number
        await self.until(lambda: len(self.episodes()) >= wanted)

    async def order(self, command: str, kind: str) -> None:
        """Send a command from this instance, and wait until everyone is told that it was carried out."""
        assert self._viewer is not None
        before = self.kinds().count(kind)
        await self._viewer.send(command)
        await self.until(lambda: self.kinds().count(kind) > before)


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.long)])
async def test_a_run_survives_the_kills_of_its_instances(
    pair: Pair, redis: RedisServer, tmp_path: Path, kills: int
) -> None:
    num_episodes = 4 + 8 * kills
    heard: list[int] = []
    async with connected(pair.ports[0], "/ws/training") as starter:
        await starter.send("start_training", **plain(RUN, num_episodes=num_episodes))
        await starter.expect("training_started")
    for _ in range(kills):
        victim = trains(redis, pair)
        watch = Watch()
        async with trio.open_nursery() as nursery:
            await nursery.start(watch.live, pair.ports[1 - victim])
            if watch.messages[0]["state"] == "paused":
                await watch.order("resume", "resumed")
            await watch.until_more(2)
            pair.servers[victim].signal(signal.SIGKILL)
            await trio.to_thread.run_sync(pair.servers[victim].wait)
            await watch.until_more(2)
            await watch.order("pause", "paused")
            nursery.cancel_scope.cancel()
        (restart,) = [message for message in watch.messages if message["type"] == "training_failed"]
        assert restart["restart"]
        heard += watch.episodes()
        await trio.to_thread.run_sync(pair.mend)
    last = Watch()
    async with trio.open_nursery() as nursery:
        await nursery.start(last.live, pair.ports[victim])
        await last.order("resume", "resumed")
        await last.until(lambda: last.is_over)
        nursery.cancel_scope.cancel()
    heard += last.episodes()
    assert heard == list(range(heard[0], num_episodes + 1)), "each once, in order"
    assert heard[0] <= 3
    for port in pair.ports:
        status = json.loads((await request(port, "GET /api/status")).body)
        assert status["training_state"] == "idle"
    past = HistoryReader(pair.data / "history.db")
    (run,) = past.runs(RunsQuery())
    assert run.state == "complete"
    recorded = past.episodes(run.run_id, EpisodesQuery(limit=1000))
    assert [one.episode for one in recorded] == list(range(1, num_episodes + 1))
    alone = tmp_path / "alone.pt"
    train(tmp_path, msgspec.structs.replace(RUN, num_episodes=num_episodes), out=alone)
    assert (pair.data / "models" / "trained_agent.pt").read_bytes() == alone.read_bytes()
