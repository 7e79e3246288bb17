"""The rooms of one server: who is where, and what is sent ten times a second."""

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import trio
from msgspec import Struct

from hamlet_trio.connection import MessageQueue, ServerFullError, SharedSession, SharedSessions, Subscriber
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.room_commands import MAX_GROUP, MAX_ROOM, Join, MoveCursor, RoomCommand, Signal
from hamlet_trio.protocol.room_messages import GroupsChanged, Moved
from hamlet_trio.room.execution import execute
from hamlet_trio.room.identities import Identities
from hamlet_trio.room.room import Room, RoomState
from hamlet_trio.room.room_broadcast import RoomMember
from hamlet_trio.room.stun import serve_stun
from hamlet_trio.settings import Settings

CLASS: Final = "class"
CURSOR_INTERVAL: Final = 0.1  # seconds between two looks at the cursors
_EVENTS: Final = 600
_FRAMES: Final = 8


class RoomStatistics(Struct, frozen=True):
    """What there is now: members and rooms that have any."""

    members: int
    rooms: int


class RoomService:
    """Hold all rooms. `run` must be running for cursors to be sent.

    Rooms are made when somebody enters and forgotten when the last member leaves, but for the class, whose
    strokes and vote last as long as the server. A group is a room whose name is that of its room and a
    number. Bounds: `max_room_members` members in all, `MAX_ROOM` in a room, `MAX_GROUP` in a group.
    """

    def __init__(
        self, settings: Settings, sessions: SharedSessions, *, lots: random.Random | None = None
    ) -> None:
        self.sessions: Final = sessions
        self._settings = settings
        self._lots = lots or random.Random()
        self._numbers = itertools.count(1)
        self._rooms: dict[str, Room] = {CLASS: self._made(CLASS)}
        self._identities = Identities(self._lots)
        self._moved = trio.Event()
        self._stun_port: int | None = None
        self._places = 0

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Reserve a place for one member. Raises `ServerFullError` when all are taken."""
        limit = self._settings.max_room_members
        if self._places >= limit:
            raise ServerFullError("places in rooms", limit, "HAMLET_MAX_ROOM_MEMBERS")
        self._places += 1
        try:
            yield
        finally:
            self._places -= 1

    async def run(self) -> None:
        """Send cursors and answer STUN until cancelled."""
        async with trio.open_nursery() as nursery:
            if self._settings.stun_port and self._settings.room_peers:
                nursery.start_soon(self._answer_stun)
            while True:
                await self._moved.wait()
                self._moved = trio.Event()
                for room in self._rooms.values():
                    if room.has_cursors:
                        room.tell_cursors()
                await trio.sleep(CURSOR_INTERVAL)

    async def _answer_stun(self) -> None:
        def listening(port: int) -> None:
            self._stun_port = port

        try:
            await serve_stun(self._settings.host, self._settings.stun_port, listening)
        except OSError as error:
            # Rooms work without it, over the server.
            get_logger(service="rooms").error("stun_unavailable", reason=error.strerror)
        finally:
            self._stun_port = None

    def carry_out_nowait(self, membership: "Membership", command: RoomCommand) -> bool:
        """Carry out a command that nobody else waits for and that cannot fail; return whether it was one.

        Members send twenty cursors a second, and hardly anything else.
        """
        if not isinstance(command, MoveCursor) or not membership.is_in_a_room:
            return False
        self.point(membership, command.at)
        return True

    def point(self, membership: "Membership", at: list[float] | None) -> None:
        """Have others told at the next turn where a member points."""
        membership.room.move_cursor(membership.member.number, at)
        self._moved.set()

    async def carry_out(self, membership: "Membership", command: RoomCommand) -> None:
        """Carry out a member's command, which it may give. Raises `BadMessageError` if it cannot be done."""
        if isinstance(command, Signal):
            membership.room.admit_signal(membership.member, command)
        execute(self, membership, command)

    def part(self, membership: "Membership") -> None:
        """Have a member whose connection has ended leave."""
        has_joined = membership.is_in_a_room
        membership.leave()
        member = membership.member
        self._identities.leave(member.number)
        if has_joined and member.voter is not None:
            self._identities.remember(member.identity, member.voter)

    def come_back(self, membership: "Membership", voter: str) -> None:
        """Have a member that has joined nothing yet be who it was before it left, if it was here."""
        identity = self._identities.come_back(voter)
        if identity is not None:
            self._identities.leave(membership.member.number)
            membership.member = RoomMember(identity, teacher=membership.member.teacher)

    def session_ended(self, membership: "Membership") -> None:
        """Note that the session which a member shared is over."""
        membership.change_session(None)

    @contextmanager
    def joined(self, session_id: str, *, teacher: bool) -> Iterator["Membership"]:
        """Give a connection a number, an animal and a colour for as long as the context lasts."""
        member = RoomMember(self._identities.new(self.next_number()), teacher=teacher)
        queue = MessageQueue[str](max_kept=_EVENTS, max_droppable=_FRAMES)
        membership = Membership(self, member, Subscriber(session_id, queue))
        try:
            yield membership
        finally:
            self.part(membership)

    def next_number(self) -> int:
        """Return a number that no other member has."""
        return next(self._numbers)

    def statistics(self) -> RoomStatistics:
        """Return counts for the metrics."""
        counts = [len(room.members) for room in self._rooms.values()]
        return RoomStatistics(members=sum(counts), rooms=sum(count > 0 for count in counts))

    def enter(self, name: str, member: RoomMember, subscriber: Subscriber) -> Room:
        """Put a member into a room, which is made if there is none of that name."""
        room = self._rooms.get(name) or self._made(name)
        room.enter(member, subscriber, stun_port=self._stun_port)
        self._rooms[name] = room
        base = _base(name)
        if name != base:
            self._tell_groups(base)
        elif groups := self._groups(base):
            subscriber.tell(GroupsChanged(groups))
        return room

    def tell_again(self, membership: "Membership") -> None:
        """Tell a member that joined the room where it is what is there."""
        membership.room.tell_joined(membership.member.number, stun_port=self._stun_port)

    def _made(self, name: str) -> Room:
        """Make a room; in a group members may connect to each other, where the settings let them."""
        is_group = name != _base(name)
        peers = is_group and self._settings.room_peers
        return Room(name, MAX_GROUP if is_group else MAX_ROOM, peers=peers)

    def check_room(self, name: str) -> None:
        """Raise `BadMessageError` if a room has no place."""
        if name in self._rooms:
            self._rooms[name].check_place()

    def leave(self, room: Room, number: int) -> None:
        """Take a member out of its room."""
        room.leave(number)
        if not room.members and room.name != CLASS:
            del self._rooms[room.name]
        if room.name != _base(room.name):
            self._tell_groups(_base(room.name))

    def restore(self, state: RoomState) -> None:
        """Restore a room to the state it had at another instance."""
        room = self._rooms.get(state.name) or self._made(state.name)
        room.restore(state)
        if room.members or room.name == CLASS:
            self._rooms[state.name] = room

    def clear(self) -> None:
        """Remove all rooms, without telling anybody."""
        self._rooms = {CLASS: self._made(CLASS)}
        self._identities.clear()

    def make_groups(self, room: Room, size: int) -> None:
        """Tell the members of a room but the teachers, in a random order, which of its groups to join.

        Groups are as equal as they can be, and none is larger than `size`.
        """
        students = [(member, one) for member, one in room.members.values() if not member.teacher]
        if len(students) < 2:
            # Without logins everybody is a teacher.
            students = list(room.members.values())
        self._lots.shuffle(students)
        count = -(-len(students) // size)
        for index, (_, subscriber) in enumerate(students):
            subscriber.tell(Moved(f"{_base(room.name)}-{index % count + 1}"))

    def gather(self, room: Room) -> None:
        """Tell the members of a room's groups to join it."""
        base = _base(room.name)
        for each in self._family(base):
            if each.name != base:
                for _, subscriber in each.members.values():
                    subscriber.tell(Moved(base))

    def _tell_groups(self, base: str) -> None:
        """Tell a room and its groups how many members each group has."""
        changed = GroupsChanged(self._groups(base))
        for room in self._family(base):
            for _, subscriber in room.members.values():
                subscriber.tell(changed)

    def _groups(self, base: str) -> dict[str, int]:
        return {room.name: len(room.members) for room in self._family(base) if room.name != base}

    def _family(self, base: str) -> list[Room]:
        """Return a room and its groups, as far as they have members."""
        return [room for name, room in self._rooms.items() if _base(name) == base and room.members]


def _base(name: str) -> str:
    """Return the room that a group belongs to, or a room's own name."""
    return name.partition("-")[0]


class Membership:
    """One connection's place in the rooms: in one of them at a time."""

    def __init__(self, service: RoomService, member: RoomMember, subscriber: Subscriber) -> None:
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
            self.leave()
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

    def leave(self) -> None:
        """Leave the room, if it is in one."""
        if self._room is not None:
            self._hear_of_end(None)
            self._service.leave(self._room, self.member.number)
            self._room = None

    def _hear_of_end(self, session: SharedSession | None) -> None:
        """Hear of the end of this session, and of no other one."""
        if self._shared is not None:
            self._shared.on_end(self.member.number, None)
        self._shared = session
        if session is not None:
            session.on_end(self.member.number, lambda: self._service.session_ended(self))
