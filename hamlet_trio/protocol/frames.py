"""Build the frames of both endpoints from a world's state. Unlike the rest of `protocol`, imports numpy."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, Struct

from hamlet_trio.protocol.frame_parts import LastAction
from hamlet_trio.protocol.messages import (
    AGENT_COLOR,
    AGENT_ID,
    ActionName,
    AffordanceMarker,
    AgentMarker,
    AgentState,
    InferenceGrid,
    Meters,
    OptionValue,
    RewardBreakdown,
    StateUpdate,
    StepInfo,
    TrainingGrid,
    TrainingStateUpdate,
)
from hamlet_trio.world import ACTIONS, METERS, WorldConfig

_ACTIONS = msgspec.convert(ACTIONS, tuple[ActionName, ...])
_ENERGY, _HYGIENE, _SATIATION = (METERS.index(name) for name in ("energy", "hygiene", "satiation"))
_SOCIAL: Final = METERS.index("social")


class WorldSnapshot(Struct, frozen=True, gc=False):
    """A world of one agent after a step, or as it stands.

    Attributes:
        x, y: the agent's cell.
        meters: normalised, in the order of METERS.
        money, mood: in their own units.
        action: the step's action; 0 without a step.
        reward, components: the step's reward, and the components (meters, interaction, proximity, hunger,
            ending) that add up to it. The components are None without a step.
        terminated, truncated, failure_reason: how the step ended the episode, if it did.
        q_values, attention: five values and six rows of six, of the observation the action was chosen from
            (without a step: of the present one), if they were asked for and the policy has them.
        option_values: likewise, the values of its options; asked for with `q_values`.
    """

    x: int
    y: int
    meters: list[float]
    money: float
    mood: float
    action: int = 0
    reward: float = 0.0
    components: list[float] | None = None
    terminated: bool = False
    truncated: bool = False
    failure_reason: str | None = None
    q_values: list[float] | None = None
    attention: list[list[float]] | None = None
    option_values: list[OptionValue] | None = None


class ShownOutputs(NamedTuple):
    """A policy's outputs for one observation, as they are shown; None for those not wanted or not there."""

    q_values: list[float] | None = None
    attention: list[list[float]] | None = None
    option_values: list[OptionValue] | None = None


class PolicyView(Struct, frozen=True):
    """Which of a policy's outputs frames show."""

    q_values: bool = False
    attention: bool = False


NO_POLICY_VIEW: Final = PolicyView()


def heat_map_of(visits: Mapping[str, int]) -> dict[str, float]:
    """Return the heat map of the visits by cell "x,y": shares of the most visited one, to three decimals."""
    most = max(visits.values(), default=1)
    return {cell: _share(count, most) for cell, count in visits.items()}


def _share(visits: int, most: int) -> float:
    """Round to three decimals, half up; integers avoid the slow `round`."""
    return (2000 * visits + most) // (2 * most) / 1000


class VisitCounter:
    """Count the visits of each cell, and keep the heat map up to date visit by visit.

    `heat_map` maps "x,y" to 0..1 for visited cells only.
    """

    def __init__(self, config: WorldConfig) -> None:
        self._keys = [[f"{x},{y}" for y in range(config.height)] for x in range(config.width)]
        self._visits: dict[str, int] = {}
        self._most = 1
        self.heat_map: dict[str, float] = {}

    def visit(self, x: int, y: int) -> None:
        """Count one visit."""
        key = self._keys[x][y]
        count = self._visits.get(key, 0) + 1
        self._visits[key] = count
        if count > self._most:
            self._most = count
            self.heat_map = heat_map_of(self._visits)
        else:
            self.heat_map[key] = _share(count, self._most)

    @property
    def visits(self) -> dict[str, int]:
        """A copy of the visits of each visited cell."""
        return dict(self._visits)

    def replace(self, visits: dict[str, int]) -> None:
        """Replace all visits by these."""
        self._visits = dict(visits)
        self._most = max(visits.values(), default=1)
        self.heat_map = heat_map_of(visits)


class FrameBuilder:
    """Build the frames of worlds of one configuration. What all frames share is built once."""

    def __init__(self, config: WorldConfig) -> None:
        self._width = config.width
        self._height = config.height
        self._grid = TrainingGrid(config.width, config.height)
        self._affordances = [
            AffordanceMarker(
                place.shown_type,
                place.x,
                place.y,
                label=UNSET if place.name == place.shown_type else place.name,
            )
            for place in config.affordances
        ]

    def session_frame(
        self,
        snapshot: WorldSnapshot,
        *,
        episode: int,
        step: int,
        total_reward: float,
        heat_map: dict[str, float],
        view: PolicyView,
    ) -> StateUpdate:
        """Return a frame for `/ws`. `total_reward` is the episode's return so far."""
        last_action: LastAction = _ACTIONS[snapshot.action] if step else ""
        return StateUpdate(
            step=step,
            action=snapshot.action,
            reward=snapshot.reward,
            cumulative_reward=total_reward,
            done=snapshot.terminated or snapshot.truncated,
            grid=InferenceGrid(
                self._width,
                self._height,
                [AgentMarker(AGENT_ID, snapshot.x, snapshot.y, AGENT_COLOR, last_action)],
                self._affordances,
            ),
            agents=_agents(snapshot, last_action),
            info=StepInfo(step, snapshot.failure_reason),
            episode=episode,
            heat_map=heat_map,
            truncated=snapshot.truncated,
            reward_breakdown=RewardBreakdown(*snapshot.components) if snapshot.components else UNSET,
            q_values=snapshot.q_values if view.q_values and snapshot.q_values is not None else UNSET,
            attention=snapshot.attention if view.attention else UNSET,
            option_values=(
                snapshot.option_values if view.q_values and snapshot.option_values is not None else UNSET
            ),
        )

    def training_frame(
        self,
        snapshot: WorldSnapshot,
        *,
        episode: int,
        step: int,
        total_reward: float,
        heat_map: dict[str, float],
        epsilon: float,
    ) -> TrainingStateUpdate:
        """Return a frame for `/ws/training`."""
        last_action, reward = _ACTIONS[snapshot.action], snapshot.reward
        return TrainingStateUpdate(
            step=step,
            action=snapshot.action,
            reward=reward,
            cumulative_reward=total_reward,
            done=snapshot.terminated or snapshot.truncated,
            grid=self._grid,
            agents=[AgentMarker(AGENT_ID, snapshot.x, snapshot.y, AGENT_COLOR, last_action, reward)],
            agent_meters=_agents(snapshot, last_action),
            affordances=self._affordances,
            info=StepInfo(step, snapshot.failure_reason),
            episode=episode,
            heat_map=heat_map,
            epsilon=epsilon,
        )


def _agents(snapshot: WorldSnapshot, last_action: LastAction) -> dict[str, AgentState]:
    """Return the agents' state by id; money and mood are shown in their own units, the others normalised."""
    meters = snapshot.meters
    return {
        AGENT_ID: AgentState(
            Meters(
                meters[_ENERGY],
                meters[_HYGIENE],
                meters[_SATIATION],
                snapshot.money,
                snapshot.mood,
                meters[_SOCIAL],
            ),
            last_action,
            snapshot.reward,
        )
    }
