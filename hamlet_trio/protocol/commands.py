"""The commands that clients send, and their decoders."""

from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from hamlet_trio.common.agents import MAX_AGENTS, AgentId
from hamlet_trio.common.sizes import MAX_SIDE
from hamlet_trio.protocol.command_decoder import CommandDecoder
from hamlet_trio.protocol.deltas import FrameForm
from hamlet_trio.protocol.frame_parts import Fullness
from hamlet_trio.protocol.parameters import Show, ShowEvery, Showing, StepDelay, TrainingParameters
from hamlet_trio.protocol.sweeps import MAX_SERVED_TRIALS, SweepParameters
from hamlet_trio.protocol.world_info import WorldField

Speed = Annotated[float, Meta(ge=0, le=1_000_000, description="multiple of 10 steps/s; clamped to 0.1..10")]
SPEED_RANGE: Final = (0.1, 10.0)


class Play(Struct, frozen=True, tag_field="command", tag="play"):
    """Play at the session's speed until paused."""


class Pause(Struct, frozen=True, tag_field="command", tag="pause"):
    """Stop stepping; on `/ws/training`, stop the learner between two steps."""


class Step(Struct, frozen=True, tag_field="command", tag="step"):
    """Make exactly one step; while paused only."""


class Reset(Struct, frozen=True, tag_field="command", tag="reset"):
    """End the episode and begin the next one."""


class ChosenMeters(Struct, frozen=True, forbid_unknown_fields=True):
    """Chosen values of some meters, in the units in which frames show them."""

    energy: Fullness | UnsetType = UNSET
    hygiene: Fullness | UnsetType = UNSET
    satiation: Fullness | UnsetType = UNSET
    money: Annotated[float, Meta(description="in its own unit, as the world limits it")] | UnsetType = UNSET
    mood: Annotated[float, Meta(description="in its own unit, as the world limits it")] | UnsetType = UNSET
    social: Fullness | UnsetType = UNSET


class SetStart(Struct, frozen=True, tag_field="command", tag="set_start"):
    """Choose where this session's episodes begin; the episode ends and the next one begins at once.

    What is left out is as at the usual start or, with `random`, drawn anew for each episode.
    """

    random: Annotated[
        bool, Meta(description="anywhere, with meters at random, instead of at the usual start")
    ] = False
    cell: (
        Annotated[
            list[Annotated[int, Meta(ge=0, le=MAX_SIDE - 1)]],
            Meta(min_length=2, max_length=2, description="column and row, each from 0; any cell of the grid"),
        ]
        | UnsetType
    ) = UNSET
    meters: Annotated[ChosenMeters, Meta(description="meters to begin with")] | UnsetType = UNSET
    agent: Annotated[
        AgentId | UnsetType, Meta(description="agent whose start is chosen; left out: `agent_0`")
    ] = UNSET


class SetWorld(Struct, frozen=True, tag_field="command", tag="set_world"):
    """Play in another world from the next episode on, which begins at once.

    What is left out stays: without `world` the session keeps the one it has, and a new world has its own
    number of agents.
    """

    world: WorldField | UnsetType = UNSET
    num_agents: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_AGENTS)] | UnsetType | None,
        Meta(description="agents in it, instead of the world's own number"),
    ] = UNSET
    contention: Annotated[
        bool | UnsetType | None,
        Meta(description="whether an affordance serves one agent a step, instead of the world's own rule"),
    ] = UNSET


class SetSpeed(Struct, frozen=True, tag_field="command", tag="set_speed"):
    """Set the multiple of 10 steps a second; `playback` tells the value used."""

    speed: Speed
    min_intermission: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=60,
                description="seconds between an episode and the next one at least, at any speed; left out, "
                "it stays as it is, at first 0",
            ),
        ]
        | UnsetType
    ) = UNSET


class LoadModel(Struct, frozen=True, tag_field="command", tag="load_model"):
    """Load a model of the models folder; the session plays on meanwhile."""

    model: Annotated[str, Meta(min_length=1, max_length=255, description="file name in the models folder")]
    agent: Annotated[AgentId | UnsetType, Meta(description="agent that is to play it; left out: all")] = UNSET


