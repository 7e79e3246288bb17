"""One room: its members, and what they draw, vote and follow."""

from collections import OrderedDict
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from hamlet_trio.connection import Subscriber
from hamlet_trio.protocol import room_commands as commands
from hamlet_trio.protocol import room_messages as messages
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.messages import encode
from hamlet_trio.room.followers import Followers
from hamlet_trio.room.room_broadcast import SIGNAL_RATE, RoomBroadcast, RoomMember

MAX_STROKES: Final = 200
MAX_STROKE_BYTES: Final = 65_536
MAX_CHOICES: Final = 200
"""Choices that a vote keeps; beyond that the oldest of those who are not in the room go."""
_POINT_BYTES: Final = 16


class RoomState(Struct, frozen=True):
    """What lasts of a room, but for its members."""

    name: str
    seq: int
    strokes: list[messages.Stroke]
    drawing: bool
    vote: messages.VoteState | None
    choices: dict[str, int]
    spotlight: int | None = None
    absent: int | None = None
    ended_by: int | None = None


class Room:
    """The state of one room, and its broadcast; every change has a number, `seq`.

    Nothing here waits. Bounds: `max_members` members; `MAX_STROKES` strokes of `MAX_STROKE_BYTES` in all, of
    which the oldest go; one vote, with one choice of each member and `MAX_CHOICES` in all.

    Attributes:
        followers: who sees whose life.
    """

    def __init__(self, name: str, max_members: int, *, peers: bool) -> None:
        """With `peers`, members may connect to each other by signals."""
        self.name: Final = name
        self.peers: Final = peers
        self._broadcast: Final = RoomBroadcast()
        self.followers: Final = Followers(self._broadcast)
        self._max_members = max_members
        self._strokes: OrderedDict[tuple[int, str], messages.Stroke] = OrderedDict()
        self._stroke_bytes = 0
        self._ended_by: int | None = None
        self._cursors: dict[int, list[float] | None] = {}
        self._vote: messages.VoteState | None = None
        self._choices: dict[str, int] = {}

    # --- members -------------------------------------------------------------------------------------

    def enter(self, member: RoomMember, subscriber: Subscriber, *, stun_port: int | None) -> None:
        """Add a member, tell it what there is, and tell the others of it.

        Raises `BadMessageError` with `room_full` when there is no place.
        """
        self.check_place()
        self._tell_all(messages.MemberJoined(member.described(), self._next()))
        self.members[member.number] = member, subscriber
        self.tell_joined(member.number, stun_port=stun_port)
        self.followers.arrived(member.number)

    def tell_joined(self, number: int, *, stun_port: int | None) -> None:
        """Tell a member what there is."""
        member, subscriber = self.members[number]
        subscriber.tell(
            messages.Joined(
                you=number,
                room=self.name,
                members=[each.described() for each, _ in self.members.values()],
                strokes=list(self._strokes.values()),
                drawing=self._ended_by is None,
                drawing_ended_by=self._told_ended_by(),
                vote=self._vote,
                choice=self._choices.get(_voter(member)),
                spotlight=self.followers.spotlight,
                stun_port=stun_port,
                peers=self.peers,
                seq=self._broadcast.seq,
            )
        )

    def check_place(self) -> None:
        """Raise `BadMessageError` with `room_full` if there is no place."""
        if len(self.members) >= self._max_members:
            raise BadMessageError(
                ErrorCode.ROOM_FULL, f"The room {self.name} has {self._max_members} members already."
            )

    def leave(self, number: int, *, lost: bool) -> None:
        """Remove a member; those that followed it see their own lives again.

        `lost` tells that its connection ended, so that it may come back, and its life to the spotlight.
        """
        member, _ = self.members.pop(number)
        self._cursors.pop(number, None)
        self.followers.left(member)
        self._tell_all(messages.MemberLeft(number, self._next()))
        self.followers.end(number, may_return=lost)

    def find(self, number: int) -> tuple[RoomMember, Subscriber]:
        """Return a member; raises `BadMessageError` with `unknown_member` if it is not here."""
        return self._broadcast.find(number)

    def admit_signal(self, sender: RoomMember, signal: commands.Signal) -> None:
        """Let a member's signal to another pass.

        Raises `BadMessageError` with `no_peers` where members may not connect to each other, with
        `rate_limited` beyond `SIGNAL_RATE`, and with `unknown_member`.
        """
        if not self.peers:
            raise BadMessageError(ErrorCode.NO_PEERS, ErrorCode.NO_PEERS.description)
        if not sender.signals.take():
            raise BadMessageError(
                ErrorCode.RATE_LIMITED,
                f"A member may send {SIGNAL_RATE:g} signals a second; this one is dropped.",
            )
        self._broadcast.find(signal.to, "to")

    def pass_on(self, sender: RoomMember, signal: commands.Signal) -> None:
        """Pass a signal of WebRTC to another member. Raises `BadMessageError` with `unknown_member`."""
        receiver = self._broadcast.find(signal.to, "to")[1]
        receiver.tell(messages.Signalled(sender.number, signal.kind, signal.data))

    # --- cursors -------------------------------------------------------------------------------------

    def move_cursor(self, number: int, at: list[float] | None) -> None:
        """Remember where a member points, for the next `take_cursors`."""
        self._cursors[number] = at

    @property
    def has_cursors(self) -> bool:
        """Whether somebody moved since the last `tell_cursors`."""
        return bool(self._cursors)

    def tell_cursors(self) -> None:
        """Send where members point that moved, in one text for all, to whom it tells of another."""
        moved, self._cursors = self._cursors, {}
        text = encode(messages.Cursors({str(number): at for number, at in moved.items()}))
        for number, (_, subscriber) in self.members.items():
            if len(moved) > 1 or number not in moved:
                subscriber.put_frame(text)

    # --- drawing -------------------------------------------------------------------------------------

    def draw(self, number: int, command: commands.Draw) -> None:
        """Add a stroke, or replace the member's stroke of that id; the oldest beyond the bounds go."""
        if self._ended_by not in (None, number):
            raise BadMessageError(ErrorCode.DRAWING_ENDED, ErrorCode.DRAWING_ENDED.description)
        stroke = messages.Stroke(number, command.id, command.points, command.ink, command.stamp)
        self._remove((number, command.id))
        self._strokes[number, command.id] = stroke
        self._stroke_bytes += _size(stroke)
        self._tell_all(messages.Drawn(stroke, self._next()))
        while len(self._strokes) > MAX_STROKES or self._stroke_bytes > MAX_STROKE_BYTES:
            self._erase(next(iter(self._strokes)))

    def erase(self, number: int, stroke: str) -> None:
        """Remove a stroke of the member's own; raises `BadMessageError` if it is not there."""
        if (number, stroke) not in self._strokes:
            raise BadMessageError(
                ErrorCode.UNKNOWN_STROKE, f"No stroke of yours has the id {stroke} here.", field="id"
            )
        self._erase((number, stroke))

    def clear(self) -> None:
        """Remove all strokes."""
        self._strokes.clear()
        self._stroke_bytes = 0
        self._tell_all(messages.Erased(None, None, self._next()))

    def set_drawing(self, number: int, *, allowed: bool) -> None:
        """Allow all to draw, or end it for all but this member, who ends it."""
        self._ended_by = None if allowed else number
        self._tell_all(messages.DrawingSet(allowed, self._next(), self._told_ended_by()))

    def _told_ended_by(self) -> int | UnsetType:
        return UNSET if self._ended_by is None else self._ended_by

    def _erase(self, key: tuple[int, str]) -> None:
        self._remove(key)
        self._tell_all(messages.Erased(*key, self._next()))

    def _remove(self, key: tuple[int, str]) -> None:
        stroke = self._strokes.pop(key, None)
        if stroke is not None:
            self._stroke_bytes -= _size(stroke)

    # --- votes ---------------------------------------------------------------------------------------

    def ask(self, command: commands.Ask) -> None:
        """Begin a vote in place of the one before. The life that it is about is shown to everybody.

        Raises `BadMessageError` with `unknown_member` if that member is not here or has no session.
        """
        if command.member is not UNSET and command.member != self.followers.spotlight:
            self.followers.set_spotlight(command.member)
        self._choices = {}
        number = 1 if self._vote is None else self._vote.number + 1
        counts = [0] * command.choices
        self._set_vote(
            messages.VoteState(
                number, command.question, counts, open=True, member=command.member, agent=command.agent
            )
        )

    def vote(self, number: int, choice: int) -> None:
        """Count a member's vote, or its new one in place of the old one."""
        vote = self._open_vote()
        if choice >= len(vote.counts):
            raise BadMessageError(
                ErrorCode.OUT_OF_RANGE,
                f"`choice` must be from 0 to {len(vote.counts) - 1}; {choice} was sent.",
                field="choice",
            )
        voter = _voter(self.members[number][0])
        # The newest are the last.
        self._choices.pop(voter, None)
        self._choices[voter] = choice
        if len(self._choices) > MAX_CHOICES:
            present = {_voter(member) for member, _ in self.members.values()}
            del self._choices[next(each for each in self._choices if each not in present)]
        self._count(vote)

    def change_voter(self, member: RoomMember, voter: str | None) -> None:
        """Count a member's next vote under another text; the one under the text before goes."""
        before = _voter(member)
        member.voter = voter
        if before == _voter(member) or self._vote is None or not self._vote.open:
            return
        if self._choices.pop(before, None) is not None:
            self._count(self._vote)

    def _count(self, vote: messages.VoteState) -> None:
        chosen = list(self._choices.values())
        counts = [chosen.count(each) for each in range(len(vote.counts))]
        self._set_vote(msgspec.structs.replace(vote, counts=counts))

    def close_vote(self) -> None:
        """End the vote; its result stays."""
        self._set_vote(msgspec.structs.replace(self._open_vote(), open=False))

    def set_outcome(self, number: int, command: commands.SetOutcome) -> None:
        """Add to the vote that has ended what a member's life did next.

        Raises `BadMessageError` with `no_vote` if no such vote on that life waits for it.
        """
        vote = self._vote
        waits = vote is not None and not vote.open and vote.outcome is UNSET
        if vote is None or not waits or (vote.number, vote.member) != (command.vote, number):
            raise BadMessageError(
                ErrorCode.NO_VOTE,
                "No vote on your life has ended and waits for its next action.",
                field="vote",
            )
        self._set_vote(msgspec.structs.replace(vote, outcome=messages.Outcome(command.action, command.by)))

    def _open_vote(self) -> messages.VoteState:
        if self._vote is None or not self._vote.open:
            raise BadMessageError(ErrorCode.NO_VOTE, ErrorCode.NO_VOTE.description)
        return self._vote

    def _set_vote(self, vote: messages.VoteState) -> None:
        self._vote = vote
        self.followers.attend_vote(_asked(vote))
        self._tell_all(messages.VoteChanged(vote, self._next()))

    # --- what lasts ----------------------------------------------------------------------------------

    def state(self) -> RoomState:
        """Return what lasts of the room."""
        strokes = list(self._strokes.values())
        return RoomState(
            self.name,
            self._broadcast.seq,
            strokes,
            self._ended_by is None,
            self._vote,
            dict(self._choices),
            self.followers.spotlight,
            self.followers.absent,
            self._ended_by,
        )

    def restore(self, state: RoomState) -> None:
        """Take over the state of another room, without telling anybody."""
        self._broadcast.seq = state.seq
        # An older instance tells not who ended it: nobody here.
        self._ended_by = None if state.drawing else (state.ended_by or 0)
        self._vote, self._choices = state.vote, state.choices
        self.followers.spotlight, self.followers.absent = state.spotlight, state.absent
        self.followers.asked = None if state.vote is None else _asked(state.vote)
        self._strokes = OrderedDict(((stroke.member, stroke.id), stroke) for stroke in state.strokes)
        self._stroke_bytes = sum(map(_size, state.strokes))

    # --- the broadcast -------------------------------------------------------------------------------

    @property
    def members(self) -> dict[int, tuple[RoomMember, Subscriber]]:
        """The members by their numbers."""
        return self._broadcast.members

    def _next(self) -> int:
        return self._broadcast.next()

    def _tell_all(self, message: Struct) -> None:
        self._broadcast.tell_all(message)


def _voter(member: RoomMember) -> str:
    """Return under which text a member's vote counts."""
    return str(member.number) if member.voter is None else member.voter


def _asked(vote: messages.VoteState) -> int | None:
    """Return whose life all see for a vote: until it is known what came next."""
    return None if vote.member is UNSET or vote.outcome is not UNSET else vote.member


def _size(stroke: messages.Stroke) -> int:
    """Return about how many bytes a stroke takes on the wire."""
    return 64 + _POINT_BYTES * len(stroke.points)
