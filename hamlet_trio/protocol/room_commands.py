"""The commands that members of a room send on `/ws/room`."""

from typing import Annotated, Final, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType

from hamlet_trio.common.agents import AgentId
from hamlet_trio.protocol.command_decoder import CommandDecoder
from hamlet_trio.protocol.frame_parts import ActionName, Meters

MAX_ROOM: Final = 40
MAX_GROUP: Final = 8
MAX_POINTS: Final = 64
MAX_SIGNAL: Final = 8192
INKS: Final = 8
STAMPS: Final = 12
_FAR: Final = 64.0
_CHARACTERS: Final = "letters from A to Z or a to z, digits, hyphens or underscores"

MemberId = Annotated[int, Meta(ge=1, le=2**31, description="number of a member")]
RoomName = Annotated[
    str,
    Meta(
        pattern=r"^(class|[1-9][0-9]{3})(-[1-9][0-9]?)?$(?!\n)",
        extra={
            "form": "`class` or a number from 1000 to 9999, for a group of it followed by a hyphen and a "
            "number from 1 to 99, such as `4827-2`"
        },
        description="`class`, a room of four digits such as `4827`, or a group of one, such as `class-1`",
    ),
]
StrokeId = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9_-]{1,32}$(?!\n)", extra={"form": f"1 to 32 {_CHARACTERS}"})
]
SignalKind = Literal["offer", "answer", "candidate"]
Question = Literal["which_action", "will_it_survive", "what_fails_first", "yes_or_no"]
_CHOICES: Final[dict[Question, int]] = {
    "which_action": len(get_args(ActionName)),
    "will_it_survive": 2,
    "what_fails_first": len(Meters.__struct_fields__),
    "yes_or_no": 2,
}
Actor = Literal["policy", "human"]
Coordinate = Annotated[float, Meta(ge=-1, le=_FAR)]
Point = Annotated[list[Coordinate], Meta(min_length=2, max_length=2, description="x and y in cells")]


class Join(Struct, frozen=True, kw_only=True, tag_field="command", tag="join"):
    """Enter a room and leave the one before, or share another session in the same one; the first command."""

    room: RoomName = "class"
    session: Annotated[
        Annotated[str, Meta(min_length=1, max_length=64)] | None,
        Meta(description="`session_id` of the session on `/ws` that others may follow, if any"),
    ] = None
    proof: Annotated[
        Annotated[str, Meta(min_length=1, max_length=64)] | None,
        Meta(description="`proof` of that session, from its `connected`"),
    ] = None
    voter: Annotated[
        Annotated[
            str, Meta(pattern=r"^[A-Za-z0-9_-]{16,64}$(?!\n)", extra={"form": f"16 to 64 {_CHARACTERS}"})
        ]
        | None,
        Meta(
            description="random text of the client's own: who comes back with the same one has one vote, not "
            "two, and is the member that it was. Nobody is told it"
        ),
    ] = None


class Signal(Struct, frozen=True, tag_field="command", tag="signal"):
    """Pass an offer, an answer or a candidate of WebRTC to another member of one's group."""

    to: MemberId
    kind: Annotated[SignalKind, Meta(description="what it is")]
    data: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_SIGNAL,
            description="SDP of an offer or answer, or the line of a candidate; the server does not read it",
        ),
    ]


class MoveCursor(Struct, frozen=True, tag_field="command", tag="cursor"):
    """Point at a place of the grid, or with null at none. Only the newest position counts."""

    at: Annotated[Point | None, Meta(description="x and y in cells, or null")]


class Draw(Struct, frozen=True, kw_only=True, tag_field="command", tag="draw"):
    """Draw a line or set a stamp; with the id of one's own earlier stroke, replace that."""

    id: Annotated[StrokeId, Meta(description="chosen by the member")]
    points: Annotated[
        list[Point], Meta(min_length=1, max_length=MAX_POINTS, description="line, or a stamp's one place")
    ]
    ink: Annotated[int, Meta(ge=0, le=INKS - 1, description="colour")] = 0
    stamp: Annotated[
        Annotated[int, Meta(ge=0, le=STAMPS - 1)] | UnsetType,
        Meta(description="picture at the one point; left out: a line"),
    ] = UNSET

    def __post_init__(self) -> None:
        """Refuse a picture at several places."""
        if self.stamp is not UNSET and len(self.points) != 1:
            raise ValueError(f"`points` of a stamp must be one place; {len(self.points)} were sent.")


