"""What the supervisor orders its trainer to do, and what the trainer tells.

Orders and reports travel as MessagePack in `MessageKind.CONTROL` messages of the link, events as they go to
viewers. A pipe closed by the supervisor is an order too: save, so that the run can be resumed, and end.
"""

from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from hamlet_trio.history.records import EpisodeEnded
from hamlet_trio.protocol.commands import Pause, Resume, SetShow, Stop
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.messages import CheckpointSaved, Error, TrainingEpisodeStart, TrainingHistory
from hamlet_trio.protocol.parameters import Showing, TrainingParameters
from hamlet_trio.protocol.world_info import WorldInfo
from hamlet_trio.settings import Settings
from hamlet_trio.training.link import Message, MessageKind

HEARTBEAT: Final = 2.0  # seconds between two heartbeats of a trainer


class BeginOrder(Struct, frozen=True, kw_only=True, tag="begin"):
    """The first order of every trainer.

    With `resume` the run goes on from its saved state, or from its beginning where none was saved yet.
    """

    run_id: str
    parameters: TrainingParameters  # with the seed filled in
    file: str | None  # the name chosen for the model's file
    settings: Settings
    resume: bool
    paused: bool
    watched: bool


class PauseOrder(Struct, frozen=True, tag="pause"):
    """Pause before the next step."""


class ResumeOrder(Struct, frozen=True, tag="resume"):
    """Go on with the next step."""


class StopOrder(Struct, frozen=True, tag="stop"):
    """Save the model and end the run."""


class SyncOrder(Struct, frozen=True, kw_only=True, tag="sync"):
    """Tell the state of the server; of several that wait, the newest replaces the others.

    `watched`: somebody watches; frames are built only then. The episodes up to `recorded` are in the history.
    """

    watched: bool
    recorded: int


class ShowOrder(Struct, frozen=True, tag="show"):
    """Show episodes in this way from now on."""

    showing: Showing


Order = BeginOrder | PauseOrder | ResumeOrder | StopOrder | ShowOrder | SyncOrder


def order_of(command: Pause | Resume | Stop | SetShow, showing: Showing) -> Order:
    """Return the order that an accepted command gives; `showing` is the one in force."""
    match command:
        case Pause():
            return PauseOrder()
        case Resume():
            return ResumeOrder()
        case Stop():
            return StopOrder()
        case SetShow():
            return ShowOrder(command.applied_to(showing))


class StartedReport(Struct, frozen=True, kw_only=True, tag="started"):
    """The run is set up. `parameters` are those in force, `episode` the number of finished episodes."""

    parameters: TrainingParameters
    device: str
    episode: int
    world: WorldInfo


class PausedReport(Struct, frozen=True, tag="paused"):
    """The learner is paused after `step` steps of `episode`."""

    episode: int
    step: int


class ResumedReport(Struct, frozen=True, tag="resumed"):
    """The learner goes on with the step after `step` of `episode`."""

    episode: int
    step: int


class EndedReport(Struct, frozen=True, kw_only=True, tag="ended"):
    """The run ended as it should; the last report of its trainer.

    `interrupted`: the pipe was closed, and what a resume needs was saved. `model_saved` is the file name of
    the saved model, if any; `problem` says why the last save failed, where it did.
    """

    how: Literal["complete", "stopped", "interrupted"]
    model_saved: str | None
    average_reward: float
    average_length: float
    problem: str | None = None


class HeartbeatReport(Struct, frozen=True, tag="heartbeat"):
    """The trainer's loop is alive; sent every `HEARTBEAT` seconds from the start, also while paused.

    The learner sends it between two steps: it is late by as long as a step, an evaluation or a save takes.
    """


class UnrecordedReport(Struct, frozen=True, tag="unrecorded"):
    """Episodes that an earlier process of this run had told when it ended, perhaps to nobody."""

    episodes: list[EpisodeEnded]


class EpisodeReport(Struct, frozen=True, kw_only=True, tag="episode"):
    """An episode of a showcase, whole: a world of `config` that plays `actions` from `start` repeats it.

    Attributes:
        config, start: a `WorldConfig` and a `WorldState` as plain values, so that no server needs numpy to
            read orders and reports.
        actions: one byte for each step of each agent.
        heat_map: the whole run's at the episode's end.
        seen: steps that were shown already, while they were learnt.
    """

    episode: int
    epsilon: float
    config: dict[str, Any]
    start: dict[str, Any]
    actions: bytes
    heat_map: dict[str, float]
    seen: int = 0


class FailedReport(Struct, frozen=True, kw_only=True, tag="failed"):
    """The run cannot go on. Without `retry` another attempt would fail in the same way."""

    reason: str
    retry: bool


Report = (
    StartedReport
    | UnrecordedReport
    | PausedReport
    | ResumedReport
    | HeartbeatReport
    | EpisodeReport
    | EndedReport
    | FailedReport
)

TrainerEvent = EpisodeComplete | CheckpointSaved | TrainingEpisodeStart | TrainingHistory | Error

_encoder: Final = msgspec.msgpack.Encoder()
_orders: Final[msgspec.msgpack.Decoder[Order]] = msgspec.msgpack.Decoder(Order)
_reports: Final[msgspec.msgpack.Decoder[Report]] = msgspec.msgpack.Decoder(Report)
_events: Final[msgspec.json.Decoder[TrainerEvent]] = msgspec.json.Decoder(TrainerEvent)


def encode_control(message: Struct) -> bytes:
    """Return the payload of a control message."""
    return _encoder.encode(message)


def decode_order(payload: bytes) -> Order:
    """Return the order in a control message's payload; raises `msgspec.DecodeError` if it is none."""
    return _orders.decode(payload)


def decode_report(payload: bytes) -> Report:
    """Return the report in a control message's payload; raises `msgspec.DecodeError` if it is none."""
    return _reports.decode(payload)


def decode_message(message: Message) -> TrainerEvent | Report | None:
    """Return what a message of the trainer says; None for a frame, which is forwarded unread.

    Raises `msgspec.DecodeError` if it says nothing that a trainer may say.
    """
    match message.kind:
        case MessageKind.FRAME:
            return None
        case MessageKind.EVENT:
            return _events.decode(message.payload)
        case MessageKind.CONTROL:
            return decode_report(message.payload)
