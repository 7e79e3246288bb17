"""Measure sessions and viewers without Redis, and at two instances with it, taking turns in one run."""

import tempfile
from contextlib import ExitStack
from functools import partial
from typing import Final

from bench.broadcast.watching import Viewers
from bench.server import running_redis, serving, wait_until_ready
from bench.sessions.measuring import UNLIMITED
from bench.sessions.playing import Players
from bench.suite.command import Effort, run, tell
from bench.suite.figures import Figure, alternate, ratio
from bench.suite.load import Load
from bench.suite.machine import divide_cores, pin
from bench.suite.trainer import training

__all__ = ["measure", "run"]

SESSIONS: Final = 200
"""Not far from what a core carries: what Redis costs whatever is done counts as it does then."""
VIEWERS: Final = 50
_SHOWN: Final = {"show_every": 1, "step_delay": 0.05, "network_type": "qnetwork"}
_WITHOUT: Final = "without Redis"
_TRAINS: Final = "with Redis, where the run is trained"
_FOLLOWS: Final = "with Redis, at the other instance"


def measure(effort: Effort) -> list[Figure]:
    """Return the processor time of a frame in the three cases, and the ratios to that without Redis."""
    cores = divide_cores()
    pin(0, cores.others)
    seconds = effort.choose(2.0, 5.0)
    with ExitStack() as stack:
        redis = stack.enter_context(running_redis())
        data = stack.enter_context(tempfile.TemporaryDirectory())
        shared = {"redis_url": f"redis://127.0.0.1:{redis.port}", "data_dir": data}
        alone = stack.enter_context(serving(cores.server, **UNLIMITED))
        first = stack.enter_context(serving(cores.server, **UNLIMITED, **shared))
        second = stack.enter_context(serving(cores.server, **UNLIMITED, **shared))
        for server in (alone, first, second):
            wait_until_ready(server.port, server.process)
        load = stack.enter_context(Load())
        for server in (alone, first):
            stack.enter_context(training(server, load, cores, **_SHOWN))
        turns = {
            name: partial(
                _cost,
                name,
                Players(server, load),
                Viewers(server, load),
                None if other is None else Viewers(other, load),
                seconds,
            )
            for name, server, other in (
                (_WITHOUT, alone, None),
                (_TRAINS, first, second),
                (_FOLLOWS, second, first),
            )
        }
        values = alternate(turns, effort.rounds)
    figures = [Figure(name=name, unit="µs", values=values[name]) for name in turns]
    return [*figures, *(ratio(f"{one.name} / without", one, figures[0]) for one in figures[1:])]


def _cost(name: str, players: Players, viewers: Viewers, others: Viewers | None, seconds: float) -> float:
    """Return the microseconds of a session's frame while viewers watch, and one of the others.

    Without one there, frames would not be told.
    """
    if others is not None:
        others.watch(1, 0.5)
    late = viewers.watch(VIEWERS, 0.5)
    played = players.play(SESSIONS, seconds)
    viewers.close()
    if others is not None:
        others.close()
    cost = 1e6 * played.server_share * seconds / played.frames
    shown = f"99 % of viewers' frames less than {1e3 * late:.0f} ms late"
    tell(f"{name}: {cost:.0f} µs a frame, {played.frames} frames; {shown}")
    return cost
