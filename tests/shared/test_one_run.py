"""Two training services over one data folder and one real Redis: one run, seen and ordered from both."""

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

import pytest
import trio
from msgspec.structs import replace

from hamlet_trio.history import HistoryReader, history_path
from hamlet_trio.history.queries import RunsQuery
from hamlet_trio.settings import Settings
from hamlet_trio.shared import RedisStore, SharedRun
from tests.shared.redis_server import RedisServer
from tests.training.support import ENDLESS, Client, Server, serve_training

SHORT = {"batch_size": 8, "max_steps": 20, "network_type": "qnetwork", "seed": 7, "checkpoint_every": 1}


@asynccontextmanager
async def an_instance(settings: Settings) -> AsyncIterator[Server]:
    """One instance, for as long as the context lasts."""
    store = RedisStore(settings.redis_url)
    shared = SharedRun(store, settings.redis_url, prefix="test", port=settings.port, lease=settings.run_lease)
    async with trio.open_nursery() as lasting:
        lasting.start_soon(store.run)
        async with serve_training(settings, shared=shared) as server:
            yield server
        lasting.cancel_scope.cancel()


async def joined(server: Server) -> Client:
    """A viewer that has heard what newcomers hear."""
    client = await server.connect()
    await client.until("training_status")
    return client


def told(client: Client) -> list[Any]:
    """What a viewer heard that all viewers hear, but for frames, from the start of the run on."""
    quiet = ("state_update", "error")
    messages = [message for message in client.seen if message["type"] not in quiet]
    states = [message.get("state") for message in messages]
    return messages[states.index("starting") :]


async def test_one_run_is_seen_and_ordered_from_both(settings: Settings) -> None:
    async with an_instance(settings) as first, an_instance(settings) as second:
        here, there = await joined(first), await joined(second)
        assert here.seen[0] == there.seen[0]
        await here.send("start_training", **(SHORT | ENDLESS | {"show_every": 1, "step_delay": 0.01}))
        frame = await there.until("state_update")
        assert frame["agents"]
        await there.send("start_training")
        assert (await there.until("error"))["code"] == "already_training"
        await there.until("training_status")
        there.seen.pop()  # it is for the one who asked alone
        await there.send("pause")
        for client in (here, there):
            await client.until_state("paused")
        await there.send("pause")
        await there.until_state("paused")
        there.seen.pop()
        late = await joined(second)
        assert late.seen[0]["state"] == "paused"
        await there.send("set_show", show_every=1000)
        for client in (here, there):
            await client.until("training_status", state="paused")
            assert client.seen[-1]["parameters"]["show_every"] == 1000
        await there.send("resume")
        await there.until("episode_complete")
        assert second.service.is_training
        await there.send("stop")
        for client in (here, there):
            await client.until_state("idle")
        assert told(here) == told(there)
        # How many watch elsewhere is heard once a second.
        statuses = [replace(server.service.status(), viewers=0) for server in (first, second)]
        assert statuses[0] == statuses[1]
        assert second.history.statistics().written == 0, "the folder is one, so all of it is there"
        newcomers = [await joined(first), await joined(second)]
        charts = [await client.until("training_history") for client in newcomers]
        for one in charts:
            for past in one["events"]:
                past["time"] = round(past["time"])
        assert charts[0] == charts[1]

        begun = [len(client.seen) for client in (here, there)]
        for client in (there, here):  # in one moment
            await client.send("start_training", num_episodes=2, **SHORT)
        for client in (here, there):
            await client.until("training_complete")
            await client.until_state("idle")
        codes = [
            message["code"]
            for client, number in zip((here, there), begun, strict=True)
            for message in client.seen[number:]
            if message["type"] == "error"
        ]
        assert codes == ["already_training"]
        # Whoever hears from the other instance that a run is over can start the next one.
        for client in (there, here):
            await client.send("start_training", num_episodes=1, **SHORT)
            while (message := await client.read())["type"] != "training_started":
                assert message["type"] != "error", message
            for one in (there, here):
                await one.until("training_complete")
                await one.until_state("idle")
        assert len(HistoryReader(history_path(settings)).runs(RunsQuery())) == 4


@pytest.mark.long
async def test_the_run_goes_on_at_the_other_instance_when_its_own_shuts_down(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        second = await stack.enter_async_context(an_instance(settings))
        there = await joined(second)
        async with an_instance(settings) as first:
            here = await joined(first)
            await here.send("start_training", num_episodes=6, show_every=1, step_delay=0.05, **SHORT)
            await there.until("episode_complete")
        restart = await there.until("training_failed")
        assert restart["restart"]
        await there.until("training_complete")
        await there.until_state("idle")
        episodes = [message["episode"] for message in there.seen if message["type"] == "episode_complete"]
        assert episodes == list(range(1, 7))
        (run,) = HistoryReader(history_path(settings)).runs(RunsQuery())
        assert (run.state, run.episodes) == ("complete", 6)


class Fault(NamedTuple):
    """What may happen to Redis, how it ends, and what viewers elsewhere are told meanwhile."""

    begin: Callable[[RedisServer], object]
    end: Callable[[RedisServer], object]
    sentence: str = "Redis does not answer"


def _come_back_empty(redis: RedisServer) -> None:
    redis.forget()
    redis.start()


FAULTS = {
    "full": Fault(
        lambda redis: redis.ask("CONFIG", "SET", "maxmemory", "1"),
        lambda redis: redis.ask("CONFIG", "SET", "maxmemory", "0"),
        "Redis is full",
    ),
    "stopped": Fault(RedisServer.end, RedisServer.start),
    "frozen": Fault(lambda r: r.signal(signal.SIGSTOP), lambda r: r.signal(signal.SIGCONT)),
    "emptied": Fault(RedisServer.end, _come_back_empty),
}


@pytest.mark.parametrize(
    "name", ["full", *(pytest.param(name, marks=pytest.mark.long) for name in FAULTS if name != "full")]
)
async def test_redis_fails_in_the_middle_and_the_others_are_told_and_catch_up(
    settings: Settings, redis: RedisServer, name: str
) -> None:
    fault = FAULTS[name]
    async with an_instance(settings) as first, an_instance(settings) as second:
        here, there = await joined(first), await joined(second)
        await here.send("start_training", **(SHORT | ENDLESS))
        await there.until("episode_complete")
        fault.begin(redis)
        away = await there.until_state("unresponsive")
        assert fault.sentence in away["reason"]
        await there.send("stop")
        assert (await there.until("error"))["code"] == "training_busy"
        await here.until("episode_complete")
        fault.end(redis)
        await there.until_state("running")
        await there.send("stop")
        for client in (here, there):
            await client.until_state("idle")
        local = ("unresponsive", "running")
        assert [m for m in told(here) if m.get("state") not in local] == [
            m for m in told(there) if m.get("state") not in local
        ]
        assert [message["code"] for message in here.seen if message["type"] == "error"] == []
        assert second.service.sharing is not None
        assert second.service.sharing.gaps == 0, "nothing was lost"
