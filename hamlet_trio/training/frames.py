"""Render a run's frames: what `/ws/training` shows of one step."""

from hamlet_trio.protocol.frames import FrameBuilder, WorldSnapshot, heat_map_of
from hamlet_trio.protocol.messages import TrainingStateUpdate
from hamlet_trio.training.run import StepOutcome, TrainingRun
from hamlet_trio.world import METERS

_MONEY, _MOOD = METERS.index("money"), METERS.index("mood")


class FrameRenderer:
    """Render the frames of one run, from the first of its worlds."""

    def __init__(self, run: TrainingRun) -> None:
        self._run = run
        self._frames = FrameBuilder(run.worlds.config)

    def render(self, outcome: StepOutcome) -> TrainingStateUpdate:
        """Return the frame of the step just made; its heat map is of the whole run."""
        worlds, visits = self._run.worlds, self._run.visits
        x, y = worlds.positions[0, 0].tolist()
        raw = worlds.meters[0, 0].tolist()
        failure = None if outcome.record is None else outcome.record.failure_reason
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
        rows, columns = (indices.tolist() for indices in visits.nonzero())
        return self._frames.training_frame(
            snapshot,
            episode=outcome.episode,
            step=outcome.step,
            total_reward=outcome.total,
            heat_map=heat_map_of({f"{x},{y}": int(visits[y, x]) for y, x in zip(rows, columns, strict=True)}),
            epsilon=outcome.epsilon,
        )
