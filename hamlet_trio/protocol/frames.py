"""Build the frames of both endpoints from a world's state. Unlike the rest of `protocol`, imports numpy."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, Struct

from hamlet_trio.common.agents import AGENT_COLORS, AGENT_IDS
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


class AgentSnapshot(Struct, frozen=True, gc=False):
    """One of several agents after a step, or as it stands.

    Attributes:
        x, y, meters, money, mood, reward, components, raw: as in `WorldSnapshot`.
        action: None without a step, and for an agent that had ended before it.
        failure_reason: why it ended, at this step or before; None while it is alive.
        waiting_for: number of the agent that an affordance served in its place, or -1.
    """

    x: int
    y: int
    meters: list[float]
    money: float
    mood: float
    action: int | None
    reward: float
    components: list[float] | None
    failure_reason: str | None
    waiting_for: int
    raw: list[float] | tuple[()] = ()


class WorldSnapshot(Struct, frozen=True, gc=False):
    """A world after a step, or as it stands. Of several agents, the fields but the last are the first one's.

    Attributes:
        x, y: the agent's cell.
        meters: normalised, in the order of METERS.
        money, mood: in their own units.
        raw: all six meters in their own units, from which the world's state is restored bit for bit; empty
            where nobody restores it.
        action: the step's action; 0 without a step.
        reward, components: the step's reward, and the components (meters, interaction, proximity, hunger,
            ending) that add up to it. The components are None without a step.
        terminated, truncated, failure_reason: how the step ended the episode, if it did. With several agents
            it ends when the last one fails; then there is no reason here.
        q_values, attention: five values and six rows of six, of the observation the action was chosen from
            (without a step: of the present one), if they were asked for and the policy has them.
        option_values: likewise, the values of its options; asked for with `q_values`.
        company: all agents in their order, where there are several; else empty.
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
    company: tuple[AgentSnapshot, ...] = ()
    raw: list[float] | tuple[()] = ()


class ShownOutputs(NamedTuple):
    """A policy's outputs for one observation, as they are shown; None for those not wanted or not there."""

    q_values: list[float] | None = None
    attention: list[list[float]] | None = None
    option_values: list[OptionValue] | None = None


class PolicyView(Struct, frozen=True):
    """Which of a policy's outputs frames show, and of several agents whose."""

    q_values: bool = False
    attention: bool = False
    agent: int = 0

    @property
    def wants_outputs(self) -> bool:
        """Whether frames show any."""
        return self.q_values or self.attention


NO_POLICY_VIEW: Final = PolicyView()


def heat_map_of(visits: Mapping[str, int]) -> dict[str, float]:
    """Return the heat map of the visits by cell "x,y": shares of the most visited one, to three decimals."""
    most = max(visits.values(), default=1)
    return {cell: _share(count, most) for cell, count in visits.items()}


def _share(visits: int, most: int) -> float:
    """Round to three decimals, half up; integers avoid the slow `round`."""
    return (2000 * visits + most) // (2 * most) / 1000


@lru_cache(maxsize=64)
def _cell_keys(width: int, height: int) -> tuple[tuple[str, ...], ...]:
    """Return the key "x,y" of each cell, by column and row; all sessions in grids of this size share them."""
    return tuple(tuple(f"{x},{y}" for y in range(height)) for x in range(width))


