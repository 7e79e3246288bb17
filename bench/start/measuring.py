"""Start Hamlet and the bare app, round by round, and fill them with connections."""

import http.client
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Final

import psutil

from bench.server import Server, serving, serving_bare, wait_until_ready
from bench.sessions.measuring import BARE, UNLIMITED, sample_frame
from bench.suite.command import Effort, run
from bench.suite.figures import Figure, ratio
from bench.suite.load import Connection, Load
from bench.suite.machine import Cores, divide_cores, pin
from bench.suite.trainer import trainers, training

__all__ = ["measure", "run"]

_ANSWERS: Final = "port answers"
_ASKING: Final = 0.005
_PATIENCE: Final = 60.0
_UNITS: Final = {"s": 1.0, "MB": 1e6, "KB": 1e3}

Measured = dict[str, tuple[float, str]]
"""Values in seconds or bytes with the unit to show them in, by figure."""


def measure(effort: Effort) -> list[Figure]:
    """Return start times and bytes of memory for Hamlet and the bare app."""
    cores = divide_cores()
    pin(0, cores.others)
    count = 50 if effort.quick else 400
    quiet = {"show_every": 100_000, "step_delay": 0}
    with tempfile.TemporaryDirectory() as folder:
        frame = Path(folder) / "frame"
        with serving(cores.server) as server:
            wait_until_ready(server.port, server.process)
            frame.write_bytes(sample_frame(server))
        contenders: dict[str, Callable[[], Measured]] = {
            "": partial(_measure, partial(serving, cores.server, **UNLIMITED), cores, count, quiet),
            f", {BARE}": partial(_measure, partial(serving_bare, cores.server, frame), cores, count, None),
        }
        found: dict[str, list[Measured]] = {name: [] for name in contenders}
        for index in range(effort.rounds):
            for name in list(contenders)[:: -1 if index % 2 else 1]:
                found[name].append(contenders[name]())
    figures = [
        Figure(
            name=name + whose,
            unit=unit,
            values=[one[name][0] / _UNITS[unit] for one in rounds],
            beside=bool(whose),
        )
        for whose, rounds in found.items()
        for name, (_, unit) in rounds[0].items()
    ]
    by_name = {figure.name: figure for figure in figures}
    answers = ratio(f"{_ANSWERS} / {BARE}", by_name[_ANSWERS], by_name[f"{_ANSWERS}, {BARE}"])
    return [*figures, answers]


def _measure(
    start: Callable[[], AbstractContextManager[Server]],
    cores: Cores,
    count: int,
    order: dict[str, int] | None,
) -> Measured:
    """Measure one start; `order`, if given, starts a run at the end."""
    began = time.perf_counter()
    with start() as server:
        measured = _times(server, began)
        process = psutil.Process(server.process.pid)
        idle = _memory(process)
        measured["memory, idle"] = (idle, "MB")
        with Load() as load:
            before = idle
            for what, path in (("an idle session", "/ws"), ("a viewer", "/ws/training")):
                for _ in range(count):
                    load.add(Connection(server.port, path, _ignore))
                load.run(1.0)
                after = _memory(process)
                measured[f"memory of {what}"] = ((after - before) / count, "KB")
                before = after
        if order is not None:
            with Load() as load, training(server, load, cores, **order):
                measured["memory of a trainer"] = (sum(map(_memory, trainers(server))), "MB")
    return measured


def _times(server: Server, began: float) -> Measured:
    """Return the seconds from the start of the process to its answers and to a session's first frame."""
    frames: list[float] = []

    def take(payload: bytes, _: float) -> None:
        if payload.startswith(b'{"type":"state_update"'):
            frames.append(time.perf_counter() - began)

    answers = _wait_for_answer(server, "/healthz", began, lambda _: True)
    with Load() as load:
        load.add(Connection(server.port, "/ws", take))
        ready = _wait_for_answer(server, "/readyz", began, lambda status: status == http.client.OK)
        while not frames:
            load.run(_ASKING)
    return {_ANSWERS: (answers, "s"), "ready": (ready, "s"), "first frame": (frames[0], "s")}


def _wait_for_answer(server: Server, path: str, began: float, enough: Callable[[int], bool]) -> float:
    """Ask until the status is good enough; return when. Raise `RuntimeError` after a minute."""
    while (now := time.perf_counter() - began) < _PATIENCE:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_PATIENCE)
        try:
            connection.request("GET", path)
            if enough(connection.getresponse().status):
                return time.perf_counter() - began
        except ConnectionRefusedError:
            pass  # it does not listen yet
        finally:
            connection.close()
        time.sleep(_ASKING)
    raise RuntimeError(f"there was no good answer to {path} within {now:.0f} s")


def _memory(process: psutil.Process) -> float:
    """Return the bytes that the process alone uses (USS)."""
    return float(process.memory_full_info().uss)


def _ignore(_: bytes, __: float) -> None:
    """Ignore what an idle connection is sent."""
