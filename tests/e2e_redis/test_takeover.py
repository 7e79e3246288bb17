"""The instance that trains is killed: the run goes on at the other one by itself, and loses nothing."""

import re
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio
from trio_websocket import ConnectionClosed, HandshakeError

from hamlet_trio.history import HistoryReader
from hamlet_trio.history.queries import EpisodesQuery, RunsQuery
from hamlet_trio.protocol.parameters import TrainingParameters
from tests.e2e.client import Message, Player, connected
from tests.e2e_nginx.client import connected as through_nginx
from tests.e2e_nginx.proxy import Proxy
from tests.e2e_redis.conftest import Pair
from tests.e2e_redis.pupil import AGAIN, Connect
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


async def trains(redis: RedisServer, pair: Pair) -> int:
    """The number of the instance that holds the run, once one does: a slow one takes its lease again."""
    with trio.fail_after(PATIENCE):
        while True:
            holder = redis.ask("GET", "hamlet:run:lock").decode()
            for number, port in enumerate(pair.ports):
                if f":{port}:" in holder:
                    return number
            await trio.sleep(AGAIN)


class Watch:
    """A viewer, who comes back wherever it is let in.

    Attributes:
        messages: what it heard.
        losses: connections that ended although nobody here closed them.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.losses = 0
        self.is_over = False
        self._viewer: Player | None = None
        self._changed = trio.Event()

    async def live(
        self, connect: Connect, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Listen until cancelled, or the run is complete."""
        while not self.is_over:
            try:
                async with connect() as self._viewer:
                    await self._listen(self._viewer, task_status)
            except* (ConnectionClosed, HandshakeError, OSError, trio.BrokenResourceError):
                self.losses += 1
                await trio.sleep(AGAIN)

    async def _listen(self, viewer: Player, task_status: trio.TaskStatus[None]) -> None:
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

    async def until_told(self, kind: str, count: int) -> None:
        """Wait until it heard so many messages of a kind."""
        await self.until(lambda: self.kinds().count(kind) >= count)

    async def order(self, command: str, kind: str) -> None:
        """Send a command from this instance, and wait until everyone is told that it was carried out.

        It is sent again while the run does not respond: its instance may be slow to renew its lease.
        """
        wanted = self.kinds().count(kind) + 1
        while not await self._is_obeyed(command, kind, wanted):  # noqa: ASYNC110 - nobody tells when it responds
            await trio.sleep(AGAIN)

    async def _is_obeyed(self, command: str, kind: str, wanted: int) -> bool:
        assert self._viewer is not None
        before = len(self.messages)

        def refusals() -> list[Message]:
            return [message for message in self.messages[before:] if message["type"] == "error"]

        await self._viewer.send(command)
        await self.until(lambda: self.kinds().count(kind) >= wanted or refusals())
        if self.kinds().count(kind) >= wanted:
            return True
        assert refusals()[0]["code"] == "training_busy", refusals()
        return False


async def pause_and_resume(watches: Sequence[Watch]) -> None:
    """Have each of them pause the run and let it go on, once all have heard what the one before ordered."""
    for watch in watches:
        for command, kind in (("pause", "paused"), ("resume", "resumed")):
            wanted = {each: each.kinds().count(kind) + 1 for each in watches}
            await watch.order(command, kind)
            for each, count in wanted.items():
                await each.until_told(kind, count)


def viewing(port: int) -> Connect:
    """How a viewer comes to this instance."""
    return partial(connected, port, "/ws/training")


