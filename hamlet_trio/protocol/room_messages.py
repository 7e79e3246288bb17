"""What the server sends on `/ws/room`."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from hamlet_trio.common.agents import AgentId
from hamlet_trio.protocol.errors import Error
from hamlet_trio.protocol.room_commands import Actor, Question, SignalKind

Animal = Literal[
    "bear", "cat", "cow", "dog", "duck", "fox", "frog", "hare",
    "hedgehog", "koala", "lion", "mouse", "owl", "panda", "penguin", "pig",
]  # fmt: skip
Colour = Literal["amber", "blue", "green", "grey", "orange", "pink", "red", "violet"]

Seq = Annotated[int, Meta(description="number of the room's change, growing by one")]


EndedBy = Annotated[
    int | UnsetType, Meta(description="who ended drawing, and may draw all the same; left out: it is allowed")
]


class Member(Struct, frozen=True):
    """One member: an animal and a colour, no name."""

    member: Annotated[int, Meta(description="number of the member")]
    animal: Annotated[Animal, Meta(description="which animal it is")]
    colour: Annotated[Colour, Meta(description="its colour")]
    teacher: Annotated[bool, Meta(description="whether it may do what a teacher may")]
    has_session: Annotated[bool, Meta(description="whether it has a session that can be followed")]
    follows: Annotated[int | None, Meta(description="member whose life it sees")] = None


class Stroke(Struct, frozen=True):
    """A line or a stamp."""

    member: Annotated[int, Meta(description="number of the member who drew it")]
    id: Annotated[str, Meta(description="its id among that member's strokes")]
    points: Annotated[list[list[float]], Meta(description="[x, y] in cells")]
    ink: Annotated[int, Meta(description="colour, 0 to 7")]
    stamp: Annotated[int | UnsetType, Meta(description="picture, 0 to 11; left out: a line")] = UNSET


class Outcome(Struct, frozen=True):
    """What the agent did that a vote was about."""

    action: Annotated[int, Meta(description="action of its next step, 0 to 4")]
    by: Annotated[Actor, Meta(description="who chose it")]


class VoteState(Struct, frozen=True):
    """A vote and what was voted so far."""

    number: Annotated[int, Meta(description="number of the vote in this room, from 1")]
    question: Annotated[Question, Meta(description="key of the question")]
    counts: Annotated[list[int], Meta(description="votes of each choice")]
    open: Annotated[bool, Meta(description="whether one can still vote")]
    member: Annotated[
        int | UnsetType, Meta(description="member whose life it is about; left out: no life")
    ] = UNSET
    agent: Annotated[AgentId | UnsetType, Meta(description="agent of that life; left out: `agent_0`")] = UNSET
    outcome: Annotated[
        Outcome | UnsetType, Meta(description="what it did next, once that life has told it")
    ] = UNSET


class Joined(Struct, frozen=True, kw_only=True, tag_field="type", tag="joined"):
    """The member is in a room; the room as it is."""

    you: Annotated[int, Meta(description="own number")]
    room: Annotated[str, Meta(description="name of the room")]
    members: Annotated[list[Member], Meta(description="everybody in it, oneself included")]
    strokes: Annotated[list[Stroke], Meta(description="what is drawn, oldest first")]
    drawing: Annotated[bool, Meta(description="whether members may draw")]
    drawing_ended_by: EndedBy = UNSET
    vote: Annotated[VoteState | None, Meta(description="the last vote, if any")]
    choice: Annotated[int | None, Meta(description="what the member itself chose in it, from 0, if anything")]
    spotlight: Annotated[int | None, Meta(description="member whose life is shown to everybody")]
    stun_port: Annotated[
        int | None, Meta(description="UDP port of the server's STUN answerer; null: there is none")
    ]
    peers: Annotated[bool, Meta(description="whether members of a group may connect to each other")]
    seq: Seq


class MemberJoined(Struct, frozen=True, tag_field="type", tag="member_joined"):
    """Somebody came into the room."""

    member: Annotated[Member, Meta(description="who came")]
    seq: Seq


class MemberChanged(Struct, frozen=True, tag_field="type", tag="member_changed"):
    """A member has another session, or none any more."""

    member: Annotated[Member, Meta(description="the member as it is now")]
    seq: Seq


class MemberLeft(Struct, frozen=True, tag_field="type", tag="member_left"):
    """Somebody left the room."""

    member: Annotated[int, Meta(description="who left")]
    seq: Seq


class Signalled(Struct, frozen=True, tag_field="type", tag="signal"):
    """Another member's offer, answer or candidate of WebRTC."""

    sender: Annotated[int, Meta(description="the member that sent it")]
    kind: Annotated[SignalKind, Meta(description="what it is")]
    data: Annotated[str, Meta(description="as it was sent")]


class Cursors(Struct, frozen=True, tag_field="type", tag="cursors"):
    """Where members point that moved since the last time; at most ten times a second."""

    cursors: Annotated[
        dict[str, list[float] | None],
        Meta(description="[x, y] in cells by member, null: nowhere; oneself may be among them"),
    ]


class Drawn(Struct, frozen=True, tag_field="type", tag="drawn"):
    """A stroke is new, or replaces the one of the same member and id."""

    stroke: Annotated[Stroke, Meta(description="the stroke")]
    seq: Seq


class Erased(Struct, frozen=True, tag_field="type", tag="erased"):
    """A stroke is gone, or with null every one."""

    member: Annotated[int | None, Meta(description="whose stroke; null: everybody's")]
    id: Annotated[str | None, Meta(description="which; null: all")]
    seq: Seq


class DrawingSet(Struct, frozen=True, tag_field="type", tag="drawing_set"):
    """Drawing was allowed or ended."""

    allowed: Annotated[bool, Meta(description="whether members may draw")]
    seq: Seq
    drawing_ended_by: EndedBy = UNSET


class Following(Struct, frozen=True, tag_field="type", tag="following"):
    """A member follows another, or nobody."""

    member: Annotated[int, Meta(description="who follows")]
    follows: Annotated[int | None, Meta(description="whom")]
    seq: Seq


class SpotlightSet(Struct, frozen=True, tag_field="type", tag="spotlight_set"):
    """One member's life is shown to everybody, or with null nobody's."""

    member: Annotated[int | None, Meta(description="whose")]
    seq: Seq


class VoteChanged(Struct, frozen=True, tag_field="type", tag="vote_changed"):
    """A vote began, was voted in, or ended."""

    vote: Annotated[VoteState, Meta(description="the vote")]
    seq: Seq


class Moved(Struct, frozen=True, tag_field="type", tag="moved"):
    """The teacher made groups or called everybody back: join this room."""

    room: Annotated[str, Meta(description="name of the room to join")]


class GroupsChanged(Struct, frozen=True, tag_field="type", tag="groups"):
    """How many members each group of this room has; sent when that changes, and after `joined` if any."""

    groups: Annotated[dict[str, int], Meta(description="members by the group's name, empty ones left out")]


class FollowedFrame(Struct, frozen=True, tag_field="type", tag="frame"):
    """A message of the session of the member that one follows."""

    member: Annotated[int, Meta(description="whose session")]
    message: Annotated[msgspec.Raw, Meta(description="the message, as that member's session got it")]


RoomMessage = (
    Joined
    | MemberJoined
    | MemberChanged
    | MemberLeft
    | Signalled
    | Cursors
    | Drawn
    | Erased
    | DrawingSet
    | Following
    | SpotlightSet
    | VoteChanged
    | Moved
    | GroupsChanged
    | FollowedFrame
    | Error
)
