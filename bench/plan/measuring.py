"""Measure what a session, a viewer, a snapshot and a trial cost, with real servers on the loopback."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
import psutil
from coredis import Redis

from bench import REPOSITORY
from bench.frames.counting import COMPACT, PLAY, Frames, ignore
from bench.plan.costs import Costs, Prediction
from bench.plan.simulation import predict
from bench.server import Server, running_redis, serving, wait_until_ready
from bench.sessions.measuring import UNLIMITED
from bench.suite.command import tell
from bench.suite.figures import PUBLISHED, Report
from bench.suite.load import Connection, Load
from bench.suite.machine import divide_cores, this_machine
from bench.suite.trainer import training
from hamlet_trio.shared.redis_shelf import BATCH, PUT

_WARMING: Final = 8.0  # a new instance still reads models, and imports what it needs first
_SETTLING: Final = 2.0
_SESSIONS: Final = (20, 80)
_CHECKED: Final = (20, 50)
_VIEWERS: Final = (10, 110)
_SHOWN: Final = {"show_every": 1, "step_delay": 0.05, "network_type": "qnetwork"}
_SNAPSHOT: Final = 700  # bytes: an episode of 250 steps
_KEPT: Final = 6400


class Watchers:
    """Hold watchers of several instances, the same number each, who take compact frames."""

    def __init__(self, servers: Sequence[Server], load: Load, path: str) -> None:
        self._processes = [psutil.Process(server.process.pid) for server in servers]
        self._servers = servers
        self._load = load
        self._path = path
        self._frames = Frames()
        self._count = 0
        self._is_warm = False

    def watch(self, each: int, seconds: float) -> tuple[float, float, float, float]:
        """Let so many watch each instance.

        Returns the processor seconds of all instances a second, the frames a second of all, the bytes of a
        frame, and the resident bytes of all instances.
        """
        while self._count < each * len(self._servers):
            server = self._servers[self._count % len(self._servers)]
            connection = Connection(server.port, self._path, ignore)
            self._frames.follow(connection)
            self._load.add(connection)
            connection.send(COMPACT)
            if self._path == "/ws":
                connection.send(PLAY)
            self._count += 1
        self._load.run(_SETTLING if self._is_warm else _WARMING)
        self._is_warm = True
        self._frames.count = self._frames.size = 0
        began, spent = time.perf_counter(), self._spent()
        self._load.run(seconds)
        elapsed, spent = time.perf_counter() - began, self._spent() - spent
        frames = self._frames.count
        size = self._frames.size / max(1, frames)
        memory = sum(process.memory_info().rss for process in self._processes)
        return spent / elapsed, frames / elapsed, size, float(memory)

    def _spent(self) -> float:
        return sum(times.user + times.system for times in (one.cpu_times() for one in self._processes))


def measure_costs(seconds: float) -> Costs:
    """Measure everything; takes some minutes."""
    machine = this_machine()
    empty = _empty(seconds)
    fixed, frame, size, memory = _sessions(seconds)
    checks = [_check(each, seconds, frame, fixed) for each in _CHECKED]
    viewer, viewer_size = _viewers(seconds)
    snapshot, snapshot_memory = _snapshots()
    return Costs(
        machine=machine,
        fixed_share=fixed,
        session_frame=frame,
        most_sessions=_most_sessions(),
        session_bytes=size,
        session_memory=memory,
        viewer_frame=viewer,
        viewer_bytes=viewer_size,
        instance_memory=empty,
        snapshot=snapshot,
        snapshot_memory=snapshot_memory,
        trial=_trial(),
        checks=checks,
    )


def _empty(seconds: float) -> float:
    """Return the memory of an instance without anybody."""
    with ExitStack() as stack:
        load = stack.enter_context(Load())
        share, _, _, memory = Watchers(_instances(stack, 1), load, "/ws").watch(0, seconds)
    tell(f"an instance without anybody: {share:.1%} of a core, {memory / 2**20:.0f} MiB")
    return memory


def _sessions(seconds: float) -> tuple[float, float, float, float]:
    """Return what an instance with sessions takes of a core besides frames, then a frame and a session.

    That is the processor time and the bytes of a frame, and the memory of a session. A line through two
    loads: that an instance wakes up costs it something, however few frames are due then.
    """
    few, many = _SESSIONS
    with ExitStack() as stack:
        load = stack.enter_context(Load())
        watchers = Watchers(_instances(stack, 1), load, "/ws")
        light, slow, _, before = watchers.watch(few, seconds)
        share, rate, size, memory = watchers.watch(many, seconds)
    frame = (share - light) / (rate - slow)
    fixed = max(0.0, light - frame * slow)
    tell(f"{many} sessions: {share:.0%} of a core, of which {fixed:.0%} fixed, {1e6 * frame:.0f} us a frame")
    return fixed, frame, size, max(0.0, memory - before) / (many - few)


def _most_sessions() -> int:
    """Return the median of the sessions that one core carried in the published measurement."""
    report = msgspec.json.decode((PUBLISHED / "sessions.json").read_bytes(), type=Report)
    return int(next(median(figure.values) for figure in report.figures if figure.unit == "sessions"))


def _check(each: int, seconds: float, frame: float, fixed: float) -> Prediction:
    """Measure two instances beside what one predicts."""
    with ExitStack() as stack:
        load = stack.enter_context(Load())
        watchers = Watchers(_instances(stack, 2), load, "/ws")
        share, rate, _, _ = watchers.watch(each, seconds)
    predicted = predict([each, each], rate, frame=frame, fixed_share=fixed)
    tell(f"2 instances with {each} sessions each: {share:.3f} measured, {predicted:.3f} predicted")
    return Prediction(instances=2, sessions=2 * each, measured=share, predicted=predicted)


def _viewers(seconds: float) -> tuple[float, float]:
    """Return the processor time and the bytes of a run's frame for one viewer more."""
    few, many = _VIEWERS
    with ExitStack() as stack:
        load = stack.enter_context(Load())
        (server,) = _instances(stack, 1)
        stack.enter_context(training(server, load, divide_cores(), **_SHOWN))
        watchers = Watchers([server], load, "/ws/training")
        before, slow, _, _ = watchers.watch(few, seconds)
        share, rate, size, _ = watchers.watch(many, seconds)
    frame = max(0.0, share - before) / (rate - slow)
    tell(f"{many} viewers: {share:.0%} of a core, {1e6 * frame:.0f} us and {size:.0f} B a frame and viewer")
    return frame, size


