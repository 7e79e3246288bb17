"""The frames and other messages that a session sends, made from moments."""

from typing import Final

import msgspec
from msgspec import UNSET

from hamlet_trio.inference.engine_messages import PolicyView, WorldSnapshot
from hamlet_trio.protocol.messages import (
    AGENT_COLOR,
    AGENT_ID,
    ActionName,
    AffordanceMarker,
    AgentMarker,
    AgentState,
    InferenceGrid,
    Meters,
    RewardBreakdown,
    StateUpdate,
    StepInfo,
)
from hamlet_trio.world import ACTIONS, METERS, WorldConfig

_ACTIONS = msgspec.convert(ACTIONS, tuple[ActionName, ...])
_ENERGY, _HYGIENE, _SATIATION = (METERS.index(name) for name in ("energy", "hygiene", "satiation"))
_SOCIAL: Final = METERS.index("social")


class HeatMap:
    """How often each cell was visited, over the most visited one; kept up to date visit by visit.

    `shares` maps "x,y" to 0..1, rounded to three decimals, for visited cells only.
    """

    def __init__(self, config: WorldConfig) -> None:
        self._keys = [[f"{x},{y}" for y in range(config.height)] for x in range(config.width)]
        self._visits: dict[str, int] = {}
        self._most = 1
        self.shares: dict[str, float] = {}

    def visit(self, x: int, y: int) -> None:
        """Count one visit."""
        key = self._keys[x][y]
        visits = self._visits.get(key, 0) + 1
        self._visits[key] = visits
        if visits > self._most:
            # An agent that stands still comes here with every step, so this avoids the slow `round`.
            self._most = visits
            self._recompute()
        else:
            self.shares[key] = (2000 * visits + self._most) // (2 * self._most) / 1000

    @property
    def visits(self) -> dict[str, int]:
        """A copy of the visits of each visited cell."""
        return dict(self._visits)

    def replace(self, visits: dict[str, int]) -> None:
        """Forget all visits but these."""
        self._visits = dict(visits)
        self._most = max(visits.values(), default=1)
        self._recompute()

    def _recompute(self) -> None:
        most = self._most
        self.shares = {cell: (2000 * n + most) // (2 * most) / 1000 for cell, n in self._visits.items()}


class FrameMaker:
    """Makes the frames of one session; what never changes in its world is made once, for all frames."""

    def __init__(self, config: WorldConfig) -> None:
        self._width = config.width
        self._height = config.height
        self._affordances = [AffordanceMarker(place.name, place.x, place.y) for place in config.affordances]

    def make(
        self,
        moment: WorldSnapshot,
        *,
        episode: int,
        step: int,
        total_reward: float,
        heat_map: HeatMap,
        thoughts: PolicyView,
    ) -> StateUpdate:
        """The frame of a moment. `total_reward` is the episode's return so far, `thoughts` what it shows."""
        reward = moment.reward
        last_action = _ACTIONS[moment.action]
        meters = moment.meters
        return StateUpdate(
            step=step,
            action=moment.action,
            reward=reward,
            cumulative_reward=total_reward,
            done=moment.terminated or moment.truncated,
            grid=InferenceGrid(
                self._width,
                self._height,
                [AgentMarker(AGENT_ID, moment.x, moment.y, AGENT_COLOR, last_action)],
                self._affordances,
            ),
            agents={
                AGENT_ID: AgentState(
                    Meters(
                        meters[_ENERGY],
                        meters[_HYGIENE],
                        meters[_SATIATION],
                        moment.money,
                        moment.mood,
                        meters[_SOCIAL],
                    ),
                    last_action,
                    reward,
                )
            },
            info=StepInfo(step, moment.failure_reason),
            episode=episode,
            heat_map=heat_map.shares,
            truncated=moment.truncated,
            reward_breakdown=RewardBreakdown(*moment.components) if moment.components else UNSET,
            q_values=moment.q_values if thoughts.q_values and moment.q_values is not None else UNSET,
            attention=moment.attention if thoughts.attention else UNSET,
        )
