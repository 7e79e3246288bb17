"""What the server sends on `/ws`."""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from hamlet_trio.common.agents import AgentId, AgentResults
from hamlet_trio.protocol.class_player import ClassPlayer
from hamlet_trio.protocol.deltas import Base, FrameForm, StateDelta
from hamlet_trio.protocol.errors import Error
from hamlet_trio.protocol.frame_parts import (
    Action,
    AgentStates,
    CumulativeReward,
    Done,
    EpisodeNumber,
    FailureReason,
    HeatMap,
    Height,
    InferenceGrid,
    Info,
    Meters,
    NumAgents,
    OptionValue,
    RewardBreakdown,
    StepNumber,
    StepReward,
    Width,
)
from hamlet_trio.protocol.parameters import NetworkTypeOfModel
from hamlet_trio.protocol.world_info import WorldInfo
from hamlet_trio.recording.info import LastChance, Markers, RecordingInfo

PROTOCOL_VERSION: Final = 10

StartKind = Literal["usual", "random", "chosen"]
Controller = Literal["policy", "human", "recording"]

ModelName = Annotated[
    str | None, Meta(description="file name of the model that plays; null: untrained agent")
]
ModelNames = Annotated[
    dict[str, str | None],
    Meta(description="file name of each agent's model, by the agent's id, where there are several agents"),
]
RecordingId = Annotated[str | None, Meta(description="recording's id, or null for the session's own episode")]
Attention = list[list[float]]


class Connected(Struct, frozen=True, tag_field="type", tag="connected"):
    """The first message on `/ws`."""

    available_models: Annotated[list[str], Meta(description="file names that `load_model` accepts")]
    session_id: Annotated[str, Meta(description="id of this session in the server's log")]
    model_name: ModelName
    network_type: NetworkTypeOfModel
    world: Annotated[WorldInfo, Meta(description="world of the session")]
    protocol_version: Annotated[int, Meta(description="grows with each addition to the protocol")] = (
        PROTOCOL_VERSION
    )
    num_agents: NumAgents = 1
    resume: Annotated[
        str | None,
        Meta(
            description="secret text by which `resume_session` goes on with this session on another "
            "connection; null where sessions are not kept"
        ),
    ] = None
    proof: Annotated[
        str, Meta(description="shows on `/ws/room` that this session is one's own; for nobody else")
    ] = ""


class SessionResumed(Struct, frozen=True, tag_field="type", tag="session_resumed"):
    """Acknowledges resume_session: the other connection's session goes on here, under its own `resume`.

    `replay_started` follows if a replay was on, then `playback` and the frame on screen.
    """

    session_id: Annotated[str, Meta(description="id of the session in the server's log")]
    episode: EpisodeNumber
    step: Annotated[int, Meta(description="step at which the episode goes on")]
    model_name: ModelName
    network_type: NetworkTypeOfModel
    world: Annotated[WorldInfo, Meta(description="world of the session")]
    missed: Annotated[int, Meta(description="steps that were played out unseen since the last snapshot")]
    num_agents: NumAgents = 1
    models: ModelNames | UnsetType = UNSET


class EpisodeStart(Struct, frozen=True, tag_field="type", tag="episode_start"):
    """An episode begins; the frame of step 0 follows."""

    episode: EpisodeNumber
    model_name: ModelName
    start: Annotated[
        StartKind,
        Meta(description="how it begins: at the world's usual start, at random, or as `set_start` chose"),
    ] = "usual"
    num_agents: NumAgents = 1
    models: ModelNames | UnsetType = UNSET


