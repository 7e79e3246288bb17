"""Who sees whose life in one room."""

from collections.abc import Iterable

import msgspec

from hamlet_trio.connection import Receive, SharedSession, Subscriber
from hamlet_trio.protocol import room_messages as messages
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.messages import encode
from hamlet_trio.room.room_broadcast import RoomBroadcast, RoomMember


class Followers:
    """Hand on what members' sessions send to those who see them, and to nobody else.

    A member sees the life of the one that it follows, unless it gets that directly, and the lives that
    `spotlight` and `asked` name. A session that nobody sees is not received, so that its frames are not even
    encoded.

    Attributes:
        spotlight: whose life the teacher shows to everybody.
        absent: whose life the spotlight comes back to when its member does.
        asked: whose life all see for a vote, present or not.
    """

    def __init__(self, broadcast: RoomBroadcast) -> None:
        self.spotlight: int | None = None
        self.absent: int | None = None
        self.asked: int | None = None
        self._broadcast = broadcast

    def follow(self, member: RoomMember, number: int | None) -> None:
        """Have a member see another's life, or nobody's, and tell everybody.

        Raises `BadMessageError` if that member is not here or has no session.
        """
        if number is not None:
            self._check_session(number)
        before, member.follows = member.follows, number
        member.direct = False
        self._broadcast.tell_all(messages.Following(member.number, number, self._broadcast.next()))
        self._attend(before, number)
        self.show_now(number, [member.number])

    def set_direct(self, member: RoomMember, number: int, *, direct: bool) -> None:
        """Send a member no frames of whom it follows while it gets them directly.

        Raises `BadMessageError` with `not_followed` if it does not follow that one, or no more.
        """
        if member.follows != number:
            raise BadMessageError(
                ErrorCode.NOT_FOLLOWED, f"You do not follow the member {number}.", field="member"
            )
        if member.direct == direct:
            return
        member.direct = direct
        self._attend(number)
        if not direct:
            self.show_now(number, [member.number])

    def set_spotlight(self, number: int | None) -> None:
        """Have everybody see one member's life, or nobody's, and tell them; raises as `follow`."""
        if number is not None:
            self._check_session(number)
        before, self.spotlight = self.spotlight, number
        self.absent = None
        self._broadcast.tell_all(messages.SpotlightSet(number, self._broadcast.next()))
        self._attend(before, number)
        self.show_now(number, self._broadcast.members)

    def attend_vote(self, number: int | None) -> None:
        """Have everybody see the life that a vote is about, or none."""
        if number == self.asked:
            return
        before, self.asked = self.asked, number
        self._attend(before, number)
        if number != self.spotlight:
            self.show_now(number, self._broadcast.members)

    def arrived(self, number: int) -> None:
        """Show a new member the lives that everybody sees, and its own again if it was one of them."""
        self._come_back(number)
        for shown in {self.spotlight, self.asked}:
            self._attend(shown)
            self.show_now(shown, [number])

    def _come_back(self, number: int) -> None:
        """Give the spotlight back to a member that lost it with its connection or its session."""
        if number == self.absent and self._broadcast.members[number][0].session is not None:
            self.set_spotlight(number)

    def left(self, member: RoomMember) -> None:
        """Have nobody see the life of a member that is not in the room any more."""
        if member.session is not None:
            member.session.follow(member.number, None)
        self._attend(member.follows)

    def end(self, number: int, *, may_return: bool = True) -> None:
        """Have nobody see a member's life any more, and tell everybody: it left, or its session ended.

        With `may_return`, the spotlight comes back with it, unless it shows something else by then.
        """
        for member, _ in self._broadcast.members.values():
            if member.follows == number:
                self.follow(member, None)
        if self.spotlight == number:
            self.set_spotlight(None)
            self.absent = number if may_return else None

    def change_session(self, member: RoomMember, session: SharedSession | None) -> None:
        """Record that a member has another session, which its followers see, or none; tell everybody."""
        if member.session is not None:
            member.session.follow(member.number, None)
        member.session = session
        if session is None:
            self.end(member.number)
        else:
            self._attend(member.number)
            self.show_now(member.number, self._seeing(member.number))
        self._broadcast.tell_all(messages.MemberChanged(member.described(), self._broadcast.next()))
        self._come_back(member.number)

    def of(self, number: int) -> list[Subscriber]:
        """Return the subscribers of those who see a member's life over the server; never its own."""
        return [self._broadcast.members[other][1] for other in self._seeing(number)]

    def show_now(self, number: int | None, to: Iterable[int]) -> None:
        """Send the newest frame of a life to members who begin to see it; the next may be long in coming."""
        members = self._broadcast.members
        if number is None or number not in members:
            return
        session = members[number][0].session
        if session is not None and session.last_frame is not None:
            text = _wrapped(number, session.last_frame)
            for other in to:
                if other != number and other in members:
                    members[other][1].put_frame(text)

    def _seeing(self, number: int) -> list[int]:
        return [
            other
            for other, (member, _) in self._broadcast.members.items()
            if other != number
            and (number in (self.spotlight, self.asked) or (number == member.follows and not member.direct))
        ]

    def _check_session(self, number: int) -> None:
        if self._broadcast.find(number)[0].session is None:
            raise BadMessageError(
                ErrorCode.UNKNOWN_MEMBER,
                f"The member {number} has no session that could be followed.",
                field="member",
            )

    def _attend(self, *numbers: int | None) -> None:
        """Receive the sessions of these members while somebody sees them, and only then."""
        for number in numbers:
            if number is not None and number in self._broadcast.members:
                session = self._broadcast.members[number][0].session
                if session is not None:
                    session.follow(number, self._receiver(number) if self._seeing(number) else None)

    def _receiver(self, number: int) -> Receive:
        def hand_on(text: str, is_frame: bool) -> None:
            wrapped = _wrapped(number, text)
            for subscriber in self.of(number):
                (subscriber.put_frame if is_frame else subscriber.put_event)(wrapped)

        return hand_on


def _wrapped(number: int, text: str) -> str:
    return encode(messages.FollowedFrame(number, msgspec.Raw(text.encode())))
