"""Redis that comes after its instances, and clients that come and go: nothing is left behind."""

import re
import signal

import pytest
import trio

from hamlet_trio.shared.redis_shelf import INTERVAL
from tests.e2e.client import connected
from tests.e2e_redis.conftest import Pair
from tests.patience import PATIENCE
from tests.shared.redis_server import RedisServer
from tests.web.wire import request

CONNECTIONS = 500
AT_ONCE = 25


@pytest.mark.long
async def test_an_instance_that_starts_without_redis_keeps_sessions_once_it_is_there(
    pair: Pair, redis: RedisServer
) -> None:
    redis.end()
    pair.servers[0].signal(signal.SIGKILL)
    await trio.to_thread.run_sync(pair.servers[0].wait)
    await trio.to_thread.run_sync(pair.start_again)
    await trio.to_thread.run_sync(pair.servers[0].wait_for, "inference_ready")
    async with connected(pair.ports[0]) as player:
        secret = (await player.expect("connected"))["resume"]
        await player.send("play")
        await player.frames(10)
        redis.start()
        with trio.fail_after(PATIENCE):
            while redis.ask("EXISTS", "hamlet:run:instances") != b":1\r\n":  # noqa: ASYNC110 - Redis tells nobody
                await trio.sleep(0.1)
        await player.frames(10)
        await trio.sleep(2 * INTERVAL)
        pair.servers[0].signal(signal.SIGKILL)
    async with connected(pair.ports[1]) as player:
        await player.expect("connected")
        await player.send("resume_session", resume=secret)
        assert (await player.expect("session_resumed"))["step"] >= 10


async def left_over(pair: Pair) -> list[int]:
    """The tasks, connections and sessions of each instance, and the connections to Redis."""
    found = [int(re.findall(rb"connected_clients:(\d+)", pair.redis.ask("INFO", "clients"))[0])]
    for port in pair.ports:
        text = (await request(port, "GET /metrics")).body.decode()
        for name in ("tasks", "connections", "inference_sessions"):
            found.append(int(float(re.findall(rf"^hamlet_{name} (\S+)$", text, re.M)[0])))
    return found


@pytest.mark.long
async def test_500_connections_leave_no_task_and_no_connection_behind(pair: Pair) -> None:
    async def come_and_go(number: int) -> None:
        async with connected(pair.ports[number % 2]) as player:
            await player.send("step")
            await player.expect("state_update", step=1)

    await come_and_go(0)
    await come_and_go(1)
    before = await left_over(pair)
    for start in range(0, CONNECTIONS, AT_ONCE):
        async with trio.open_nursery() as nursery:
            for number in range(start, start + AT_ONCE):
                nursery.start_soon(come_and_go, number)
    with trio.fail_after(PATIENCE):
        while any(now > then for now, then in zip(await left_over(pair), before, strict=True)):  # noqa: ASYNC110
            await trio.sleep(0.2)