class StateUpdate(Struct, frozen=True, tag_field="type", tag="state_update"):
    """The world after a step. Step 0 is the start: `action` is 0, `last_action` empty, reward 0.

    `q_values` and `attention` are those from which the action was chosen (at step 0: of the first
    observation). Where there are several agents, `action`, `reward`, `cumulative_reward` and
    `reward_breakdown` are those of `agent_0`, and `failure_reason` is that of the first agent to fail.
    """

    step: StepNumber
    action: Action
    reward: StepReward
    cumulative_reward: CumulativeReward
    done: Done
    grid: Annotated[InferenceGrid, Meta(description="the grid, with the agents and affordances on it")]
    agents: AgentStates
    info: Info
    episode: EpisodeNumber
    heat_map: HeatMap
    truncated: (
        Annotated[bool, Meta(description="whether the episode ended at `max_steps`, without a failure")]
        | UnsetType
    ) = UNSET
    reward_breakdown: Annotated[RewardBreakdown, Meta(description="the terms of `reward`")] | UnsetType = (
        UNSET
    )
    q_values: (
        Annotated[
            list[float], Meta(description="Q-values of the five actions, where `set_view` asked for them")
        ]
        | UnsetType
    ) = UNSET
    attention: Annotated[
        Attention | UnsetType | None,
        Meta(
            description="attention among the six meters, 6 rows of 6, where `set_view` asked for it; null "
            "for a network without attention"
        ),
    ] = UNSET
    view_agent: (
        Annotated[
            AgentId,
            Meta(
                description="agent whose policy's outputs the frame carries, where there are several agents"
            ),
        ]
        | UnsetType
    ) = UNSET
    option_values: (
        Annotated[
            list[OptionValue],
            Meta(
                description="values of the options, where `set_view` asked for Q-values and the network "
                "chooses among options"
            ),
        ]
        | UnsetType
    ) = UNSET
    base: Base | UnsetType = UNSET
    visits: (
        Annotated[
            list[int],
            Meta(description="visits of each cell, row by row from the top left, where there is a `base`"),
        ]
        | UnsetType
    ) = UNSET


class EpisodeEnd(Struct, frozen=True, tag_field="type", tag="episode_end"):
    """An episode is over.

    Where there are several agents, `total_reward` is that of `agent_0`, and `failure_reason` is that of the
    first agent to fail.
    """

    episode: EpisodeNumber
    steps: Annotated[int, Meta(description="length of the episode")]
    total_reward: Annotated[float, Meta(description="return of the episode")]
    reason: Annotated[
        Literal["meter_depleted", "max_steps", "reset", "model_changed"],
        Meta(description="an empty meter, the step limit, `reset`, or a newly loaded model"),
    ]
    failure_reason: FailureReason
    agents: AgentResults | UnsetType = UNSET


class ModelLoaded(Struct, frozen=True, tag_field="type", tag="model_loaded"):
    """The session plays this model from the next episode on, which follows at once.

    `model` is null where a person has gone to a world that no model of the session can read: the untrained
    agent stands in.
    """

    model: ModelName
    network_type: NetworkTypeOfModel
    agent: Annotated[AgentId | UnsetType, Meta(description="agent that plays it; left out: all")] = UNSET


class WorldSet(Struct, frozen=True, tag_field="type", tag="world_set"):
    """The session plays in this world from the next episode on, which follows at once."""

    world: Annotated[WorldInfo, Meta(description="world of the session")]


class Playback(Struct, frozen=True, tag_field="type", tag="playback"):
    """Whether and how fast the session plays: acknowledges play, pause, set_speed, seek, status and control.

    In a replay `controller` is "recording"; a replay that reaches its end sends this unasked, with `playing`
    false.
    """

    playing: Annotated[bool, Meta(description="whether the session steps by itself")]
    speed: Annotated[float, Meta(description="multiple of 10 steps/s in use, after clamping")]
    controller: Annotated[Controller, Meta(description="what chooses the actions")]
    agent: Annotated[
        AgentId | UnsetType, Meta(description="agent that the person plays, where there are several")
    ] = UNSET


class View(Struct, frozen=True, tag_field="type", tag="view"):
    """Acknowledges set_view: the extra fields that frames carry from now on.

    It includes the values of the observation on screen, so that a paused page need not wait for a step.
    """

    q_values: Annotated[bool, Meta(description="whether frames carry Q-values")]
    attention: Annotated[bool, Meta(description="whether frames carry attention weights")]
    current_q_values: Annotated[
        list[float] | None, Meta(description="Q-values of the observation on screen")
    ] = None
    current_attention: Annotated[
        Attention | None,
        Meta(
            description="attention weights of the observation on screen; null for a network without attention"
        ),
    ] = None
    current_option_values: Annotated[
        list[OptionValue] | None,
        Meta(description="values of the options in the observation on screen; null without options"),
    ] = None
    agent: Annotated[
        AgentId | UnsetType, Meta(description="agent whose outputs frames carry, where there are several")
    ] = UNSET
    frames: FrameForm = "full"