class Status(Struct, frozen=True, tag_field="command", tag="status"):
    """Ask for `playback` (`/ws`) or `training_status` (`/ws/training`)."""


class TakeControl(Struct, frozen=True, tag_field="command", tag="take_control"):
    """Let a person play instead of the policy: each `act` is one step."""

    agent: Annotated[
        AgentId | UnsetType, Meta(description="agent that the person plays; left out: `agent_0`")
    ] = UNSET


class Act(Struct, frozen=True, tag_field="command", tag="act"):
    """Make one step with the person's action; the policies choose for all other agents."""

    action: Annotated[int, Meta(ge=0, le=4, description="0 up, 1 down, 2 left, 3 right, 4 interact")]
    agent: Annotated[
        AgentId | UnsetType, Meta(description="agent that acts; left out: the one that the person plays")
    ] = UNSET


class ReleaseControl(Struct, frozen=True, tag_field="command", tag="release_control"):
    """Give control back to the policy."""


class SetView(Struct, frozen=True, tag_field="command", tag="set_view"):
    """Choose the form of frames and the extra fields that they carry; a field left out keeps its value."""

    q_values: Annotated[bool | UnsetType, Meta(description="whether frames carry Q-values")] = UNSET
    attention: Annotated[bool | UnsetType, Meta(description="whether frames carry attention weights")] = UNSET
    agent: Annotated[
        AgentId | UnsetType, Meta(description="agent whose outputs they carry, at first `agent_0`")
    ] = UNSET
    frames: FrameForm | UnsetType = UNSET


class GetPolicyMap(Struct, frozen=True, tag_field="command", tag="get_policy_map"):
    """Ask what the model would do in every cell, in the situation on screen; `policy_map` answers.

    At most five a second are made for a session, beside its play. Of those that wait the newest is made.
    """

    meters: (
        Annotated[ChosenMeters, Meta(description="meters to suppose instead of those on screen")] | UnsetType
    ) = UNSET
    agent: Annotated[
        AgentId | UnsetType,
        Meta(description="agent that is asked, with its model; left out: the one of `set_view`"),
    ] = UNSET


class RecordEpisode(Struct, frozen=True, tag_field="command", tag="record"):
    """Save the episode as a recording; the session plays on meanwhile."""

    to_end: Annotated[
        bool,
        Meta(
            description="save it once it has ended, which answers then; otherwise as it is now, no longer "
            "at its end"
        ),
    ] = False


class LoadRecording(Struct, frozen=True, tag_field="command", tag="load_recording"):
    """Replay a recording, paused at step 0, while the session's own episode waits."""

    recording: Annotated[str, Meta(min_length=1, max_length=64, description="id of the recording")]


class Seek(Struct, frozen=True, tag_field="command", tag="seek"):
    """Show another step, earlier or later, of the replay or of the session's own episode."""

    step: Annotated[int, Meta(ge=0, le=1_000_000, description="step to show, at most the last one")]


class LeaveReplay(Struct, frozen=True, tag_field="command", tag="leave_replay"):
    """End the replay and show the session's own episode where it was left, paused."""


class GetLife(Struct, frozen=True, tag_field="command", tag="get_life"):
    """Ask for the whole episode on screen, or the one that has just ended, in columns: `life`."""


class JoinClass(Struct, frozen=True, tag_field="command", tag="join_class"):
    """Get a name on the class leaderboard: `class_joined`. It counts the lives that a person leads."""


_AgentAction = Annotated[int, Meta(ge=0, le=4)]


class ResumeSession(Struct, frozen=True, tag_field="command", tag="resume_session"):
    """Go on with the session of another connection, which ends; the first command of a connection."""

    resume: Annotated[
        str, Meta(min_length=1, max_length=64, description="text that `connected.resume` gave that session")
    ]
    episode: Annotated[int, Meta(ge=0, le=1_000_000_000, description="number of the episode on screen")] = 0
    step: Annotated[
        int, Meta(ge=0, le=1_000_000, description="step on screen, up to which it is played out")
    ] = 0
    actions: Annotated[
        list[_AgentAction | Annotated[list[_AgentAction], Meta(max_length=MAX_AGENTS)]],
        Meta(
            max_length=512,
            description="actions of the last steps on screen, oldest first, all of that episode; with "
            "several agents a list for each step, in the agents' order",
        ),
    ] = []


