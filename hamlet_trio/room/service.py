"""The rooms of one server: who is where, and what is sent ten times a second."""

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Final

import trio
from msgspec import Struct

from hamlet_trio.connection import (
    MessageQueue,
    ReadBatch,
    ServerFullError,
    SharedSessions,
    Subscriber,
)
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.room_commands import MAX_GROUP, MAX_ROOM, MoveCursor, RoomCommand, Signal
from hamlet_trio.protocol.room_messages import GroupsChanged, Moved
from hamlet_trio.room.execution import execute
from hamlet_trio.room.identities import Identities
from hamlet_trio.room.membership import Membership
from hamlet_trio.room.room import Room, RoomState
from hamlet_trio.room.room_broadcast import RoomMember
from hamlet_trio.room.stun import serve_stun
from hamlet_trio.settings import Settings

CLASS: Final = "class"
CURSOR_INTERVAL: Final = 0.1  # seconds between two looks at the cursors
MAX_EMPTY_ROOMS: Final = 40
"""Rooms that are kept although nobody is in them, but for the class; the first to be empty go first."""
_EVENTS: Final = 600
_FRAMES: Final = 8


class RoomStatistics(Struct, frozen=True):
    """What there is now: members and rooms that have any."""

    members: int
    rooms: int


class RoomService:
    """Hold all rooms. `run` must be running for cursors to be sent.

    A room is made when somebody enters. A group is a room whose name is that of its room and a number. A room
    and its groups keep their strokes and votes while somebody is in one of them, and are forgotten when all
    have left; the class itself lasts as long as the server. Bounds: `max_room_members` members in all,
    `MAX_ROOM` in a room, `MAX_GROUP` in a group, `MAX_EMPTY_ROOMS` rooms that nobody is in.

    Attributes:
        sessions: those that members may share.
        pointing: connections of members that do nothing but point, read together at each turn.
    """

    def __init__(
        self, settings: Settings, sessions: SharedSessions, *, lots: random.Random | None = None
    ) -> None:
        self.sessions: Final = sessions
        self.pointing: Final = ReadBatch()
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
            with self.pointing.taking_turns():
                while True:
                    await self._moved.wait()
                    self._moved = trio.Event()
                    # Whoever is in the batch has pointed, so that a turn comes.
                    self.pointing.read()
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

    def carry_out_nowait(self, membership: Membership, command: RoomCommand) -> bool:
        """Carry out a command that nobody else waits for and that cannot fail; return whether it was one.

        Members send twenty cursors a second, and hardly anything else.
        """
        if not isinstance(command, MoveCursor) or not membership.is_in_a_room:
            return False
        self.point(membership, command.at)
        return True

    def point(self, membership: Membership, at: list[float] | None) -> None:
        """Have others told at the next turn where a member points."""
        membership.room.move_cursor(membership.member.number, at)
        self._moved.set()

    async def carry_out(self, membership: Membership, command: RoomCommand) -> None:
        """Carry out a member's command, which it may give. Raises `BadMessageError` if it cannot be done."""
        if isinstance(command, Signal):
            membership.room.admit_signal(membership.member, command)
        execute(self, membership, command)

    def part(self, membership: Membership) -> None:
        """Have a member whose connection has ended leave."""
        has_joined = membership.is_in_a_room
        membership.leave()
        member = membership.member
        self._identities.leave(member.number)
        if has_joined and member.voter is not None:
            self._identities.remember(member.identity, member.voter)

    def come_back(self, membership: Membership, voter: str) -> None:
        """Have a member that has joined nothing yet be who it was before it left, if it was here."""
        identity = self._identities.come_back(voter)
        if identity is not None:
            self._identities.leave(membership.member.number)
            membership.member = RoomMember(identity, teacher=membership.member.teacher)

    def session_ended(self, membership: Membership) -> None:
        """Note that the session which a member shared is over."""
        membership.change_session(None)

    @contextmanager
    def joined(self, session_id: str, *, teacher: bool) -> Iterator[Membership]:
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

    def tell_again(self, membership: Membership) -> None:
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

    def leave(self, room: Room, number: int, *, to: str | None = None) -> None:
        """Take a member out of its room; `to` is the one that it enters next, if any."""
        room.leave(number, lost=to is None)
        if not room.members:
            self._forget_empty(room.name, is_left=to is None or _base(to) != _base(room.name))
        if room.name != _base(room.name):
            self._tell_groups(_base(room.name))

    def _forget_empty(self, name: str, *, is_left: bool) -> None:
        """Forget empty rooms beyond the bound, and a room with its groups once all have left them.

        This one has become empty just now; `is_left` tells that its last member went elsewhere.
        """
        # The last to be empty comes last.
        self._rooms[name] = self._rooms.pop(name)
        base = _base(name)
        empty = [each for each, room in self._rooms.items() if not room.members and each != CLASS]
        gone = empty[:-MAX_EMPTY_ROOMS]
        if is_left and not self._family(base):
            gone += [each for each in empty if _base(each) == base]
        for each in gone:
            self._rooms.pop(each, None)

    def restore(self, state: RoomState) -> None:
        """Restore a room to the state it had at another instance."""
        room = self._rooms.get(state.name) or self._made(state.name)
        room.restore(state)
        if self._family(_base(state.name)) or room.name == CLASS:
            self._rooms[state.name] = room

    def clear(self) -> None:
        """Remove all rooms, without telling anybody."""
        self._rooms = {CLASS: self._made(CLASS)}
        self._identities.clear()

    def make_groups(self, room: Room, size: int) -> None:
        """Tell the members of a room and its groups but the teachers, by lot, which group to join.

        Groups are as equal as they can be, and none is larger than `size`.
        """
        present = [each for one in self._family(_base(room.name)) for each in one.members.items()]
        # In an order that all instances have.
        members = [each for _, each in sorted(present, key=itemgetter(0))]
        students = [(member, one) for member, one in members if not member.teacher]
        if len(students) < 2:
            # Without logins everybody is a teacher.
            students = members
        self._lots.shuffle(students)
        count = -(-len(students) // size)
        for index, (_, subscriber) in enumerate(students):
            subscriber.tell(Moved(f"{_base(room.name)}-{index % count + 1}"))

    def send_to(self, room: Room, number: int, name: str) -> None:
        """Tell a member of a room to join another one.

        Raises `BadMessageError` with `unknown_member`, and with `room_full` where that one has no place.
        """
        _, subscriber = room.find(number)
        if name != room.name:
            self.check_room(name)
        subscriber.tell(Moved(name))

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
