"""Measure the gaps of a class's sessions and the server's processor time, without and with a room."""

import json
from typing import Final

from bench.server import Server, serving, wait_until_ready
from bench.sessions.measuring import UNLIMITED
from bench.sessions.playing import Played, Players, Sends
from bench.suite.command import Effort, run, tell
from bench.suite.figures import Figure, percentile, ratio
from bench.suite.load import Connection, Load
from bench.suite.machine import divide_cores, pin

__all__ = ["measure", "run"]

SESSIONS: Final = 50
MEMBERS: Final = 30
CURSORS: Final = 20
"""Cursors that each member sends in a second."""
_CONDITIONS: Final = ("without", "with")
_STATISTICS: Final = {"p50": 0.5, "p99": 0.99}


def measure(effort: Effort) -> list[Figure]:
    """Return the median and the p99 gap without and with the room, and what it costs of a core."""
    cores = divide_cores()
    pin(0, cores.others)
    # No longer than an episode lasts: after an intermission turns are grouped anew, and shift a little.
    seconds = effort.choose(2.0, 4.0)
    played: dict[str, list[Played]] = {condition: [] for condition in _CONDITIONS}
    with serving(cores.server, **UNLIMITED) as server, Load() as load:
        wait_until_ready(server.port, server.process)
        players = Players(server, load)
        for index in range(effort.rounds):
            for condition in _CONDITIONS[:: -1 if index % 2 else 1]:
                members = _members(server, load) if condition == "with" else []
                one = players.play(SESSIONS, seconds, sends=_pointing(members, seconds))
                for member in members:
                    load.remove(member)
                played[condition].append(one)
                tell(
                    f"{condition} a room: 99 % of gaps less than {1e3 * percentile(one.gaps, 0.99):.1f} ms, "
                    f"server {one.server_share:.1%} of a core"
                )
    return _figures(played)


def _members(server: Server, load: Load) -> list[Connection]:
    """Connect the members of one room."""
    members = []
    for _ in range(MEMBERS):
        member = Connection(server.port, "/ws/room", lambda _text, _at: None)
        member.send(json.dumps({"command": "join", "room": "4827"}))
        load.add(member)
        members.append(member)
    return members


def _pointing(members: list[Connection], seconds: float) -> Sends:
    """Return when each member points where: evenly spread, another place each time."""
    return [
        (
            (turn + index / len(members)) / CURSORS,
            member,
            json.dumps({"command": "cursor", "at": [turn % 80 / 10, index % 80 / 10]}),
        )
        for turn in range(int(seconds * CURSORS))
        for index, member in enumerate(members)
    ]


def _figures(played: dict[str, list[Played]]) -> list[Figure]:
    found = {
        (statistic, condition): Figure(
            name=f"{statistic} {condition} a room",
            unit="ms",
            values=[1e3 * percentile(one.gaps, share) for one in played[condition]],
            beside=condition == "without",
        )
        for statistic, share in _STATISTICS.items()
        for condition in _CONDITIONS
    }
    shares = zip(played["with"], played["without"], strict=True)
    return [
        *found.values(),
        ratio("p99 with a room / without", found["p99", "with"], found["p99", "without"]),
        Figure(
            name="a room's share of a core",
            unit="%",
            values=[100 * (one.server_share - other.server_share) for one, other in shares],
        ),
    ]