async def has_heard(port: int, state: str) -> None:
    """Wait until this instance knows that the run is in a state."""
    async with viewing(port)() as viewer:
        await viewer.expect("training_status", state=state)


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.long)])
async def test_a_run_survives_the_kills_of_its_instances(
    pair: Pair, redis: RedisServer, tmp_path: Path, kills: int
) -> None:
    num_episodes = 12 + 8 * kills  # so many that each pause comes before the last one
    heard: list[int] = []
    async with viewing(pair.ports[0])() as starter:
        await starter.send("start_training", **plain(RUN, num_episodes=num_episodes))
        await starter.send("pause")
        run_id = (await starter.expect("training_started"))["run_id"]
    for port in pair.ports:
        await has_heard(port, "paused")
    for _ in range(kills):
        victim = await trains(redis, pair)
        watch = Watch()
        async with trio.open_nursery() as nursery:
            await nursery.start(watch.live, viewing(pair.ports[1 - victim]))
            await watch.order("resume", "resumed")
            await watch.until_more(2)
            pair.servers[victim].signal(signal.SIGKILL)
            await trio.to_thread.run_sync(pair.servers[victim].wait)
            # It loads while the other one goes on, and might even be the one that does.
            await trio.to_thread.run_sync(pair.start_again)
            await watch.until_more(2)
            await watch.order("pause", "paused")
            nursery.cancel_scope.cancel()
        (restart,) = [message for message in watch.messages if message["type"] == "training_failed"]
        assert restart["restart"]
        heard += watch.episodes()
        await trio.to_thread.run_sync(pair.mend)
        for port in pair.ports:
            await has_heard(port, "paused")  # all that came before, too: who comes then hears what follows
    last = Watch()
    async with trio.open_nursery() as nursery:
        await nursery.start(last.live, viewing(pair.ports[victim]))
        await last.order("resume", "resumed")
        await last.until(lambda: last.is_over)
        nursery.cancel_scope.cancel()
    heard += last.episodes()
    assert heard == list(range(1, num_episodes + 1)), "each once, in order"
    for port in pair.ports:
        await has_heard(port, "idle")
    past = HistoryReader(pair.data / "history.db")
    (run,) = [run for run in past.runs(RunsQuery()) if run.run_id == run_id]
    assert run.state == "complete"
    recorded = past.episodes(run_id, EpisodesQuery(limit=1000))
    assert [one.episode for one in recorded] == list(range(1, num_episodes + 1))
    alone = tmp_path / "alone.pt"
    train(tmp_path, msgspec.structs.replace(RUN, num_episodes=num_episodes), out=alone)
    assert (pair.data / "models" / "trained_agent.pt").read_bytes() == alone.read_bytes()


async def viewers_at(port: int) -> int:
    """How many viewers this instance has."""
    text = (await request(port, "GET /metrics")).body.decode()
    (value,) = re.findall(r"^hamlet_training_viewers (\S+)$", text, re.M)
    return int(float(value))


@pytest.mark.parametrize("kill", [False, pytest.param(True, marks=pytest.mark.long)])
async def test_through_nginx_every_instance_shows_the_run_and_takes_orders(
    pair: Pair, redis: RedisServer, proxy: Proxy, kill: bool
) -> None:
    through = partial(through_nginx, proxy, "/ws/training")
    async with through() as starter:
        await starter.send("start_training", **plain(RUN, num_episodes=100_000))
        await starter.expect("training_started")
    watches = [Watch() for _ in range(4)]
    async with trio.open_nursery() as nursery:
        for watch in watches:
            await nursery.start(watch.live, through)
        spread = [await viewers_at(port) for port in pair.ports]
        assert sum(spread) == 4
        assert all(spread)
        await pause_and_resume(watches)  # from each instance, wherever the run is
        for watch in watches:
            await watch.until(lambda watch=watch: "state_update" in watch.kinds())  # type: ignore[misc]
            await watch.until(lambda watch=watch: bool(watch.episodes()))  # type: ignore[misc]
        if kill:
            victim = await trains(redis, pair)
            pair.servers[victim].signal(signal.SIGKILL)
            await trio.to_thread.run_sync(pair.servers[victim].wait)
            for watch in watches:
                await watch.until_more(3)
            assert (
                sorted(watch.losses for watch in watches) == [0] * spread[1 - victim] + [1] * spread[victim]
            )
        await watches[0].order("stop", "training_stopped")
        for watch in watches:
            await watch.until(lambda watch=watch: watch.is_over)  # type: ignore[misc]
    for watch in watches:
        heard = watch.episodes()
        assert heard == sorted(set(heard))
        assert watch.losses or heard == list(range(heard[0], heard[0] + len(heard)))
