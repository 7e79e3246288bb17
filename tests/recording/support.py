"""Episodes to record: played by a policy of random weights, or by actions at random."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from hamlet_trio.recording.capture import make_recording
from hamlet_trio.recording.file import Recording
from hamlet_trio.world import WorldConfig, Worlds, WorldState


def start_of(config: WorldConfig, *, seed: int | None = None) -> WorldState:
    """The start of an episode: the fixed one, or with a seed a random one."""
    worlds = Worlds(1, config, seed=seed)
    worlds.reset(random_start=seed is not None)
    return worlds.get_state(0)


def random_actions(config: WorldConfig, start: WorldState, seed: int, most: int = 500) -> list[int]:
    """Random actions until the episode ends, or `most`."""
    random = np.random.default_rng(seed)
    worlds = Worlds(1, config)
    worlds.set_state(0, start)
    actions: list[int] = []
    while not worlds.over[0] and len(actions) < most:
        actions.append(int(random.integers(5)))
        worlds.step([actions[-1]])
    return actions


def record(
    config: WorldConfig | None = None,
    actions: Sequence[int] | None = None,
    seed: int = 0,
    start_seed: int | None = None,
    **facts: Any,
) -> Recording:
    """A recording of random actions, or of these, from the fixed start or with a seed from a random one."""
    config = WorldConfig() if config is None else config
    start = start_of(config, seed=start_seed)
    if actions is None:
        actions = random_actions(config, start, seed)
    given: dict[str, Any] = {"reasons": ["asked_for"], "source": "session", "episode": 1}
    return make_recording(config, start, actions, **(given | facts))


def resigned(data: bytes, old: bytes, new: bytes) -> bytes:
    """Return a file with part of its header changed and a checksum that fits, which no accident makes."""
    assert old in data
    body = data[42:].replace(old, new, 1)
    length = int.from_bytes(body[:4], "little") + len(new) - len(old)
    body = length.to_bytes(4, "little") + body[4:]
    return data[:10] + hashlib.sha256(body).digest() + body
