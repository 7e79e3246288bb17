"""Measure the gaps of a class's sessions, without and with policy maps, round by round."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench.server import serving, wait_until_ready
from bench.sessions.measuring import UNLIMITED, serving_network
from bench.sessions.playing import Played, Players
from bench.suite.command import Effort, run, tell
from bench.suite.figures import Figure, percentile, ratio
from bench.suite.load import Load
from bench.suite.machine import divide_cores, pin
from hamlet_trio.agent.names import NetworkType
from hamlet_trio.inference.policy_mapper import MAP_SECONDS

__all__ = ["measure", "run"]

SESSIONS: Final = 30
"""The sessions of a class, each of which asks for maps."""
NETWORKS: Final[tuple[NetworkType, ...]] = ("options", "relational")
_CONDITIONS: Final = ("without", "with")
_ASK: Final = '{"command": "get_policy_map"}'
_STATISTICS: Final = {"p50": 0.5, "p99": 0.99}


def measure(effort: Effort) -> list[Figure]:
    """Return the median and the p99 gap for each network, without and with maps, and the maps made."""
    effort.check(NETWORKS)
    cores = divide_cores()
    pin(0, cores.others)
    # No longer than an episode lasts: after an intermission turns are grouped anew, and shift a little.
    seconds = effort.choose(2.0, 4.0)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in NETWORKS:
            if effort.wants(name):
                figures += _measure(name, Path(folder), cores.server, seconds, effort.rounds)
    return figures


def _measure(name: NetworkType, folder: Path, core: int, seconds: float, rounds: int) -> list[Figure]:
    played: dict[str, list[Played]] = {condition: [] for condition in _CONDITIONS}
    made: list[float] = []
    with ExitStack() as stack:
        # The shipped model is one of options; random weights would not live as long as is measured.
        serve = serving(core, **UNLIMITED) if name == "options" else serving_network(name, folder, core)
        server = stack.enter_context(serve)
        wait_until_ready(server.port, server.process)
        players = Players(server, stack.enter_context(Load()))
        for index in range(rounds):
            for condition in _CONDITIONS[:: -1 if index % 2 else 1]:
                ask = (_ASK, MAP_SECONDS) if condition == "with" else None
                one = players.play(SESSIONS, seconds, ask=ask)
                played[condition].append(one)
                if ask is not None:
                    made.append(one.maps / seconds / SESSIONS)
                tell(
                    f"{name} {condition} maps: 99 % of gaps less than "
                    f"{1e3 * percentile(one.gaps, 0.99):.1f} ms, server {one.server_share:.0%}"
                )
    found = {
        (statistic, condition): Figure(
            name=f"{name}, {statistic} {condition} maps",
            unit="ms",
            values=[1e3 * percentile(one.gaps, share) for one in played[condition]],
            beside=condition == "without",
        )
        for statistic, share in _STATISTICS.items()
        for condition in _CONDITIONS
    }
    return [
        *found.values(),
        ratio(f"{name}, p99 with maps / without", found["p99", "with"], found["p99", "without"]),
        Figure(name=f"{name}, maps a second of a session", unit="/s", values=made),
    ]