def _snapshots() -> tuple[float, float]:
    """Return the processor time and the memory of Redis for one session that is kept."""
    import trio  # noqa: PLC0415 - only here

    with running_redis() as redis:
        return trio.run(_fill, redis.port, psutil.Process(redis.process.pid))


async def _fill(port: int, process: psutil.Process) -> tuple[float, float]:
    async with Redis(host="127.0.0.1", port=port, decode_responses=False) as client:
        put = client.register_script(PUT)
        data = os.urandom(_SNAPSHOT)
        used = await _used_memory(client)
        spent = sum(process.cpu_times()[:2])
        rounds = 5
        for epoch in range(rounds):
            for first in range(0, _KEPT, BATCH):
                keys = [f"hamlet:session:{number:032x}" for number in range(first, first + BATCH)]
                each: list[str | bytes] = [str(epoch), data, ""]
                await put.execute(keys, ["3600", "1", *(each * BATCH)])
        spent = sum(process.cpu_times()[:2]) - spent
        used = await _used_memory(client) - used
    tell(f"Redis: {1e6 * spent / (rounds * _KEPT):.1f} us for a snapshot, {used / _KEPT:.0f} B for a session")
    return spent / (rounds * _KEPT), used / _KEPT


async def _used_memory(client: Redis[bytes]) -> int:
    found = (await client.info("memory"))["used_memory"]
    assert isinstance(found, int)
    return found


def _trial() -> float:
    """Return the processor time of a lesson of 100 episodes."""
    with tempfile.TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "hamlet_trio.cli", "train", "--seed", "1", "--json"],
            env=os.environ | {"HAMLET_DATA_DIR": str(Path(folder) / "data")},
            cwd=REPOSITORY,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    tell(f"a lesson of 100 episodes: {spent:.0f} s")
    return spent


def _instances(stack: ExitStack, count: int) -> list[Server]:
    servers = [stack.enter_context(serving(None, **UNLIMITED)) for _ in range(count)]
    for server in servers:
        wait_until_ready(server.port, server.process)
    return servers
