"""The Hamlet world: its rules, N worlds stepped as arrays, and the Gymnasium and PettingZoo environments.

Importing this package imports neither gymnasium nor pettingzoo; they are an extra.
"""

from typing import TYPE_CHECKING

from hamlet_trio.world.batch import EpisodeOverError, RewardComponents, StepResult, WorldIndices
from hamlet_trio.world.checks import ConfigError
from hamlet_trio.world.config import (
    ACTIONS,
    DEFAULT_AFFORDANCES,
    DEFAULT_METERS,
    FAILURE_REASONS,
    INTERACT,
    METERS,
    Affordance,
    Effects,
    Meter,
    RewardName,
    WorldConfig,
)
from hamlet_trio.world.kernel import KernelMissingError
from hamlet_trio.world.reward_config import Bands, ShapedReward, SurvivalReward
from hamlet_trio.world.rules import RULES_VERSION
from hamlet_trio.world.state import RandomState, WorldState
from hamlet_trio.world.worlds import Worlds

if TYPE_CHECKING:
    from hamlet_trio.envs.env_common import WorldLike
    from hamlet_trio.envs.pettingzoo_env import HamletParallelEnv

__all__ = [
    "ACTIONS",
    "DEFAULT_AFFORDANCES",
    "DEFAULT_METERS",
    "FAILURE_REASONS",
    "INTERACT",
    "METERS",
    "RULES_VERSION",
    "Affordance",
    "Bands",
    "ConfigError",
    "Effects",
    "EpisodeOverError",
    "KernelMissingError",
    "Meter",
    "RandomState",
    "RewardComponents",
    "RewardName",
    "ShapedReward",
    "StepResult",
    "SurvivalReward",
    "WorldConfig",
    "WorldIndices",
    "WorldState",
    "Worlds",
    "parallel_env",
]


def parallel_env(
    config: "WorldLike | None" = None,
    *,
    num_agents: int | None = None,
    reward: RewardName | None = None,
    max_steps: int | None = None,
    random_start: bool = False,
    render_mode: str | None = None,
) -> "HamletParallelEnv":
    """Return a PettingZoo ParallelEnv of one world; arguments and errors are those of HamletParallelEnv.

    Raises:
        ModuleNotFoundError: when the extra `gym` is not installed; the message says how to install it.
    """
    try:
        from hamlet_trio.envs.pettingzoo_env import HamletParallelEnv  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        if error.name not in ("gymnasium", "pettingzoo"):
            raise
        message = f'parallel_env needs {error.name}: pip install "hamlet-trio[gym]"'
        raise ModuleNotFoundError(message, name=error.name) from error
    return HamletParallelEnv(
        config,
        num_agents=num_agents,
        reward=reward,
        max_steps=max_steps,
        random_start=random_start,
        render_mode=render_mode,
    )
