"""Measure the gaps of a class's sessions and the server's processor time, without and with a room."""

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench.server import Server, serving, serving_bare, wait_until_ready
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
_SHORT: Final = 1.0  # seconds in which the sessions tell how long a frame is
_STATISTICS: Final = {"p50": 0.5, "p99": 0.99}


def measure(effort: Effort) -> list[Figure]:
    """Return the median and the p99 gap without and with the room, and what it costs of a core.

    Beside that, what it costs a bare app with as many sessions to read the same messages and do nothing.
    """
    cores = divide_cores()
    pin(0, cores.others)
    # No longer than an episode lasts: after an intermission turns are grouped anew, and shift a little.
    seconds = effort.choose(2.0, 4.0)
    played: dict[str, list[Played]] = {condition: [] for condition in _CONDITIONS}
    floor: dict[str, list[Played]] = {condition: [] for condition in _CONDITIONS}
    with ExitStack() as stack:
        server = stack.enter_context(serving(cores.server, **UNLIMITED))
        load = stack.enter_context(Load())
        wait_until_ready(server.port, server.process)
        players = Players(server, load)
        players.play(SESSIONS, _SHORT)
        frame = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "frame"
        frame.write_bytes(players.frame())
        bare = stack.enter_context(serving_bare(cores.server, frame))
        wait_until_ready(bare.port, bare.process)
        contenders = (("server", server, players, played), ("bare app", bare, Players(bare, load), floor))
        for index in range(effort.rounds):
            for condition in _CONDITIONS[:: -1 if index % 2 else 1]:
                for name, place, playing, found in contenders:
                    one = _play(place, playing, load, seconds, has_room=condition == "with")
                    found[condition].append(one)
                    tell(
                        f"{condition} a room: 99 % of gaps less than "
                        f"{1e3 * percentile(one.gaps, 0.99):.1f} ms, {name} {one.server_share:.1%} of a core"
                    )
    return _figures(played, floor)


def _play(server: Server, players: Players, load: Load, seconds: float, *, has_room: bool) -> Played:
    """Let the sessions play, beside members of a room that point or without any."""
    members = _members(server, load) if has_room else []
    played = players.play(SESSIONS, seconds, sends=_pointing(members, seconds))
    for member in members:
        load.remove(member)
    return played


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


def _shares(played: dict[str, list[Played]]) -> list[float]:
    """Return what share of a core the room took in each round, in percent."""
    pairs = zip(played["with"], played["without"], strict=True)
    return [100 * (one.server_share - other.server_share) for one, other in pairs]


def _figures(played: dict[str, list[Played]], floor: dict[str, list[Played]]) -> list[Figure]:
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
    return [
        *found.values(),
        ratio("p99 with a room / without", found["p99", "with"], found["p99", "without"]),
        Figure(name="a room's share of a core", unit="%", values=_shares(played)),
        Figure(name="a bare app's that only reads", unit="%", values=_shares(floor), beside=True),
    ]
