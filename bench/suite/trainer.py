"""Train on a server under test, on a core other than the server's."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psutil

from bench.server import Server
from bench.suite.load import Connection, Load, LoadError
from bench.suite.machine import Cores, pin

_MODULE: Final = "hamlet_trio.training.trainer"
_SLICE: Final = 0.05
_PATIENCE: Final = 120.0
_EPISODES: Final = 3


class _Events:
    """Count the messages of each type."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def __call__(self, payload: bytes, _: float) -> None:
        kind = json.loads(payload)["type"]
        if kind == "error":
            raise LoadError(f"the run was refused: {payload.decode()}")
        self.counts[kind] = self.counts.get(kind, 0) + 1


@contextmanager
def training(server: Server, load: Load, cores: Cores, **order: Any) -> Iterator[None]:
    """Train with these parameters until the block ends; the block begins some episodes into the run.

    Raises `LoadError` where the server refuses the run, or takes minutes to begin it.
    """
    events = _Events()
    teacher = Connection(server.port, "/ws/training", events)
    load.add(teacher)
    teacher.send(json.dumps({"command": "start_training", "num_episodes": 100_000, "seed": 1} | order))
    _wait(load, events, "training_started", 1)
    for child in trainers(server):
        pin(child.pid, cores.others)
    _wait(load, events, "episode_complete", _EPISODES)
    try:
        yield
    finally:
        teacher.send(json.dumps({"command": "stop"}))
        _wait(load, events, "training_stopped", 1)


def trainers(server: Server) -> list[psutil.Process]:
    """The trainer's process, while there is one."""
    children = psutil.Process(server.process.pid).children(recursive=True)
    return [child for child in children if _MODULE in child.cmdline()]


def _wait(load: Load, events: _Events, kind: str, count: int) -> None:
    for _ in range(int(_PATIENCE / _SLICE)):
        if events.counts.get(kind, 0) >= count:
            return
        load.run(_SLICE)
    raise LoadError(f"there was no {kind} within {_PATIENCE:g} s; there were {events.counts}")
