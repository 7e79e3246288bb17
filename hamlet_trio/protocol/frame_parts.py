"""The parts of a frame that messages of both endpoints are made of."""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from hamlet_trio.common.agents import AGENT_COLORS, AGENT_IDS, AgentId

AGENT_ID: Final = AGENT_IDS[0]
AGENT_COLOR: Final = AGENT_COLORS[0]
"""The id and colour of the first agent, which every field of a single agent is about."""

ActionName = Literal["up", "down", "left", "right", "interact"]

Unit = Annotated[float, Meta(ge=0, le=1)]
Fullness = Annotated[float, Meta(ge=0, le=1, description="0 empty, 1 full")]
Column = Annotated[int, Meta(description="column, 0 at the left")]
Row = Annotated[int, Meta(description="row, 0 at the top")]
Width = Annotated[int, Meta(description="cells from left to right")]
Height = Annotated[int, Meta(description="cells from top to bottom")]
EpisodeNumber = Annotated[int, Meta(description="number of the episode, from 1")]
StepNumber = Annotated[int, Meta(description="number of the step in its episode, from 1; 0 before the first")]
StepReward = Annotated[float, Meta(description="reward of this step")]
CumulativeReward = Annotated[float, Meta(description="return of the episode so far")]
Done = Annotated[bool, Meta(description="whether this step ended the episode")]
Action = Annotated[
    int, Meta(ge=0, le=4, description="action taken: 0 up, 1 down, 2 left, 3 right, 4 interact")
]
LastAction = Annotated[
    ActionName | Literal[""],
    Meta(description="action the agent took at this step; empty at step 0 and after the agent's end"),
]
FailureReason = Annotated[str | None, Meta(description="failure that ended the episode, or null")]
HeatMap = Annotated[
    dict[str, Unit], Meta(description='visits of each cell "x,y", relative to the most visited cell')
]


class Meters(Struct, frozen=True):
    """The six meters: energy, hygiene, satiation and social normalised to 0..1; money and mood absolute."""

    energy: Fullness
    hygiene: Fullness
    satiation: Fullness
    money: Annotated[float, Meta(description="in its own unit, -100 to 100")]
    mood: Annotated[float, Meta(description="in its own unit, 0 to 100")]
    social: Fullness


class AgentMarker(Struct, frozen=True):
    """One agent as drawn on the grid."""

    id: Annotated[str, Meta(description="`agent_0`, and so on")]
    x: Column
    y: Row
    color: Annotated[str, Meta(description="colour to draw the agent in, as `#rrggbb`")]
    last_action: LastAction
    reward: StepReward | UnsetType = UNSET


class AffordanceMarker(Struct, frozen=True):
    """One affordance as drawn on the grid."""

    type: Annotated[str, Meta(description="one of the eight known types, such as `Bed`")]
    x: Column
    y: Row
    qualifier: Annotated[str, Meta(description="always empty; kept for older pages")] = ""
    label: Annotated[
        str | UnsetType, Meta(description="name of the affordance, where it is not its type")
    ] = UNSET


Agents = Annotated[list[AgentMarker], Meta(description="each agent: its cell, colour and last action")]
Affordances = Annotated[list[AffordanceMarker], Meta(description="each affordance and its cell")]


class InferenceGrid(Struct, frozen=True):
    """The grid of a frame on `/ws` with the agents and affordances on it."""

    width: Width
    height: Height
    agents: Agents
    affordances: Affordances


class TrainingGrid(Struct, frozen=True):
    """The grid of a frame on `/ws/training`: its size alone; agents and affordances stand beside it."""

    width: Width
    height: Height


class RewardBreakdown(Struct, frozen=True):
    """The terms that add up to a step's reward."""

    meters: Annotated[float, Meta(description="for how full the meters are")]
    interaction: Annotated[float, Meta(description="for an interaction that met a need")]
    proximity: Annotated[float, Meta(description="for being near the place of the most critical meter")]
    hunger: Annotated[float, Meta(description="for being far from a meal while hungry")]
    ending: Annotated[float, Meta(description="for a failure that ended the episode")]


class AgentState(Struct, frozen=True):
    """One agent's meters, last action and the reward of that step.

    The other fields are there where there are several agents.
    """

    meters: Annotated[Meters, Meta(description="the agent's meters")]
    last_action: LastAction
    reward: StepReward
    alive: Annotated[bool | UnsetType, Meta(description="whether the agent has not failed")] = UNSET
    failure_reason: Annotated[
        str | UnsetType | None, Meta(description="failure that ended the agent, or null")
    ] = UNSET
    cumulative_reward: Annotated[
        float | UnsetType, Meta(description="return of the agent in the episode so far")
    ] = UNSET
    waiting_for: Annotated[
        AgentId | UnsetType,
        Meta(description="agent that was served before it, where an affordance serves one a step"),
    ] = UNSET
    reward_breakdown: Annotated[RewardBreakdown | UnsetType, Meta(description="the terms of `reward`")] = (
        UNSET
    )


NumAgents = Annotated[int, Meta(description="number of agents")]


AgentStates = Annotated[
    dict[str, AgentState], Meta(description="meters, last action and reward of each agent, by its id")
]


class StepInfo(Struct, frozen=True):
    """The step's number and, on the last step of an episode, the failure that ended it."""

    step: StepNumber
    failure_reason: FailureReason


Info = Annotated[StepInfo, Meta(description="number of the step, and the failure that ended the episode")]


class OptionValue(Struct, frozen=True):
    """One option of a network that chooses among options: a walk to a place, and its use."""

    place: Annotated[str, Meta(description="name of the affordance")]
    value: Annotated[float, Meta(description="value of the option")]
