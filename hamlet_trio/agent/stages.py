"""Stages of models: what one can do, judged by its evaluation and never by its number of episodes."""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from hamlet_trio.agent.metadata import CheckpointMetadata

ModelStage: TypeAlias = Literal["beginner", "improving", "skilled", "expert"]

_FULL_LIFE: Final = 500  # steps: no evaluation plays more, whatever the world allows
_SHORT: Final = 1 / 4  # of a full life
_MOST: Final = 3 / 4


def stage_of(metadata: CheckpointMetadata) -> ModelStage | None:
    """Return a model's stage, or None for one that was not evaluated.

    `beginner`: from the usual start it survives less than a quarter of a full life. `improving`: it survives
    longer, but not to the end. `skilled`: it survives a full life. `expert`: from random starts too it
    survives three quarters of one, on average. A full life is 500 steps, or fewer where the world says so.
    """
    length = _mean_length(metadata.evaluation)
    if length is None:
        return None
    full = _full_life(metadata.world)
    if length < full:
        return "beginner" if length < _SHORT * full else "improving"
    anywhere = _mean_length(metadata.evaluation_random)
    return "expert" if anywhere is not None and anywhere >= _MOST * full else "skilled"


def _mean_length(evaluation: Mapping[str, Any] | None) -> float | None:
    value = None if evaluation is None else evaluation.get("mean_length")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _full_life(world: Mapping[str, Any] | None) -> int:
    steps = None if world is None else world.get("max_steps")
    return min(steps, _FULL_LIFE) if isinstance(steps, int) and steps > 0 else _FULL_LIFE
