"""The commands that clients send, and a decoder that describes every flaw in one precise sentence."""

import re
from typing import Annotated, Any, Final, Generic, TypeVar, get_args

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from hamlet_trio.common.agents import MAX_AGENTS, AgentId
from hamlet_trio.common.descriptions import allowed, fields_of
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.parameters import Show, ShowEvery, Showing, StepDelay, TrainingParameters
from hamlet_trio.protocol.world_info import MAX_SIDE, WorldField

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

    energy: Annotated[float, Meta(ge=0, le=1, description="0 empty, 1 full")] | UnsetType = UNSET
    hygiene: Annotated[float, Meta(ge=0, le=1, description="0 empty, 1 full")] | UnsetType = UNSET
    satiation: Annotated[float, Meta(ge=0, le=1, description="0 empty, 1 full")] | UnsetType = UNSET
    money: Annotated[float, Meta(description="in its own unit, as the world limits it")] | UnsetType = UNSET
    mood: Annotated[float, Meta(description="in its own unit, as the world limits it")] | UnsetType = UNSET
    social: Annotated[float, Meta(ge=0, le=1, description="0 empty, 1 full")] | UnsetType = UNSET


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
    """Choose the extra fields that frames carry; a field left out keeps its value."""

    q_values: Annotated[bool | UnsetType, Meta(description="whether frames carry Q-values")] = UNSET
    attention: Annotated[bool | UnsetType, Meta(description="whether frames carry attention weights")] = UNSET
    agent: Annotated[
        AgentId | UnsetType, Meta(description="agent whose outputs they carry, at first `agent_0`")
    ] = UNSET


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
    """Save the episode so far as a recording; the session plays on meanwhile."""


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
        list[_AgentAction | Annotated[list[_AgentAction], Meta(max_length=8)]],
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


TrainingCommand = StartTraining | Pause | Resume | Stop | SetShow | Status


_envelope = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str)

_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(?P<field>\w+)`")
_UNKNOWN = re.compile(r"unknown field `(?P<field>.*?)`(?: - at `\$\.(?P<inside>\w+)`)?$", re.DOTALL)
_SHOWN: Final = 60  # characters of a refused value that are repeated back


Command = TypeVar("Command")


class CommandDecoder(Generic[Command]):
    """Decode the commands of one endpoint.

    `decode` returns a typed command, or raises `BadMessageError` with a stable code and a sentence that
    names the field, the value given and what is allowed. It raises nothing else, whatever the bytes.
    """

    def __init__(self, union: Any) -> None:
        self._decoders: dict[str, msgspec.json.Decoder[Command]] = {}
        self._types: dict[str, type[Struct]] = {}
        for command_type in get_args(union):
            name = str(command_type.__struct_config__.tag)
            self._types[name] = command_type
            self._decoders[name] = msgspec.json.Decoder(command_type)

    @property
    def commands(self) -> tuple[str, ...]:
        """Return the names of the endpoint's commands."""
        return tuple(self._types)

    def decode(self, frame: str | bytes | None) -> Command:
        """Decode one text frame; a binary one (`bytes`, or `None` for an empty one) is refused."""
        if not isinstance(frame, str):
            raise BadMessageError(
                ErrorCode.BINARY_FRAME, "Send commands as JSON in text frames, not in binary ones."
            )
        try:
            fields = _envelope.decode(frame)
            name = self._command_name(fields)
            return self._decoders[name].decode(frame)
        except msgspec.ValidationError as error:
            reason = str(error)
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            raise BadMessageError(
                ErrorCode.INVALID_JSON,
                "The message is not valid JSON; numbers must be finite and text must be UTF-8.",
            ) from None
        if reason.startswith("Expected `object`") and not _field_at(reason):
            raise BadMessageError(
                ErrorCode.NOT_AN_OBJECT, 'Send one JSON object, such as {"command": "status"}.'
            )
        raise self._explain(name, fields, reason)

    def _command_name(self, fields: dict[str, msgspec.Raw]) -> str:
        known = ", ".join(self._types)
        if "command" not in fields:
            sentence = f"The message has no `command`, which must be one of {known}."
            raise BadMessageError(ErrorCode.MISSING_COMMAND, sentence, field="command")
        shown = _shown(fields["command"])
        try:
            name = _text.decode(fields["command"])
        except msgspec.ValidationError:
            sentence = f"`command` must be text, one of {known}; {shown} was sent."
            raise BadMessageError(ErrorCode.WRONG_TYPE, sentence, field="command") from None
        if name not in self._types:
            raise BadMessageError(
                ErrorCode.UNKNOWN_COMMAND,
                f"This endpoint has no command {shown}; it has {known}.",
                command=name[:_SHOWN],
                field="command",
            )
        return name

    def _explain(self, name: str, fields: dict[str, msgspec.Raw], reason: str) -> BadMessageError:
        """Turn msgspec's reason into a sentence of our own, with what the field's type allows."""
        if missing := _MISSING.search(reason):
            code, field = ErrorCode.MISSING_FIELD, missing["field"]
            sentence = f"`{name}` needs `{field}`: {allowed(self._types[name], field)}."
        elif unknown := _UNKNOWN.search(reason):
            code, inside = ErrorCode.UNKNOWN_FIELD, unknown["inside"] or ""
            # A field may be named as if it lay in another one.
            inside = inside if fields_of(self._types[name], inside) else ""
            field = unknown["field"][:_SHOWN]
            known = ", ".join(f for f in fields_of(self._types[name], inside) if f != "type")
            sentence = f"`{inside or name}` has no field `{field}`; it has {known}."
            field = f"{inside}.{field}" if inside else field
        elif not (field := _field_at(reason)):
            # A rule between fields, from the struct's own __post_init__; its sentence begins with the field.
            code, field, sentence = ErrorCode.OUT_OF_RANGE, reason.split("`")[1], reason
        elif field == "command":
            code, sentence = ErrorCode.OUT_OF_RANGE, "`command` was sent twice in one message."
        else:
            code = ErrorCode.WRONG_TYPE if ", got `" in reason else ErrorCode.OUT_OF_RANGE
            shown = _shown(_value_of(fields, field))
            sentence = f"`{field}` must be {allowed(self._types[name], field)}; {shown} was sent."
        return BadMessageError(code, sentence, command=name, field=field)


def _field_at(reason: str) -> str:
    """Return the field that msgspec's reason names, such as `meters.energy`; empty for the message itself."""
    path = _PATH.search(reason)
    return path["path"].partition("[")[0] if path else ""


def _value_of(fields: dict[str, msgspec.Raw], field: str) -> msgspec.Raw:
    """Return the value of a field, which may lie in another, as it was sent."""
    name, _, inner = field.partition(".")
    value = fields.get(name, msgspec.Raw())
    return _value_of(_envelope.decode(value), inner) if inner else value


def _shown(value: msgspec.Raw) -> str:
    """Return a refused value as it was sent, shortened."""
    text = bytes(value).decode(errors="replace")
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


inference_commands: Final[CommandDecoder[InferenceCommand]] = CommandDecoder(InferenceCommand)
training_commands: Final[CommandDecoder[TrainingCommand]] = CommandDecoder(TrainingCommand)
