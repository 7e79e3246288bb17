"""One room: its members, and what they draw, vote and follow."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from hamlet_trio.connection import SharedSession, Subscriber, TokenBucket
from hamlet_trio.protocol import room_commands as commands
from hamlet_trio.protocol import room_messages as messages
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.messages import encode

MAX_STROKES: Final = 200
MAX_STROKE_BYTES: Final = 65_536
SIGNAL_RATE: Final = 50.0
"""Signals a second that a member may send, and in one burst: to seven others, six and more to each."""
_POINT_BYTES: Final = 16


class RoomMember:
    """One connection as its room sees it."""

    def __init__(
        self, number: int, animal: messages.Animal, colour: messages.Colour, *, teacher: bool
    ) -> None:
        self.number: Final = number
        self.animal: Final = animal
        self.colour: Final = colour
        self.teacher: Final = teacher
        self.session: SharedSession | None = None
        self.voter: str | None = None
        self.follows: int | None = None
        self.direct = False  # whether it gets the frames of whom it follows without the server
        self.signals: Final = TokenBucket(SIGNAL_RATE, int(SIGNAL_RATE))

    def described(self) -> messages.Member:
        """Return the member as messages show it."""
        return messages.Member(
            self.number, self.animal, self.colour, self.teacher, self.session is not None, self.follows
        )


class RoomState(Struct, frozen=True):
    """What lasts of a room, but for its members."""

    name: str
    seq: int
    strokes: list[messages.Stroke]
    drawing: bool
    vote: messages.VoteState | None
    choices: dict[str, int]


class Room:
    """The state of one room, and its broadcast; every change has a number, `seq`.

    Nothing here waits. Bounds: `max_members` members; `MAX_STROKES` strokes of `MAX_STROKE_BYTES` in all, of
    which the oldest go; one vote, with one choice of each member.
    """

    def __init__(self, name: str, max_members: int, *, peers: bool) -> None:
        """With `peers`, members may connect to each other by signals."""
        self.name: Final = name
        self.peers: Final = peers
        self.members: Final[dict[int, tuple[RoomMember, Subscriber]]] = {}
        self.spotlight: int | None = None
        self._max_members = max_members
        self._seq = 0
        self._strokes: OrderedDict[tuple[int, str], messages.Stroke] = OrderedDict()
        self._stroke_bytes = 0
        self._drawing = True
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
        if member.session is not None:
            member.session.on_end(lambda: self.session_ended(member))
        if self.spotlight is not None:
            self._attend(self.spotlight)
        subscriber.tell(
            messages.Joined(
                you=member.number,
                room=self.name,
                members=[each.described() for each, _ in self.members.values()],
                strokes=list(self._strokes.values()),
                drawing=self._drawing,
                vote=self._vote,
                spotlight=self.spotlight,
                stun_port=stun_port,
                peers=self.peers,
                seq=self._seq,
            )
        )
        self._show_now(self.spotlight, [member.number])

    def check_place(self) -> None:
        """Raise `BadMessageError` with `room_full` if there is no place."""
        if len(self.members) >= self._max_members:
            raise BadMessageError(
                ErrorCode.ROOM_FULL, f"The room {self.name} has {self._max_members} members already."
            )

    def leave(self, number: int) -> None:
        """Remove a member; those that followed it see their own lives again."""
        member, _ = self.members.pop(number)
        self._cursors.pop(number, None)
        if member.session is not None:
            member.session.follow(None)
            member.session.on_end(None)
        if member.follows is not None:
            self._attend(member.follows)
        self._tell_all(messages.MemberLeft(number, self._next()))
        self.end_following(number)

    def find(self, number: int) -> tuple[RoomMember, Subscriber]:
        """Return a member; raises `BadMessageError` with `unknown_member` if it is not here."""
        try:
            return self.members[number]
        except KeyError:
            raise BadMessageError(
                ErrorCode.UNKNOWN_MEMBER, f"Nobody with the number {number} is in this room."
            ) from None

    def pass_on(self, sender: RoomMember, signal: commands.Signal) -> None:
        """Pass a signal of WebRTC to another member.

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
        receiver = self.find(signal.to)[1]
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
        """Send everybody where the others point that moved."""
        moved, self._cursors = self._cursors, {}
        shared = encode(messages.Cursors({str(number): at for number, at in moved.items()}))
        for number, (_, subscriber) in self.members.items():
            if number not in moved:
                subscriber.put_frame(shared)
            elif len(moved) > 1:
                others = {str(other): at for other, at in moved.items() if other != number}
                subscriber.put_frame(encode(messages.Cursors(others)))

    # --- drawing -------------------------------------------------------------------------------------

    def draw(self, number: int, command: commands.Draw) -> None:
        """Add a stroke, or replace the member's stroke of that id; the oldest beyond the bounds go."""
        if not self._drawing:
            raise BadMessageError(ErrorCode.DRAWING_ENDED, ErrorCode.DRAWING_ENDED.description)
        stroke = messages.Stroke(number, command.id, command.points, command.ink, command.stamp)
        self._remove((number, command.id))
        self._strokes[number, command.id] = stroke
        self._stroke_bytes += _size(stroke)
        self._tell_all(messages.Drawn(stroke, self._next()))
        while len(self._strokes) > MAX_STROKES or self._stroke_bytes > MAX_STROKE_BYTES:
            self._erase(next(iter(self._strokes)))

    def erase(self, number: int, stroke: str) -> None:
        """Remove a stroke of the member's own, if it is there."""
        if (number, stroke) in self._strokes:
            self._erase((number, stroke))

    def clear(self) -> None:
        """Remove all strokes."""
        self._strokes.clear()
        self._stroke_bytes = 0
        self._tell_all(messages.Erased(None, None, self._next()))

    def set_drawing(self, *, allowed: bool) -> None:
        """Allow the members to draw, or end it."""
        self._drawing = allowed
        self._tell_all(messages.DrawingSet(allowed, self._next()))

    def _erase(self, key: tuple[int, str]) -> None:
        self._remove(key)
        self._tell_all(messages.Erased(*key, self._next()))

    def _remove(self, key: tuple[int, str]) -> None:
        stroke = self._strokes.pop(key, None)
        if stroke is not None:
            self._stroke_bytes -= _size(stroke)

    # --- following -----------------------------------------------------------------------------------

    def follow(self, member: RoomMember, number: int | None) -> None:
        """Have a member see another's life, or nobody's, and tell everybody.

        Raises `BadMessageError` if that member is not here or has no session.
        """
        if number is not None:
            self._check_session(number)
        before, member.follows = member.follows, number
        member.direct = False
        self._tell_all(messages.Following(member.number, number, self._next()))
        for changed in (before, number):
            if changed is not None:
                self._attend(changed)
        self._show_now(number, [member.number])

    def set_direct(self, member: RoomMember, number: int, *, direct: bool) -> None:
        """Send a member no frames of whom it follows while it gets them directly.

        Nothing happens if it follows another one by now.
        """
        if member.follows != number or member.direct == direct:
            return
        member.direct = direct
        self._attend(number)
        if not direct:
            self._show_now(number, [member.number])

    def set_spotlight(self, number: int | None) -> None:
        """Have everybody see one member's life, or nobody's, and tell them; raises as `follow`."""
        if number is not None:
            self._check_session(number)
        before, self.spotlight = self.spotlight, number
        self._tell_all(messages.SpotlightSet(number, self._next()))
        for changed in (before, number):
            if changed is not None:
                self._attend(changed)
        self._show_now(number, self.members)

    def end_following(self, number: int) -> None:
        """Have nobody see a member's life any more: it left, or its session ended."""
        for member, _ in self.members.values():
            if member.follows == number:
                self.follow(member, None)
        if self.spotlight == number:
            self.set_spotlight(None)

    def change_session(self, member: RoomMember, session: SharedSession | None) -> None:
        """Record that a member has another session; those who followed it see that one."""
        if member.session is not None:
            member.session.follow(None)
            member.session.on_end(None)
        if session is None:
            self.session_ended(member)
            return
        member.session = session
        session.on_end(lambda: self.session_ended(member))
        self._attend(member.number)
        self._tell_all(messages.MemberChanged(member.described(), self._next()))

    def session_ended(self, member: RoomMember) -> None:
        """Record that a member has no session any more, and tell everybody."""
        member.session = None
        self.end_following(member.number)
        self._tell_all(messages.MemberChanged(member.described(), self._next()))

    def _check_session(self, number: int) -> None:
        if self.find(number)[0].session is None:
            raise BadMessageError(
                ErrorCode.UNKNOWN_MEMBER, f"The member {number} has no session that could be followed."
            )

    def _followers(self, number: int) -> list[Subscriber]:
        """Return the subscribers of those who see a member's life over the server; never its own."""
        return [
            subscriber
            for other, (member, subscriber) in self.members.items()
            if other != number
            and (number == self.spotlight or (number == member.follows and not member.direct))
        ]

    def _attend(self, number: int) -> None:
        """Receive a member's session while somebody sees it, and only then."""
        if number not in self.members:
            return
        session = self.members[number][0].session
        if session is None:
            return

        def hand_on(text: str, is_frame: bool) -> None:
            wrapped = _wrapped(number, text)
            for subscriber in self._followers(number):
                (subscriber.put_frame if is_frame else subscriber.put_event)(wrapped)

        session.follow(hand_on if self._followers(number) else None)

    def _show_now(self, number: int | None, to: Iterable[int]) -> None:
        """Send the newest frame of a life to members who begin to see it; the next may be long in coming."""
        if number is None or number not in self.members:
            return
        session = self.members[number][0].session
        if session is not None and session.last_frame is not None:
            text = _wrapped(number, session.last_frame)
            for other in to:
                if other != number and other in self.members:
                    self.members[other][1].put_frame(text)

    # --- votes ---------------------------------------------------------------------------------------

    def ask(self, command: commands.Ask) -> None:
        """Begin a vote in place of the one before."""
        self._choices = {}
        number = 1 if self._vote is None else self._vote.number + 1
        self._set_vote(messages.VoteState(number, command.question, [0] * command.choices, open=True))

    def vote(self, number: int, choice: int) -> None:
        """Count a member's vote, or its new one in place of the old one."""
        vote = self._open_vote()
        if choice >= len(vote.counts):
            raise BadMessageError(
                ErrorCode.OUT_OF_RANGE,
                f"`choice` must be from 0 to {len(vote.counts) - 1}; {choice} was sent.",
                field="choice",
            )
        voter = self.members[number][0].voter
        self._choices[str(number) if voter is None else voter] = choice
        chosen = list(self._choices.values())
        counts = [chosen.count(each) for each in range(len(vote.counts))]
        self._set_vote(msgspec.structs.replace(vote, counts=counts))

    def close_vote(self) -> None:
        """End the vote; its result stays."""
        self._set_vote(msgspec.structs.replace(self._open_vote(), open=False))

    def _open_vote(self) -> messages.VoteState:
        if self._vote is None or not self._vote.open:
            raise BadMessageError(ErrorCode.NO_VOTE, ErrorCode.NO_VOTE.description)
        return self._vote

    def _set_vote(self, vote: messages.VoteState) -> None:
        self._vote = vote
        self._tell_all(messages.VoteChanged(vote, self._next()))

    # --- what lasts ----------------------------------------------------------------------------------

    def state(self) -> RoomState:
        """Return what lasts of the room."""
        strokes = list(self._strokes.values())
        return RoomState(self.name, self._seq, strokes, self._drawing, self._vote, dict(self._choices))

    def restore(self, state: RoomState) -> None:
        """Take over the state of another room, without telling anybody."""
        self._seq, self._drawing, self._vote, self._choices = (
            state.seq,
            state.drawing,
            state.vote,
            state.choices,
        )
        self._strokes = OrderedDict(((stroke.member, stroke.id), stroke) for stroke in state.strokes)
        self._stroke_bytes = sum(map(_size, state.strokes))

    # --- the broadcast -------------------------------------------------------------------------------

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def _tell_all(self, message: Struct) -> None:
        text = encode(message)
        for _, subscriber in self.members.values():
            subscriber.put_event(text)


def _wrapped(number: int, text: str) -> str:
    return encode(messages.FollowedFrame(number, msgspec.Raw(text.encode())))


def _size(stroke: messages.Stroke) -> int:
    """Return about how many bytes a stroke takes on the wire."""
    return 64 + _POINT_BYTES * len(stroke.points)
