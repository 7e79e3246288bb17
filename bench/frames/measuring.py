"""Measure bytes and processor time of a frame, in each form and for plain Trio tasks, round by round."""

import json
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from bench.frames.counting import COMPACT, PLAY, Crowd, bytes_a_frame
from bench.server import Server, serving, serving_least, wait_until_ready
from bench.sessions.measuring import LEAST, UNLIMITED, serving_network
from bench.suite.command import Effort, run, tell
from bench.suite.figures import Figure, alternate, ratio
from bench.suite.load import Load
from bench.suite.machine import Cores, divide_cores, pin
from bench.suite.trainer import training
from hamlet_trio.web.process_setup import raise_file_limit

__all__ = ["measure", "run"]

_FAST: Final = json.dumps({"command": "set_speed", "speed": 10})
_AGENTS: Final = {"one agent": 1, "three agents": 3}
_SHOWN: Final = {"show_every": 1, "step_delay": 0.05, "network_type": "qnetwork"}
_TIMES: Final = {
    "/ws": ("a session's frame, full", "a session's frame, compact"),
    "/ws/training": ("a viewer's frame, full", "a viewer's frame, compact"),
}
_MICROSECONDS: Final = 1e6


def measure(effort: Effort) -> list[Figure]:
    """Return bytes and microseconds a frame, and how many times the least under Trio the latter are."""
    cores = divide_cores()
    pin(0, cores.others)
    crowd = int(effort.choose(50, 500))
    raise_file_limit(6 * crowd)
    return [
        *_bytes(effort, cores),
        *_processor_times(effort, cores, "/ws", crowd),
        *_processor_times(effort, cores, "/ws/training", crowd),
    ]


def _bytes(effort: Effort, cores: Cores) -> list[Figure]:
    seconds = effort.choose(3.0, 6.0)
    with serving(cores.server, compression="1", **UNLIMITED) as server:
        wait_until_ready(server.port, server.process)
        contenders: dict[str, Callable[[], float]] = {}
        for words, number in _AGENTS.items():
            world = json.dumps({"command": "set_world", "world": {"num_agents": number}})
            begin = [world, _FAST] if number > 1 else [_FAST]
            for form, texts, deflated in (
                ("full", [*begin, PLAY], False),
                ("compact", [COMPACT, *begin, PLAY], False),
                ("compact and compressed", [COMPACT, *begin, PLAY], True),
            ):
                contenders[f"{words}, {form}"] = partial(
                    bytes_a_frame, server, texts, seconds, deflated=deflated
                )
        values = alternate(contenders, effort.rounds)
    return [
        Figure(name=name, unit="bytes", values=found, beside="full" in name) for name, found in values.items()
    ]


def _processor_times(effort: Effort, cores: Cores, path: str, count: int) -> list[Figure]:
    """Return the processor time of a frame on this path in each form, beside the least for its size."""
    seconds = effort.choose(1.0, 4.0)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        load = stack.enter_context(Load())
        server = _serve(stack, load, folder, cores, path)
        contenders: dict[str, Callable[[], float]] = {}
        for name, compact in zip(_TIMES[path], (False, True), strict=True):
            ours = partial(Crowd, server, load, path, count, compact=compact)
            contenders[name] = partial(_time, name, ours, seconds)
            file = folder / f"frame {compact}"
            file.write_bytes(_sample(server, load, path, compact=compact))
            least = stack.enter_context(serving_least(cores.server, file))
            wait_until_ready(least.port, least.process)
            beside = f"{name}, {LEAST}"
            theirs = partial(Crowd, least, load, path, count, compact=False)
            contenders[beside] = partial(_time, beside, theirs, seconds)
        values = alternate(contenders, effort.rounds)
    figures = {
        name: Figure(name=name, unit="\u00b5s", values=found, beside=LEAST in name)
        for name, found in values.items()
    }
    ratios = [ratio(f"{name} / {LEAST}", figures[name], figures[f"{name}, {LEAST}"]) for name in _TIMES[path]]
    return [*figures.values(), *ratios]


def _serve(stack: ExitStack, load: Load, folder: Path, cores: Cores, path: str) -> Server:
    """Serve sessions of a `qnetwork`, or a run of one that is shown."""
    if path == "/ws":
        return stack.enter_context(serving_network("qnetwork", folder, cores.server))
    server = stack.enter_context(serving(cores.server, send_timeout="3600", **UNLIMITED))
    wait_until_ready(server.port, server.process)
    stack.enter_context(training(server, load, cores, **_SHOWN))
    return server


def _time(name: str, connect: Callable[[], Crowd], seconds: float) -> float:
    """Return the microseconds of processor time that a frame takes."""
    crowd = connect()
    found = _MICROSECONDS * crowd.measure(seconds)
    tell(f"{name}: {found:.1f} \u00b5s, {crowd.frames.count} frames")
    crowd.close()
    return found


def _sample(server: Server, load: Load, path: str, *, compact: bool) -> bytes:
    """Return a text of the mean length of this form's frames, which the least under Trio sends."""
    crowd = Crowd(server, load, path, 2, compact=compact)
    crowd.measure(2.0)
    frames = crowd.frames
    crowd.close()
    return frames.longest[: frames.size // frames.count]
