"""What the server sends, as typed structs; `encode` turns one into the text of a frame.

Floats are finite by construction: the world clamps its meters, and a run whose loss is no longer
finite fails.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.parameters import NetworkType, TrainingParameters
from hamlet_trio.recording.info import Marker, RecordingInfo

PROTOCOL_VERSION: Final = 3

Controller = Literal["policy", "human", "recording"]
ActionName = Literal["up", "down", "left", "right", "interact"]
Unit = Annotated[float, Meta(ge=0, le=1)]
HeatMap = Annotated[dict[str, Unit], Meta(description='visits of each cell "x,y" over the most visited one')]


class Meters(Struct, frozen=True):
    """energy, hygiene, satiation and social normalised to 0..1; money and mood absolute."""

    energy: Unit
    hygiene: Unit
    satiation: Unit
    money: float
    mood: float
    social: Unit


AGENT_ID: Final = "agent_0"
AGENT_COLOR: Final = "#2f6fed"
"""What the one agent of a session or a run is called and drawn in."""


class AgentMarker(Struct, frozen=True):
    """One agent as drawn on the grid: cell, colour and what it did last."""

    id: str
    x: int
    y: int
    color: str
    last_action: ActionName
    reward: float | UnsetType = UNSET


class AffordanceMarker(Struct, frozen=True):
    """One affordance as drawn on the grid. `qualifier` is kept for older pages and always empty."""

    type: str
    x: int
    y: int
    qualifier: str = ""


class InferenceGrid(Struct, frozen=True):
    """The grid of a frame on `/ws`, with all that stands on it."""

    width: int
    height: int
    agents: list[AgentMarker]
    affordances: list[AffordanceMarker]


class TrainingGrid(Struct, frozen=True):
    """The grid of a frame on `/ws/training`: its size alone; agents and affordances stand beside it."""

    width: int
    height: int


class AgentState(Struct, frozen=True):
    """One agent's meters, last action and the reward of that step."""

    meters: Meters
    last_action: ActionName
    reward: float


class StepInfo(Struct, frozen=True):
    """The step's number and, on the last step of an episode, which meter failed."""

    step: int
    failure_reason: str | None


class RewardBreakdown(Struct, frozen=True):
    """The parts that add up to a step's reward."""

    meters: float
    interaction: float
    proximity: float
    hunger: float
    ending: float


# --- /ws ---------------------------------------------------------------------------------------------------


class Connected(Struct, frozen=True, tag_field="type", tag="connected"):
    """The first message on `/ws`. `model_name` is null while an untrained agent plays."""

    available_models: list[str]
    session_id: str
    model_name: str | None
    network_type: NetworkType
    protocol_version: int = PROTOCOL_VERSION


class EpisodeStart(Struct, frozen=True, tag_field="type", tag="episode_start"):
    """An episode begins; the frame of step 0 follows."""

    episode: int
    model_name: str | None


class StateUpdate(Struct, frozen=True, tag_field="type", tag="state_update"):
    """The world after a step. At step 0 nothing was done yet: `action` is 0, `last_action` "up", reward 0.

    `q_values` and `attention` are those the action was chosen from (at step 0: of the first observation).
    """

    step: int
    action: Annotated[int, Meta(ge=0, le=4)]
    reward: float
    cumulative_reward: float
    done: bool
    grid: InferenceGrid
    agents: dict[str, AgentState]
    info: StepInfo
    episode: int
    heat_map: HeatMap
    truncated: bool | UnsetType = UNSET
    reward_breakdown: RewardBreakdown | UnsetType = UNSET
    q_values: list[float] | UnsetType = UNSET
    attention: list[list[float]] | UnsetType | None = UNSET


class EpisodeEnd(Struct, frozen=True, tag_field="type", tag="episode_end"):
    """An episode is over. `failure_reason` tells which meter failed, where one did."""

    episode: int
    steps: int
    total_reward: float
    reason: Literal["meter_depleted", "max_steps", "reset", "model_changed"]
    failure_reason: str | None


class ModelLoaded(Struct, frozen=True, tag_field="type", tag="model_loaded"):
    """The session plays this model from the next episode on, which follows at once."""

    model: str
    network_type: NetworkType


class Playback(Struct, frozen=True, tag_field="type", tag="playback"):
    """The session's transport: the acknowledgement of play, pause, set_speed, seek, status and control.

    In a replay `controller` is "recording"; one that reaches its end sends this by itself, with `playing`
    false.
    """

    playing: bool
    speed: float
    controller: Controller


class View(Struct, frozen=True, tag_field="type", tag="view"):
    """The acknowledgement of set_view: what frames carry from now on.

    The values of the observation on screen come with it, so that a paused page need not wait for a step.
    `attention` is null for networks without attention.
    """

    q_values: bool
    attention: bool
    current_q_values: list[float] | None = None
    current_attention: list[list[float]] | None = None


class RecordingSaved(Struct, frozen=True, tag_field="type", tag="recording_saved"):
    """The acknowledgement of record: the episode is kept, and on the disk."""

    recording: RecordingInfo


