"""The common parts of the Gymnasium and PettingZoo environments."""

from collections.abc import Mapping
from typing import Any, Final, TypedDict

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from hamlet_trio.world.config import FAILURE_REASONS, METERS, RewardName, WorldConfig
from hamlet_trio.world.observation import AGENT_CODE, OTHER_AGENT_CODE
from hamlet_trio.world.worlds import Worlds

RENDER_MODES: Final = ("ansi",)


class AgentInfo(TypedDict):
    """The info of an agent: raw meters by name, why it ended or None, and its cell (x, y)."""

    meters: dict[str, float]
    failure_reason: str | None
    position: tuple[int, int]


def make_config(
    config: WorldConfig | None,
    *,
    reward: RewardName | None = None,
    max_steps: int | None = None,
    num_agents: int | None = None,
) -> WorldConfig:
    """Return `config`, or the default one, with the other given fields.

    Raises:
        ConfigError: for a field that is not allowed.
    """
    given = {"reward": reward, "max_steps": max_steps, "num_agents": num_agents}
    changes: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
    return replace(WorldConfig() if config is None else config, **changes)


def random_start_option(options: Mapping[str, Any] | None) -> bool:
    """Return the option `random_start` (default false) of a reset; other options are ignored.

    Raises:
        ValueError: when it is not a boolean.
    """
    # PettingZoo's API test demands that unknown options are ignored, and the two environments should agree.
    value = (options or {}).get("random_start", False)
    if not isinstance(value, bool):
        raise ValueError(f"options.random_start is {value!r}; allowed: true or false")
    return value


def check_render_mode(render_mode: str | None) -> None:
    """Raise ValueError for an unknown render mode."""
    if render_mode is not None and render_mode not in RENDER_MODES:
        raise ValueError(f"render_mode is {render_mode!r}; allowed: {', '.join(RENDER_MODES)}")


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


def draw(worlds: Worlds) -> str:
    """Return world 0 as text: one line for each row of the grid, then one for each agent's meters.

    An affordance is its initial, a live agent its number (modulo 10) or @ where it is the only one.
    """
    config = worlds.config
    grid = [["."] * config.width for _ in range(config.height)]
    for affordance in config.affordances:
        grid[affordance.y][affordance.x] = affordance.name[0]
    for agent in reversed(range(config.num_agents)):
        if worlds.alive[0, agent]:
            x, y = worlds.positions[0, agent].tolist()
            grid[y][x] = "@" if config.num_agents == 1 else str(agent % 10)
    lines = [" ".join(row) for row in grid]
    for agent in range(config.num_agents):
        values = zip(METERS, worlds.meters[0, agent].tolist(), strict=True)
        lines.append(f"agent_{agent}: " + ", ".join(f"{meter} {value:.1f}" for meter, value in values))
    return "\n".join(lines) + "\n"
