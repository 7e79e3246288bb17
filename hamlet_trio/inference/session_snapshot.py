"""All of a session in some hundred bytes, from which another connection or instance goes on with it."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from hamlet_trio.inference.session_keeper import SNAPSHOT_FORM
from hamlet_trio.protocol.commands import SPEED_RANGE, SetStart
from hamlet_trio.protocol.deltas import FrameForm
from hamlet_trio.protocol.frame_parts import RewardBreakdown
from hamlet_trio.protocol.frames import PolicyView
from hamlet_trio.world import ACTIONS, WorldState
from hamlet_trio.world.state import RandomState
from hamlet_trio.world.world_file import World

_Count = Annotated[int, Meta(ge=0)]
_Cell = tuple[int, int]
RawMeters = tuple[float, float, float, float, float, float]
_Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Action = Annotated[int, Meta(ge=0, lt=len(ACTIONS))]
_TERMS: Final = len(RewardBreakdown.__struct_fields__)
_Components = Annotated[list[float], Meta(min_length=_TERMS, max_length=_TERMS)]


class ModelFacts(Struct, frozen=True, array_like=True):
    """A model by name and content: the name's file may hold another version by now."""

    name: str
    sha256: _Digest


class LastStep(Struct, frozen=True, array_like=True):
    """What the step on screen did: for each agent its action, reward and the reward's components.

    `waiting_for` is there for several agents: the number of the one that was served in its place, or -1.
    """

    actions: list[_Action | None] = []
    rewards: list[float] = []
    components: list[_Components | None] = []
    terminated: bool = False
    truncated: bool = False
    waiting_for: list[int] = []


class EpisodeFacts(Struct, frozen=True, array_like=True):
    """An episode of A agents after T steps.

    Attributes:
        number, over: its number in the session; whether it has ended, or none has begun.
        start: the state in which it began; None for the usual one of its world.
        actions: T x A, one byte each.
        cells, meters, failures: the world's present state: A cells, A times six raw meters, A codes.
        random: the world's random numbers, which steps do not use.
        returns: the return so far of each agent.
        lived: the steps of each of several agents; empty for one.
        visits: the heat map, pairs of a cell "x,y" and its visits.
        last: the step on screen.
        start_choice: where episodes begin; None for the usual start.
        next_start: the state in which the next episode begins; None if it is not drawn.
    """

    number: _Count
    over: bool
    start: WorldState | None
    actions: bytes
    cells: tuple[_Cell, ...]
    meters: tuple[RawMeters, ...]
    failures: tuple[int, ...]
    random: RandomState
    returns: tuple[float, ...]
    visits: list[tuple[str, _Count]]
    last: LastStep
    lived: tuple[int, ...] = ()
    start_choice: SetStart | None = None
    next_start: WorldState | None = None

    @property
    def steps(self) -> int:
        """The number T of steps."""
        return len(self.actions) // len(self.cells)

    def check(self, agents: int) -> None:
        """Raise `ValueError` unless all parts are those of so many agents."""
        each = (self.cells, self.meters, self.failures, self.returns)
        last = (self.last.actions, self.last.rewards, self.last.components)
        several = (self.lived, self.last.waiting_for) if agents > 1 else ()
        if any(len(part) != agents for part in (*each, *last, *several)) or len(self.actions) % agents:
            raise ValueError(f"the parts of the episode are not those of {agents} agents")
        if max(self.actions, default=0) >= len(ACTIONS):
            raise ValueError(f"the episode has an action other than 0 to {len(ACTIONS) - 1}")
        if any(not -1 <= served < agents for served in self.last.waiting_for):
            raise ValueError("an agent waits for one that is not there")

    def state(self, start: WorldState) -> WorldState:
        """Return the world's present state; `start` is the episode's."""
        return WorldState(
            positions=self.cells,
            meters=self.meters,
            failures=self.failures,
            steps=start.steps + self.steps,
            random=self.random,
        )


class ReplayFacts(Struct, frozen=True, array_like=True):
    """The replay on screen: a recording's id, or None for the session's own episode, and the step."""

    recording: str | None
    step: _Count


class SessionSnapshot(Struct, frozen=True, array_like=True):
    """A session between two of its events.

    `models` has the model of each agent; None for the untrained one. `world` is None for the usual one.
    `human` is the number of the agent that a person plays.
    """

    form: int
    models: list[ModelFacts | None]
    world: World | None
    world_chosen: bool
    episode: EpisodeFacts
    playing: bool
    human: int | None
    speed: Annotated[float, Meta(ge=SPEED_RANGE[0], le=SPEED_RANGE[1])]
    view: PolicyView
    replay: ReplayFacts | None
    min_intermission: Annotated[float, Meta(ge=0)] = 0.0
    frames: FrameForm = "full"


class UnreadableSnapshotError(Exception):
    """What was stored is no snapshot that this version reads."""


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(SessionSnapshot)


def encode_snapshot(snapshot: SessionSnapshot) -> bytes:
    """Return a snapshot's stored form: MessagePack, structs as arrays."""
    return _encoder.encode(snapshot)


def decode_snapshot(data: bytes) -> SessionSnapshot:
    """Read a stored snapshot. Raises `UnreadableSnapshotError`."""
    try:
        snapshot = _decoder.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise UnreadableSnapshotError(f"damaged: {error}") from error
    if snapshot.form != SNAPSHOT_FORM:
        raise UnreadableSnapshotError(f"its form is {snapshot.form}")
    if not snapshot.episode.cells or not snapshot.models:
        raise UnreadableSnapshotError("it has no agents")
    agents = range(len(snapshot.episode.cells))
    if snapshot.view.agent not in agents or snapshot.human not in (None, *agents):
        raise UnreadableSnapshotError("it shows or hands to a person an agent that is not there")
    return snapshot
