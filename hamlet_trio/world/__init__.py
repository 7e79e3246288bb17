"""The Hamlet world: its rules, N worlds stepped as arrays, and the Gymnasium and PettingZoo faces.

Importing this package imports neither gymnasium nor pettingzoo; they are an extra.
"""

from hamlet_trio.world.batch import RewardComponents, StepResult
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
from hamlet_trio.world.reward_config import Bands, ShapedReward, SurvivalReward
from hamlet_trio.world.state import RandomState, WorldState
from hamlet_trio.world.worlds import EpisodeOverError, WorldIndices, Worlds

__all__ = [
    "ACTIONS",
    "DEFAULT_AFFORDANCES",
    "DEFAULT_METERS",
    "FAILURE_REASONS",
    "INTERACT",
    "METERS",
    "Affordance",
    "Bands",
    "ConfigError",
    "Effects",
    "EpisodeOverError",
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
]
