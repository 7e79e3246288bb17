"""One connection's place in the rooms."""

from typing import TYPE_CHECKING, Final

from hamlet_trio.connection import SharedSession, Subscriber
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.room_commands import Join
from hamlet_trio.room.room import Room
from hamlet_trio.room.room_broadcast import RoomMember

if TYPE_CHECKING:
    from hamlet_trio.room.service import RoomService


class Membership:
    """One connection's place in the rooms: in one of them at a time."""

    def __init__(self, service: "RoomService", member: RoomMember, subscriber: Subscriber) -> None:
        self.member = member
        self.subscriber: Final = subscriber
        self._service = service
        self._room: Room | None = None
        self._shared: SharedSession | None = None
        self._voter: str | None = None

    @property
    def room(self) -> Room:
        """The room that it is in; raises `BadMessageError` before it joined one."""
        if self._room is None:
            raise BadMessageError(ErrorCode.NOT_JOINED, ErrorCode.NOT_JOINED.description)
        return self._room

    def join(self, command: Join) -> None:
        """Enter a room, and leave the one before; in the same one the session may be another from now on.

        Raises `BadMessageError` if the room is full, and then it stays where it is; and if the session is not
        proved to be its own.
        """
        session, voter = self.proved(command), self.keep_voter(command.voter)
        if self.is_in(command.room):
            self.room.change_voter(self.member, voter)
            self.change_session(session)
            self._service.tell_again(self)
        else:
            if not self.is_in_a_room and voter is not None:
                self._service.come_back(self, voter)
            self.member.voter = voter
            self.enter(command.room, session)

    def keep_voter(self, voter: str | None) -> str | None:
        """Return the first `voter` of the connection, which stays: by another one it could vote again."""
        self._voter = self._voter or voter
        return self._voter

    @property
    def is_in_a_room(self) -> bool:
        """Whether it has joined one."""
        return self._room is not None

    def is_in(self, room: str) -> bool:
        """Return whether it is in the room of this name."""
        return self._room is not None and self._room.name == room

    def proved(self, command: Join) -> SharedSession | None:
        """Return the session that a `join` names, if any.

        Raises `BadMessageError` if it is not proved to be its own.
        """
        if command.session is None:
            return None
        session = self._service.sessions.find(command.session, command.proof or "")
        if session is None:
            raise BadMessageError(
                ErrorCode.UNPROVED_SESSION,
                "There is no such session, or `proof` is not the one from its `connected`.",
                field="proof",
            )
        return session

    def enter(self, room: str, session: SharedSession | None) -> None:
        """Enter another room. Raises `BadMessageError` if it is full, and then it stays where it is."""
        if self._room is not None:
            self._service.check_room(room)
            self.leave(to=room)
        self.member.follows, self.member.direct = None, False
        self.member.session = session
        self._room = self._service.enter(room, self.member, self.subscriber)
        self._hear_of_end(session)

    def change_session(self, session: SharedSession | None) -> None:
        """Share another session, or none, in the room where it is."""
        self._hear_of_end(session)
        self.room.followers.change_session(self.member, session)

    def forget(self) -> None:
        """Note that the room is gone, without telling anybody."""
        self._hear_of_end(None)
        self._room = None

    def leave(self, *, to: str | None = None) -> None:
        """Leave the room, if it is in one, for another or for good."""
        if self._room is not None:
            self._hear_of_end(None)
            self._service.leave(self._room, self.member.number, to=to)
            self._room = None

    def _hear_of_end(self, session: SharedSession | None) -> None:
        """Hear of the end of this session, and of no other one."""
        if self._shared is not None:
            self._shared.on_end(self.member.number, None)
        self._shared = session
        if session is not None:
            session.on_end(self.member.number, lambda: self._service.session_ended(self))