class VisitCounter:
    """Count the visits of each cell, and keep the heat map up to date visit by visit.

    `heat_map` maps "x,y" to 0..1 for visited cells only.
    """

    def __init__(self, config: WorldConfig) -> None:
        self._keys = _cell_keys(config.width, config.height)
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

    @property
    def counts(self) -> Mapping[str, int]:
        """The visits of each visited cell as they stand, which change with the next visit."""
        return self._visits

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
        totals: Sequence[float] = (),
        first_failure: str | None = None,
    ) -> StateUpdate:
        """Return a frame for `/ws`. `total_reward` is the episode's return so far.

        Where there are several agents, `totals` are those of all, and `first_failure` is why the first one
        failed that did.
        """
        last_action: LastAction = _ACTIONS[snapshot.action] if step else ""
        company = snapshot.company
        failure = snapshot.failure_reason
        if company:
            last_action = _last_action(company[0])
            failure = first_failure if snapshot.terminated or snapshot.truncated else None
        return StateUpdate(
            step=step,
            action=snapshot.action,
            reward=snapshot.reward,
            cumulative_reward=total_reward,
            done=snapshot.terminated or snapshot.truncated,
            grid=InferenceGrid(
                self._width,
                self._height,
                _markers(company)
                if company
                else [AgentMarker(AGENT_ID, snapshot.x, snapshot.y, AGENT_COLOR, last_action)],
                self._affordances,
            ),
            agents=_company(company, totals) if company else _agents(snapshot, last_action),
            info=StepInfo(step, failure),
            episode=episode,
            heat_map=heat_map,
            truncated=snapshot.truncated,
            reward_breakdown=RewardBreakdown(*snapshot.components) if snapshot.components else UNSET,
            q_values=snapshot.q_values if view.q_values and snapshot.q_values is not None else UNSET,
            attention=snapshot.attention if view.attention else UNSET,
            option_values=(
                snapshot.option_values if view.q_values and snapshot.option_values is not None else UNSET
            ),
            view_agent=AGENT_IDS[view.agent] if company and view.wants_outputs else UNSET,
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
        totals: Sequence[float] = (),
    ) -> TrainingStateUpdate:
        """Return a frame for `/ws/training`; `totals` are the returns of all agents, where there are several.

        The snapshot has the failure that ended the episode, with several agents the first one's.
        """
        last_action: LastAction = _ACTIONS[snapshot.action]
        reward, company = snapshot.reward, snapshot.company
        if company:
            last_action = _last_action(company[0])
        return TrainingStateUpdate(
            step=step,
            action=snapshot.action,
            reward=reward,
            cumulative_reward=total_reward,
            done=snapshot.terminated or snapshot.truncated,
            grid=self._grid,
            agents=_markers(company, with_rewards=True)
            if company
            else [AgentMarker(AGENT_ID, snapshot.x, snapshot.y, AGENT_COLOR, last_action, reward)],
            agent_meters=_company(company, totals) if company else _agents(snapshot, last_action),
            affordances=self._affordances,
            info=StepInfo(step, snapshot.failure_reason),
            episode=episode,
            heat_map=heat_map,
            epsilon=epsilon,
        )


def _agents(snapshot: WorldSnapshot, last_action: LastAction) -> dict[str, AgentState]:
    """Return the one agent's state by its id."""
    return {AGENT_ID: AgentState(_meters(snapshot), last_action, snapshot.reward)}


def _meters(agent: WorldSnapshot | AgentSnapshot) -> Meters:
    """Return an agent's meters; money and mood are shown in their own units, the others normalised."""
    meters = agent.meters
    return Meters(
        meters[_ENERGY], meters[_HYGIENE], meters[_SATIATION], agent.money, agent.mood, meters[_SOCIAL]
    )


def _last_action(agent: AgentSnapshot) -> LastAction:
    return "" if agent.action is None else _ACTIONS[agent.action]


def _markers(company: Sequence[AgentSnapshot], *, with_rewards: bool = False) -> list[AgentMarker]:
    return [
        AgentMarker(
            agent_id, agent.x, agent.y, color, _last_action(agent), agent.reward if with_rewards else UNSET
        )
        for agent_id, color, agent in zip(AGENT_IDS, AGENT_COLORS, company, strict=False)
    ]


def _company(company: Sequence[AgentSnapshot], totals: Sequence[float]) -> dict[str, AgentState]:
    """Return the states of several agents, as `_agents` that of one."""
    states: dict[str, AgentState] = {}
    for agent_id, agent, total in zip(AGENT_IDS, company, totals, strict=False):
        states[agent_id] = AgentState(
            _meters(agent),
            _last_action(agent),
            agent.reward,
            alive=agent.failure_reason is None,
            failure_reason=agent.failure_reason,
            cumulative_reward=total,
            waiting_for=UNSET if agent.waiting_for < 0 else AGENT_IDS[agent.waiting_for],
            reward_breakdown=RewardBreakdown(*agent.components) if agent.components else UNSET,
        )
    return states
