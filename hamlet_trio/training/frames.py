"""Render a run's frames: what `/ws/training` shows of one step."""

import numpy as np
from numpy.typing import NDArray

from hamlet_trio.protocol.frames import FrameBuilder, WorldSnapshot, heat_map_of
from hamlet_trio.protocol.messages import TrainingStateUpdate
from hamlet_trio.training.episodes import StepOutcome
from hamlet_trio.world import FAILURE_REASONS, METERS, WorldConfig, Worlds

_MONEY, _MOOD = METERS.index("money"), METERS.index("mood")


def run_heat_map(visits: NDArray[np.int64]) -> dict[str, float]:
    """Return the heat map of a run's visits, (height, width)."""
    rows, columns = (indices.tolist() for indices in visits.nonzero())
    return heat_map_of({f"{x},{y}": int(visits[y, x]) for y, x in zip(rows, columns, strict=True)})


class FrameRenderer:
    """Render frames of worlds of one configuration, from the first of them."""

    def __init__(self, config: WorldConfig) -> None:
        self._frames = FrameBuilder(config)

    def render(self, worlds: Worlds, outcome: StepOutcome, heat_map: dict[str, float]) -> TrainingStateUpdate:
        """Return the frame of the step that these worlds just made."""
        x, y = worlds.positions[0, 0].tolist()
        raw = worlds.meters[0, 0].tolist()
        failure = FAILURE_REASONS[int(worlds.failure[0, 0])] if outcome.done else None
        snapshot = WorldSnapshot(
            x,
            y,
            worlds.normalised()[0, 0].tolist(),
            raw[_MONEY],
            raw[_MOOD],
            outcome.action,
            outcome.reward,
            terminated=outcome.done and failure is not None,
            truncated=outcome.done and failure is None,
            failure_reason=failure,
        )
        return self._frames.training_frame(
            snapshot,
            episode=outcome.episode,
            step=outcome.step,
            total_reward=outcome.total,
            heat_map=heat_map,
            epsilon=outcome.epsilon,
        )
