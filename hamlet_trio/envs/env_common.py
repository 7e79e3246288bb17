"""The common parts of the environments: their world, their spaces, infos and reset options."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, TypedDict

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from hamlet_trio.world import FAILURE_REASONS, METERS, RewardName, WorldConfig, Worlds
from hamlet_trio.world.library import WorldLibrary, worlds_path
from hamlet_trio.world.observation import AGENT_CODE, OTHER_AGENT_CODE
from hamlet_trio.world.world_file import changes_of, load_world, make_config

WorldLike: TypeAlias = WorldConfig | str | os.PathLike[str] | Mapping[str, Any]
"""A configuration, a world's name, a world file's path, or the fields that differ from the usual world.

Among the fields may be structs of the configuration, and numbers and arrays of numpy.
"""

RESET_OPTIONS: Final = ("random_start",)


class AgentInfo(TypedDict):
    """The info of an agent: raw meters by name, why it ended or None, and its cell (x, y)."""

    meters: dict[str, float]
    failure_reason: str | None
    position: tuple[int, int]


def find_config(world: WorldLike | None) -> WorldConfig:
    """Return the configuration that is meant; None means the usual world.

    A name is that of a preset, or of a world in the data folder (`HAMLET_DATA_DIR`, else `data`).

    Raises:
        WorldError: for fields that are not allowed.
        UnknownWorldError: for a name that no world has.
        OSError: for a file that cannot be read.
        TypeError: for anything else.
    """
    match world:
        case None:
            return WorldConfig()
        case WorldConfig():
            return world
        case Mapping():
            return make_config(plain(world))
        case str() if _is_name(world):
            folder = worlds_path(os.environ.get("HAMLET_DATA_DIR", "data"))
            return WorldLibrary(folder).get(world).config
        case str() | os.PathLike():
            return load_world(Path(world)).config
        case _:
            raise TypeError(
                f"config is {world!r}; allowed: a WorldConfig, a world's name, the path of a world file, "
                "or a dict of the fields that differ from the usual world"
            )


def portable(world: WorldLike | None, found: WorldConfig) -> Any:
    """Return a world that was `found` as JSON can hold it: a name stays, all else becomes its fields."""
    if world is None or (isinstance(world, str) and _is_name(world)):
        return world
    return changes_of(found)


def plain(value: object) -> Any:
    """Return a value with dicts, lists, numbers and text in place of structs, and of numpy's own.

    Raises:
        TypeError: for a value that has no such form.
    """
    return msgspec.to_builtins(value, enc_hook=_builtin, str_keys=True)


def _builtin(value: object) -> object:
    match value:
        case np.generic() | np.ndarray():
            return value.tolist()
        case Mapping():
            return dict(value)
        case _:
            raise TypeError(f"{value!r} among the arguments; allowed: numbers, text, lists and dicts of them")


def _is_name(world: str) -> bool:
    return not world.endswith((".toml", ".json")) and Path(world).name == world


def with_fields(config: WorldConfig, **fields: RewardName | int | None) -> WorldConfig:
    """Return the configuration with those fields that are not None.

    Raises:
        ConfigError: for a field that is not allowed.
    """
    changes: dict[str, Any] = {field: value for field, value in plain(fields).items() if value is not None}
    return replace(config, **changes)


def check_random_start(value: object, name: str = "random_start") -> bool:
    """Return whether episodes begin anywhere; raise ValueError for what is no boolean."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} is {value!r}; allowed: true or false")
    return bool(value)


def random_start_option(options: Mapping[str, Any] | None, default: bool) -> bool:
    """Return the option `random_start` of a reset.

    Raises:
        TypeError: when the options are no dict.
        ValueError: when it is not a boolean.
    """
    check_kind(options)
    return check_random_start((options or {}).get("random_start", default), "options.random_start")


def check_seed(seed: object) -> int | None:
    """Return a seed, which may be None; raise ValueError for what is no whole number of 0 or more."""
    if seed is None:
        return None
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed is {seed!r}; allowed: a whole number of 0 or more, or None")
    return int(seed)


def check_seeds(seed: object, number: int) -> list[int | None]:
    """Return the seeds of so many worlds: of a whole number, it and those that follow it.

    Raises:
        ValueError: for anything but a seed, None, or a sequence of one for each world.
    """
    if isinstance(seed, np.ndarray):
        seed = seed.tolist()
    if isinstance(seed, Sequence) and not isinstance(seed, str | bytes | bytearray):
        if len(seed) != number:
            raise ValueError(f"seed has {len(seed)} entries; allowed: one for each of {number} worlds")
        return [check_seed(one) for one in seed]
    first = check_seed(seed)
    return [None if first is None else first + index for index in range(number)]


def check_kind(options: object) -> None:
    """Raise TypeError for options of a reset that are no dict."""
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(f"options is {options!r}; allowed: a dict such as {{'random_start': True}}, or None")


def check_options(options: Mapping[str, Any] | None, *, also: tuple[str, ...] = ()) -> None:
    """Raise TypeError for what is no dict, and ValueError for an option that `reset` does not know."""
    check_kind(options)
    known = (*RESET_OPTIONS, *also)
    for name in options or {}:
        if name not in known:
            raise ValueError(f"options.{name} is unknown; allowed: {', '.join(known)}")


def observation_limits(config: WorldConfig) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the lowest and highest value at each place of an observation."""
    high = np.ones(config.observation_size, dtype=np.float32)
    high[2 + len(METERS) :] = OTHER_AGENT_CODE if config.num_agents > 1 else AGENT_CODE
    return np.zeros_like(high), high


def agent_info(worlds: Worlds, agent: int) -> AgentInfo:
    """Return the info of one agent of world 0."""
    x, y = worlds.positions[0, agent].tolist()
    return {
        "meters": dict(zip(METERS, worlds.meters[0, agent].tolist(), strict=True)),
        "failure_reason": FAILURE_REASONS[worlds.failure.item(agent)],
        "position": (x, y),
    }
