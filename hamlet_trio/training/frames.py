"""A run's frames: what `/ws/training` shows of one step."""

from typing import Final, get_args

from hamlet_trio.protocol.messages import (
    AGENT_COLOR,
    AGENT_ID,
    ActionName,
    AffordanceMarker,
    AgentMarker,
    AgentState,
    Meters,
    StepInfo,
    TrainingGrid,
    TrainingStateUpdate,
)
from hamlet_trio.training.run import StepOutcome, TrainingRun
from hamlet_trio.world import METERS

_ACTION_NAMES: Final[tuple[ActionName, ...]] = get_args(ActionName)
_ABSOLUTE: Final = ("money", "mood")  # these meters are shown in their own units, the others normalised


class FrameRenderer:
    """Renders the frames of one run; what never changes is made once."""

    def __init__(self, run: TrainingRun) -> None:
        self._run = run
        config = run.worlds.config
        self._grid = TrainingGrid(config.width, config.height)
        self._affordances = [AffordanceMarker(place.name, place.x, place.y) for place in config.affordances]

    def render(self, outcome: StepOutcome) -> TrainingStateUpdate:
        """The frame of the step just made."""
        worlds = self._run.worlds
        x, y = worlds.positions[0, 0].tolist()
        last_action = _ACTION_NAMES[outcome.action]
        failure = None if outcome.record is None else outcome.record.failure_reason
        return TrainingStateUpdate(
            step=outcome.step,
            action=outcome.action,
            reward=outcome.reward,
            cumulative_reward=outcome.total,
            done=outcome.done,
            grid=self._grid,
            agents=[AgentMarker(AGENT_ID, x, y, AGENT_COLOR, last_action, outcome.reward)],
            agent_meters={AGENT_ID: AgentState(self._meters(), last_action, outcome.reward)},
            affordances=self._affordances,
            info=StepInfo(outcome.step, failure),
            episode=outcome.episode,
            heat_map=self._heat_map(),
            epsilon=outcome.epsilon,
        )

    def _meters(self) -> Meters:
        raw = dict(zip(METERS, self._run.worlds.meters[0, 0].tolist(), strict=True))
        normalised = dict(zip(METERS, self._run.worlds.normalised()[0, 0].tolist(), strict=True))
        return Meters(**{name: (raw if name in _ABSOLUTE else normalised)[name] for name in METERS})

    def _heat_map(self) -> dict[str, float]:
        """Visits of each visited cell over the most visited one, over the whole run."""
        visits = self._run.visits
        rows, columns = visits.nonzero()
        shares = (visits[rows, columns] / visits.max()).round(3)
        return {
            f"{x},{y}": share
            for x, y, share in zip(columns.tolist(), rows.tolist(), shares.tolist(), strict=True)
        }
