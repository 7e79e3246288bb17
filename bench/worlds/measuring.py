"""Measure the processor time of a frame in one world and in many, taking turns in one run."""

import json
from functools import partial
from typing import Final

from msgspec.structs import replace

from bench.server import Server, serving, wait_until_ready
from bench.sessions.measuring import UNLIMITED
from bench.sessions.playing import Players
from bench.suite.command import Effort, run, tell
from bench.suite.figures import Figure, alternate, ratio
from bench.suite.load import Connection, Load, LoadError
from bench.suite.machine import divide_cores, pin
from hamlet_trio.world import WorldConfig
from hamlet_trio.world.world_file import changes_of

__all__ = ["measure", "run"]

SESSIONS: Final = 50
WORLDS: Final = 20
_ANSWERING: Final = 10.0
_ONE: Final = f"{SESSIONS} sessions in one world"
_MANY: Final = f"{SESSIONS} sessions in {WORLDS} worlds"


def measure(effort: Effort) -> list[Figure]:
    """Return the processor time of a frame in both cases, and their ratio."""
    cores = divide_cores()
    pin(0, cores.others)
    seconds = effort.choose(2.0, 4.0)
    with serving(cores.server, **UNLIMITED) as server, Load() as load:
        wait_until_ready(server.port, server.process)
        _try_worlds(server)
        contenders = {
            _ONE: Players(server, load),
            _MANY: Players(server, load, first=[json.dumps(command(index)) for index in range(WORLDS)]),
        }
        values = alternate(
            {name: partial(_cost, name, players, seconds) for name, players in contenders.items()},
            effort.rounds,
        )
    one, many = (Figure(name=name, unit="µs", values=values[name]) for name in (_ONE, _MANY))
    return [one, many, ratio(f"{_MANY} / in one", many, one)]


def _try_worlds(server: Server) -> None:
    """Raise `LoadError` unless the model can live in all worlds: a refusal would not be noticed later."""
    answers: list[bytes] = []
    with Load() as load:
        for index in range(WORLDS):
            connection = Connection(server.port, "/ws", lambda text, _: answers.append(text))
            load.add(connection)
            connection.send(json.dumps(command(index)))
        load.run(_ANSWERING)
    taken = sum(json.loads(text)["type"] == "world_set" for text in answers)
    if taken != WORLDS:
        raise LoadError(f"{taken} of {WORLDS} worlds were taken")


def command(index: int) -> dict[str, object]:
    """Return the command for one of the worlds: the Gym on one of four cells, another drain of energy."""
    usual = WorldConfig()
    energy, *others = usual.meters
    meters = (replace(energy, drain=energy.drain * (1 - 0.02 * index)), *others)
    places = tuple(
        replace(place, x=place.x - index % 4) if place.name == "Gym" else place for place in usual.affordances
    )
    config = replace(usual, affordances=places, meters=meters)
    return {"command": "set_world", "world": changes_of(config)}


def _cost(name: str, players: Players, seconds: float) -> float:
    """Return the microseconds of a frame."""
    played = players.play(SESSIONS, seconds)
    # Of those that came: where the server has no core to itself, some do not.
    cost = 1e6 * played.server_share * seconds / played.frames
    tell(f"{name}: {cost:.0f} µs a frame, {played.frames} frames, {played.server_share:.0%} of a core")
    return cost
