"""What the server sends on `/ws/training`."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from hamlet_trio.protocol.deltas import Base, FrameForm, TrainingStateDelta
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.errors import Error
from hamlet_trio.protocol.frame_parts import (
    Action,
    Affordances,
    Agents,
    AgentStates,
    CumulativeReward,
    Done,
    EpisodeNumber,
    HeatMap,
    Info,
    NumAgents,
    StepNumber,
    StepReward,
    TrainingGrid,
)
from hamlet_trio.protocol.parameters import NetworkTypeOfModel, TrainingParameters
from hamlet_trio.protocol.sweeps import SweepProgress, SweepStatus
from hamlet_trio.protocol.world_info import WorldInfo

TrainingState = Literal["idle", "starting", "running", "paused", "unresponsive", "stopping", "failed"]

RunId = Annotated[str, Meta(description="id of the run, which `resume_from` accepts")]
RunEpisodes = Annotated[int, Meta(description="number of episodes the run will have")]
RunEpisode = Annotated[int, Meta(description="number of the current episode")]
RunStep = Annotated[int, Meta(description="number of the last step made in that episode")]
Epsilon = Annotated[float, Meta(description="share of random actions (exploration)")]
MeanReturn5 = Annotated[float, Meta(description="mean return of the last 5 episodes")]
MeanLength5 = Annotated[float, Meta(description="mean length of the last 5 episodes")]
SavedPath = Annotated[
    str | None, Meta(description="`models/trained_agent.pt` if the run saved a model, or null")
]
OwnModel = Annotated[str | None, Meta(description="file name of the model that this run saved, or null")]
EndReason = Annotated[str, Meta(description="the cause, in one sentence")]


class TrainingStatus(Struct, frozen=True, tag_field="type", tag="training_status"):
    """The run's state: sent first on connect, on `status`, and to everyone at each change of state."""

    is_training: Annotated[bool, Meta(description="whether there is a run, running or paused")]
    current_episode: RunEpisode
    total_episodes: RunEpisodes
    state: Annotated[TrainingState, Meta(description="state of the run")]
    parameters: Annotated[
        TrainingParameters | None,
        Meta(description="parameters in force, with the chosen seed; between runs, those of the last run"),
    ]
    viewers: Annotated[int, Meta(description="number of connections to `/ws/training`")]
    run_id: Annotated[str | None, Meta(description="id of the run, which `resume_from` accepts")] = None
    reason: Annotated[str | None, Meta(description="why the last run failed, if it did")] = None
    resumable: Annotated[
        list[str], Meta(description="ids of interrupted runs, which `resume_from` accepts")
    ] = []


class TrainingStarted(Struct, frozen=True, tag_field="type", tag="training_started"):
    """A run began."""

    num_episodes: RunEpisodes
    run_id: RunId
    parameters: Annotated[TrainingParameters, Meta(description="parameters in force, with the chosen seed")]
    network_type: NetworkTypeOfModel
    device: Annotated[str, Meta(description="device the learner computes on")]
    world: Annotated[WorldInfo, Meta(description="world of the run")]
    num_agents: NumAgents = 1


class TrainingEpisodeStart(Struct, frozen=True, tag_field="type", tag="episode_start"):
    """A shown episode begins; of a hidden episode only episode_complete is sent."""

    episode: EpisodeNumber
    epsilon: Epsilon
    num_agents: NumAgents = 1


class TrainingStateUpdate(Struct, frozen=True, tag_field="type", tag="state_update"):
    """A frame of a shown episode, from step 1 on. The heat map covers the whole run."""

    step: StepNumber
    action: Action
    reward: StepReward
    cumulative_reward: CumulativeReward
    done: Done
    grid: Annotated[TrainingGrid, Meta(description="size of the grid")]
    agents: Agents
    agent_meters: AgentStates
    affordances: Affordances
    info: Info
    episode: EpisodeNumber
    heat_map: HeatMap
    epsilon: Epsilon
    base: Base | UnsetType = UNSET


class TrainingView(Struct, frozen=True, tag_field="type", tag="view"):
    """Acknowledges set_view: the form of this viewer's frames from now on."""

    frames: FrameForm


class Paused(Struct, frozen=True, tag_field="type", tag="paused"):
    """Training is paused, between two environment steps."""

    episode: RunEpisode
    step: RunStep


class Resumed(Struct, frozen=True, tag_field="type", tag="resumed"):
    """Training goes on, at the very next step."""

    episode: RunEpisode
    step: RunStep


class CheckpointSaved(Struct, frozen=True, tag_field="type", tag="checkpoint_saved"):
    """A checkpoint was saved."""

    model: Annotated[str, Meta(description="file name of the run's model")]
    episode: Annotated[int, Meta(description="number of episodes it was trained for")]


class TrainingComplete(Struct, frozen=True, tag_field="type", tag="training_complete"):
    """The run made all its episodes, and its last checkpoint is saved."""

    model_saved: Annotated[
        str, Meta(description="always `models/trained_agent.pt`, the name of the last finished run's model")
    ]
    final_avg_reward: MeanReturn5
    final_avg_length: MeanLength5
    model: OwnModel = None


class TrainingStopped(Struct, frozen=True, tag_field="type", tag="training_stopped"):
    """The run was ended on request, after saving."""

    reason: EndReason
    model_saved: SavedPath
    model: OwnModel = None
    restart: Annotated[bool, Meta(description="always false")] = False


class TrainingFailed(Struct, frozen=True, tag_field="type", tag="training_failed"):
    """The trainer failed."""

    reason: EndReason
    model_saved: SavedPath
    restart: Annotated[
        bool, Meta(description="whether the run goes on from its last autosave; without, it is over")
    ]
    model: OwnModel = None


RunEvent = (
    TrainingStarted | Paused | Resumed | CheckpointSaved | TrainingComplete | TrainingStopped | TrainingFailed
)


class PastEvent(Struct, frozen=True):
    """A message that was sent before this viewer came."""

    time: Annotated[float, Meta(description="when it was sent; seconds since 1970, UTC")]
    event: Annotated[RunEvent, Meta(description="the message as it was sent")]


class TrainingHistory(Struct, frozen=True, tag_field="type", tag="training_history"):
    """The episodes of the run so far, or of the last one, thinned evenly past 2,000."""

    episodes: Annotated[list[EpisodeComplete], Meta(description="finished episodes, oldest first")]
    total: Annotated[int, Meta(description="number of episodes before thinning")]
    events: Annotated[
        list[PastEvent] | UnsetType,
        Meta(description="what happened in the runs of this server, oldest first; the last 200"),
    ] = UNSET


class TrainingForecast(Struct, frozen=True, tag_field="type", tag="training_forecast"):
    """How long the run will still take: at most once a second, and to each viewer that comes."""

    seconds_left: Annotated[
        float, Meta(description="seconds until the run has learnt its last episode, if it is not paused")
    ]


TrainingMessage = (
    TrainingStatus
    | TrainingHistory
    | TrainingForecast
    | TrainingStarted
    | TrainingEpisodeStart
    | TrainingStateUpdate
    | TrainingStateDelta
    | TrainingView
    | EpisodeComplete
    | Paused
    | Resumed
    | CheckpointSaved
    | TrainingComplete
    | TrainingStopped
    | TrainingFailed
    | SweepStatus
    | SweepProgress
    | Error
)
