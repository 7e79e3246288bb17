"""Measure the gaps of few and many sessions, without and with a run, round by round."""

from contextlib import nullcontext
from typing import Final

from bench.server import Server, serving, wait_until_ready
from bench.sessions.measuring import UNLIMITED
from bench.sessions.playing import Played, Players
from bench.suite.command import Effort, run, tell
from bench.suite.figures import Figure, percentile, ratio
from bench.suite.load import Load
from bench.suite.machine import Cores, divide_cores, pin
from bench.suite.trainer import training
from hamlet_trio.web.process_setup import raise_file_limit

__all__ = ["measure", "run"]

_SESSIONS: Final = (50, 500)
_CONDITIONS: Final = ("without", "with")
_STATISTICS: Final = {"p50": 0.5, "p99": 0.99, "longest": 1.0}


def measure(effort: Effort) -> list[Figure]:
    """Return the median, p99 and longest gap for each number of sessions, without and with training."""
    cores = divide_cores()
    pin(0, cores.others)
    raise_file_limit(max(_SESSIONS))
    played: dict[tuple[int, str], list[Played]] = {}
    with serving(cores.server, **UNLIMITED) as server:
        wait_until_ready(server.port, server.process)
        for index in range(effort.rounds):
            for condition in _CONDITIONS[:: -1 if index % 2 else 1]:
                for sessions, found in _play(server, cores, condition, effort).items():
                    played.setdefault((sessions, condition), []).append(found)
    return [figure for sessions in _SESSIONS for figure in _figures(sessions, played)]


def _play(server: Server, cores: Cores, condition: str, effort: Effort) -> dict[int, Played]:
    quiet = {"show_every": 100_000, "step_delay": 0}
    with Load() as load:
        trains = training(server, load, cores, **quiet) if condition == "with" else nullcontext()
        with trains:
            players = Players(server, load)
            found = {count: players.play(count, effort.choose(1.5, 6.0)) for count in _SESSIONS}
    for count, one in found.items():
        tell(f"{count} sessions {condition} training: 99 % of gaps less than {1e3 * _gap(one, 0.99):.1f} ms")
    return found


def _gap(played: Played, share: float) -> float:
    return percentile(played.gaps, share)


def _figures(sessions: int, played: dict[tuple[int, str], list[Played]]) -> list[Figure]:
    found = {
        (name, condition): Figure(
            name=f"{sessions} sessions, {name} {condition} training",
            unit="ms",
            values=[1e3 * _gap(one, share) for one in played[sessions, condition]],
            beside=condition == "without",
        )
        for name, share in _STATISTICS.items()
        for condition in _CONDITIONS
    }
    compared = f"{sessions} sessions, p99 with training / without"
    return [*found.values(), ratio(compared, found["p99", "with"], found["p99", "without"])]