class ReplayStarted(Struct, frozen=True, tag_field="type", tag="replay_started"):
    """What follows is a replay: of a recording, or after `seek` of the session's own episode, which waits.

    `playback` and a frame come next. Frames are those of the episode, with the heat map of that episode
    alone where it is a recording's, and with `q_values` and `attention` where the recording has them.
    """

    recording: str | None
    model_name: str | None
    episode: int
    steps: int
    markers: tuple[Marker, ...]
    can_branch: bool


class ReplayEnded(Struct, frozen=True, tag_field="type", tag="replay_ended"):
    """What follows is the session's own episode again.

    After `leave_replay`: `playback` and the frame at which it waits. Else what ended the replay: `branched`,
    or the next episode.
    """

    recording: str | None


class Branched(Struct, frozen=True, tag_field="type", tag="branched"):
    """An episode begins in the middle of another one: the steps up to `step` are the other's.

    It comes in place of `episode_start`; the frame of step `step` + 1 is its first.
    """

    episode: int
    model_name: str | None
    step: int
    recording: str | None


class Error(Struct, frozen=True, tag_field="type", tag="error"):
    """Something could not be done; the connection stays open and nothing else changed."""

    message: str
    code: str
    command: str | None = None
    field: str | None = None


# --- /ws/training ------------------------------------------------------------------------------------------

TrainingState = Literal["idle", "starting", "running", "paused", "stopping", "failed"]


class TrainingStatus(Struct, frozen=True, tag_field="type", tag="training_status"):
    """The run's state; first on connect, on `status`, and to everyone at each change of state.

    `resumable` lists interrupted runs that `resume_from` may name.
    """

    is_training: bool
    current_episode: int
    total_episodes: int
    state: TrainingState
    parameters: TrainingParameters | None
    viewers: int
    run_id: str | None = None
    reason: str | None = None
    resumable: list[str] = []


class TrainingStarted(Struct, frozen=True, tag_field="type", tag="training_started"):
    """A run began; `parameters` are those in force, with the seed that was chosen."""

    num_episodes: int
    run_id: str
    parameters: TrainingParameters
    network_type: NetworkType
    device: str


class TrainingEpisodeStart(Struct, frozen=True, tag_field="type", tag="episode_start"):
    """A shown episode begins; hidden ones send their episode_complete alone."""

    episode: int
    epsilon: float


class TrainingStateUpdate(Struct, frozen=True, tag_field="type", tag="state_update"):
    """A frame of a shown episode, from step 1 on. The heat map is over the whole run."""

    step: int
    action: Annotated[int, Meta(ge=0, le=4)]
    reward: float
    cumulative_reward: float
    done: bool
    grid: TrainingGrid
    agents: list[AgentMarker]
    agent_meters: dict[str, AgentState]
    affordances: list[AffordanceMarker]
    info: StepInfo
    episode: int
    heat_map: HeatMap
    epsilon: float


class TrainingHistory(Struct, frozen=True, tag_field="type", tag="training_history"):
    """The episodes of the run so far, oldest first; thinned evenly past 2,000."""

    episodes: list[EpisodeComplete]
    total: int


class Paused(Struct, frozen=True, tag_field="type", tag="paused"):
    """The learner stands still, between two environment steps."""

    episode: int
    step: int


class Resumed(Struct, frozen=True, tag_field="type", tag="resumed"):
    """The learner goes on, at the very next step."""

    episode: int
    step: int


class CheckpointSaved(Struct, frozen=True, tag_field="type", tag="checkpoint_saved"):
    """A checkpoint was saved under this name in the models folder."""

    model: str
    episode: int


class TrainingComplete(Struct, frozen=True, tag_field="type", tag="training_complete"):
    """The run made all its episodes; its last checkpoint is saved. Means are over the last 5 episodes."""

    model_saved: str
    final_avg_reward: float
    final_avg_length: float


class TrainingStopped(Struct, frozen=True, tag_field="type", tag="training_stopped"):
    """The run was ended on request, after saving."""

    reason: str
    model_saved: str | None
    restart: bool = False


class TrainingFailed(Struct, frozen=True, tag_field="type", tag="training_failed"):
    """The trainer failed. With `restart` the run goes on from its last autosave; without, it is over."""

    reason: str
    model_saved: str | None
    restart: bool


InferenceMessage = (
    Connected
    | EpisodeStart
    | StateUpdate
    | EpisodeEnd
    | ModelLoaded
    | Playback
    | View
    | RecordingSaved
    | ReplayStarted
    | ReplayEnded
    | Branched
    | Error
)
TrainingMessage = (
    TrainingStatus
    | TrainingHistory
    | TrainingStarted
    | TrainingEpisodeStart
    | TrainingStateUpdate
    | EpisodeComplete
    | Paused
    | Resumed
    | CheckpointSaved
    | TrainingComplete
    | TrainingStopped
    | TrainingFailed
    | Error
)

_encoder = msgspec.json.Encoder()


def encode(message: Struct) -> str:
    """The text of a frame: one JSON object."""
    return _encoder.encode(message).decode()


def encode_bytes(message: Struct) -> bytes:
    """The same as UTF-8 bytes, for forwarding between processes without decoding."""
    return _encoder.encode(message)