class PolicyMap(Struct, frozen=True, tag_field="type", tag="policy_map"):
    """Answers get_policy_map: what the model would do in each cell, with the same meters everywhere.

    `actions` and `values` have width x height entries, row by row from the top left. Messages of other
    commands may come before it; `episode` and `step` tell which situation it is of.
    """

    episode: EpisodeNumber
    step: StepNumber
    model_name: ModelName
    width: Width
    height: Height
    meters: Annotated[Meters, Meta(description="meters that the model was asked with")]
    actions: Annotated[list[Action], Meta(description="action that the model would take in each cell")]
    values: Annotated[
        list[float], Meta(description="greatest Q-value in each cell, rounded to three decimals")
    ]
    agent: Annotated[
        AgentId | UnsetType, Meta(description="agent that was asked, where there are several")
    ] = UNSET


class RecordingSaved(Struct, frozen=True, tag_field="type", tag="recording_saved"):
    """Acknowledges record: the episode is on the disk."""

    recording: Annotated[RecordingInfo, Meta(description="facts of the new recording")]


class ReplayStarted(Struct, frozen=True, tag_field="type", tag="replay_started"):
    """A replay begins: of a recording or, after `seek`, of the session's own episode, which waits.

    `playback` and a frame come next. Frames are those of the replayed episode. A recording's heat map counts
    that episode alone, and `q_values` and `attention` are there where the recording has them.
    """

    recording: RecordingId
    model_name: ModelName
    episode: Annotated[int, Meta(description="number of the replayed episode, in its run or session")]
    steps: Annotated[int, Meta(description="last step to which `seek` can go")]
    markers: Markers
    can_branch: Annotated[bool, Meta(description="whether the session can go on from a step of the replay")]
    num_agents: NumAgents = 1
    q_value_range: Annotated[
        list[float] | None,
        Meta(
            description="lowest and highest Q-value of the replay, on which films draw them; null without any"
        ),
    ] = None


class ReplayEnded(Struct, frozen=True, tag_field="type", tag="replay_ended"):
    """The session's own episode is shown again.

    After `leave_replay`, `playback` and the frame at which it waits follow; otherwise what ended the replay:
    `branched`, or the next episode.
    """

    recording: RecordingId


class Branched(Struct, frozen=True, tag_field="type", tag="branched"):
    """An episode begins in the middle of another one: its steps up to `step` are those of the other.

    It takes the place of `episode_start`; the frame of step `step` + 1 is its first.
    """

    episode: EpisodeNumber
    model_name: ModelName
    step: Annotated[int, Meta(description="step from which the new episode goes on")]
    recording: RecordingId
    num_agents: NumAgents = 1


class Death(Struct, frozen=True):
    """How an episode failed, looked at from its end."""

    failure_reason: Annotated[str, Meta(description="failure that ended the episode")]
    meter: Annotated[str, Meta(description="meter that was empty")]
    last_chance: Annotated[
        LastChance | None,
        Meta(description="until when it could have been refilled; null where that is not known"),
    ]
    lonely_since: Annotated[
        int | None,
        Meta(
            description="where the mood collapsed: since which step loneliness had lowered it without a break"
        ),
    ]


class Life(Struct, frozen=True, kw_only=True, tag_field="type", tag="life"):
    """Answers `get_life`: an episode of N steps in columns, whose row k is the world after step k * `stride`.

    The last row is that of step N. Values are rounded: meters to four decimals, returns to three.
    """

    recording: RecordingId
    model_name: ModelName
    episode: Annotated[int, Meta(description="number of the episode, in its run or session")]
    steps: Annotated[int, Meta(description="N, the number of steps so far")]
    stride: Annotated[int, Meta(description="steps from row to row; 1 up to 2,000 steps")]
    meters: Annotated[dict[str, list[float]], Meta(description="each meter by its name, as a part of 1")]
    returns: Annotated[list[float], Meta(description="return of the episode up to each row's step")]
    cells: Annotated[list[list[int]], Meta(description="the agent's cell, x and y")]
    markers: Markers
    death: Annotated[Death | None, Meta(description="how it failed; null without a failure")]
    agent: Annotated[
        AgentId | UnsetType, Meta(description="agent whose life it is, if there are several")
    ] = UNSET


class ClassJoined(Struct, frozen=True, tag_field="type", tag="class_joined"):
    """Answers `join_class`: who this session is on the class leaderboard."""

    player: Annotated[ClassPlayer, Meta(description="the session's player")]


InferenceMessage = (
    Connected
    | SessionResumed
    | EpisodeStart
    | StateUpdate
    | StateDelta
    | EpisodeEnd
    | ModelLoaded
    | WorldSet
    | Playback
    | View
    | PolicyMap
    | RecordingSaved
    | ReplayStarted
    | ReplayEnded
    | Branched
    | Life
    | ClassJoined
    | Error
)
