"""The benchmark of many worlds: its commands are taken, and each is of another world."""

import json

from msgspec import UNSET

from bench.worlds.measuring import WORLDS, command
from hamlet_trio.protocol.commands import SetWorld, inference_commands


def test_every_session_asks_for_a_world_of_its_own() -> None:
    decoded = [inference_commands.decode(json.dumps(command(index))) for index in range(WORLDS)]
    worlds = [one.world for one in decoded if isinstance(one, SetWorld)]
    assert UNSET not in worlds
    assert len({json.dumps(world, sort_keys=True) for world in worlds}) == WORLDS