class Erase(Struct, frozen=True, tag_field="command", tag="erase"):
    """Remove a stroke of one's own."""

    id: Annotated[StrokeId, Meta(description="id of the stroke")]


class Clear(Struct, frozen=True, tag_field="command", tag="clear"):
    """Remove everybody's strokes."""


class SetDrawing(Struct, frozen=True, tag_field="command", tag="set_drawing"):
    """Allow the members to draw, or end it."""

    allowed: Annotated[bool, Meta(description="whether members may draw")]


class Follow(Struct, frozen=True, tag_field="command", tag="follow"):
    """See the life of another member's session, which sends `frame`, or with null no more."""

    member: Annotated[MemberId | None, Meta(description="number of that member, or null")]


class SetDirect(Struct, frozen=True, tag_field="command", tag="set_direct"):
    """Get frames of the member that one follows from that member itself, over a data channel, or from the
    server again. It means nothing once one follows another.
    """

    member: MemberId
    direct: Annotated[bool, Meta(description="true: the server sends no frames of that member")]


class Spotlight(Struct, frozen=True, tag_field="command", tag="spotlight"):
    """Show one member's life to everybody, or with null end that."""

    member: Annotated[MemberId | None, Meta(description="number of that member, or null")]


class Ask(Struct, frozen=True, tag_field="command", tag="ask"):
    """Begin a vote on one of the page's own questions; it replaces the vote before. `which_action` has five
    choices, `what_fails_first` one for each meter, the others two.
    """

    question: Annotated[Question, Meta(description="key of the question")]
    choices: Annotated[int, Meta(ge=2, le=8, description="number of choices")]
    member: Annotated[
        MemberId | UnsetType,
        Meta(description="member whose life the vote is about, which is shown to everybody; left out: none"),
    ] = UNSET
    agent: Annotated[AgentId | UnsetType, Meta(description="agent of that life; left out: `agent_0`")] = UNSET

    def __post_init__(self) -> None:
        """Refuse another number of choices than the question has."""
        if self.choices != (choices := _CHOICES[self.question]):
            raise ValueError(f"`choices` of {self.question} must be {choices}; {self.choices} was sent.")


class CastVote(Struct, frozen=True, tag_field="command", tag="vote"):
    """Vote, or change one's vote while the vote is open."""

    choice: Annotated[int, Meta(ge=0, le=7, description="index of the choice, from 0")]


class CloseVote(Struct, frozen=True, tag_field="command", tag="close_vote"):
    """End the vote that is open; its result stays until the next one."""


class SetOutcome(Struct, frozen=True, tag_field="command", tag="set_outcome"):
    """Tell what the agent did next in one's own life, which the vote that has ended was about; once."""

    vote: Annotated[int, Meta(ge=1, le=2**31, description="`number` of the vote")]
    action: Annotated[int, Meta(ge=0, le=4, description="action of the next step")]
    by: Annotated[Actor, Meta(description="who chose it: the model, or a person")]


class MakeGroups(Struct, frozen=True, tag_field="command", tag="make_groups"):
    """Share the members of the room out among groups by lot; each is told its group with `moved`."""

    size: Annotated[int, Meta(ge=2, le=MAX_GROUP, description="members of a group, at most")]


class MoveMember(Struct, frozen=True, tag_field="command", tag="move_member"):
    """Send a member to another room, which it is told with `moved`."""

    member: MemberId
    room: RoomName


class Gather(Struct, frozen=True, tag_field="command", tag="gather"):
    """Call the members of this room's groups back into it, with `moved`."""


RoomCommand = (
    Join
    | Signal
    | MoveCursor
    | Draw
    | Erase
    | Clear
    | SetDrawing
    | Follow
    | SetDirect
    | Spotlight
    | Ask
    | CastVote
    | CloseVote
    | SetOutcome
    | MakeGroups
    | MoveMember
    | Gather
)

room_commands: Final[CommandDecoder[RoomCommand]] = CommandDecoder(RoomCommand)


def name_of(command: RoomCommand) -> str:
    """Return the name that a command has on the wire."""
    return str(command.__struct_config__.tag)