InferenceCommand = (
    Play
    | Pause
    | Step
    | Reset
    | SetStart
    | SetWorld
    | SetSpeed
    | LoadModel
    | Status
    | TakeControl
    | Act
    | ReleaseControl
    | SetView
    | GetPolicyMap
    | RecordEpisode
    | LoadRecording
    | Seek
    | LeaveReplay
    | GetLife
    | JoinClass
    | ResumeSession
)

PlaybackCommand = Play | Pause | SetSpeed | Status | ReleaseControl
"""Those that `playback` answers."""


class StartTraining(TrainingParameters, frozen=True, kw_only=True, tag_field="command", tag="start_training"):
    """Start the one training run with these parameters."""

    type: Annotated[str | UnsetType, Meta(description="ignored; older clients send it")] = UNSET
    model: Annotated[
        str | None, Meta(description="name for the model's file; null: one made of the run and its episodes")
    ] = None

    def parameters(self) -> TrainingParameters:
        """Return the parameters alone, without the envelope."""
        return TrainingParameters(
            **{name: getattr(self, name) for name in TrainingParameters.__struct_fields__}
        )


class StartSweep(SweepParameters, frozen=True, kw_only=True, tag_field="command", tag="start_sweep"):
    """Train a lesson with several seeds, settings and worlds, at most 64 trials; `sweep_status` answers.

    A sweep of the very same trials that was stopped goes on. No run can be started meanwhile, nor paused;
    `stop` saves the trials under way and ends it.
    """

    type: Annotated[str | UnsetType, Meta(description="ignored, as in `start_training`")] = UNSET
    seeds: Annotated[
        list[Annotated[int, Meta(ge=0, le=2**32 - 1)]],
        Meta(
            min_length=1,
            max_length=MAX_SERVED_TRIALS,
            description=f"seeds of the trials, each once: 1 to {MAX_SERVED_TRIALS}",
        ),
    ]

    def parameters(self) -> SweepParameters:
        """Return the parameters alone, without the envelope."""
        return SweepParameters(**{name: getattr(self, name) for name in SweepParameters.__struct_fields__})


class Resume(Struct, frozen=True, tag_field="command", tag="resume"):
    """Resume a paused run at the very next step."""


class Stop(Struct, frozen=True, tag_field="command", tag="stop"):
    """Save a checkpoint and end the run."""


class SetShow(Struct, frozen=True, kw_only=True, tag_field="command", tag="set_show"):
    """Change how the run that is on shows its episodes; a field left out keeps its value."""

    show: Show | UnsetType = UNSET
    show_every: ShowEvery | UnsetType = UNSET
    step_delay: StepDelay | UnsetType = UNSET

    def applied_to(self, showing: Showing) -> Showing:
        """Return the showing with these changes."""
        return Showing(
            showing.show if self.show is UNSET else self.show,
            showing.show_every if self.show_every is UNSET else self.show_every,
            showing.step_delay if self.step_delay is UNSET else self.step_delay,
        )


class SetTrainingView(Struct, frozen=True, tag_field="command", tag="set_view"):
    """Choose the form of this viewer's frames; left out, it keeps its value."""

    frames: FrameForm | UnsetType = UNSET


TrainingCommand = StartTraining | StartSweep | Pause | Resume | Stop | SetShow | SetTrainingView | Status


inference_commands: Final[CommandDecoder[InferenceCommand]] = CommandDecoder(
    InferenceCommand, kept=("play", "pause", "step", "reset", "set_speed", "load_model")
)
training_commands: Final[CommandDecoder[TrainingCommand]] = CommandDecoder(
    TrainingCommand, kept=("pause", "resume", "status")
)
