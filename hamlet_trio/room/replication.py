"""Rooms of several instances: every change goes through one log, which each instance carries out."""

import random
import secrets
from typing import Final

import msgspec
import trio

from hamlet_trio.common.backoff import Backoff
from hamlet_trio.connection import MessageQueue, SharedSession, SharedSessions, Subscriber
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol import room_commands as commands
from hamlet_trio.protocol.errors import BadMessageError
from hamlet_trio.protocol.room_commands import RoomCommand
from hamlet_trio.room.entries import (
    Commanded,
    Entered,
    Entry,
    Gone,
    Parted,
    Pointed,
    Replica,
    RoomLog,
    entries,
    replicas,
)
from hamlet_trio.room.execution import execute
from hamlet_trio.room.room import RoomMember
from hamlet_trio.room.service import CURSOR_INTERVAL, Membership, RoomService, RoomStatistics
from hamlet_trio.settings import Settings

SIGN_EVERY: Final = 1.0  # seconds
_SAVE_EVERY: Final = 256  # entries; far fewer than the log keeps
_REMEMBERED: Final = 1024
_MAX_NUMBER: Final = 2**31


class RemoteSubscriber(Subscriber):
    """A member at another instance, which tells it what happens."""

    def put_event(self, text: str) -> None:
        """Leave it to the other instance."""

    def put_frame(self, text: str) -> None:
        """Leave it to the other instance."""


class ReplicatedRooms(RoomService):
    """The rooms of all instances over one log: members, strokes, votes, groups, signals and cursors.

    A command goes into the log, and is carried out when it is read from there, at each instance in the same
    order; who gave it is told then if it cannot be done. Without an answer of the log nothing changes, and
    who gives a command is told so. Lives are followed within one instance: sessions, `follow` and
    `spotlight` stay out of the log.

    An instance that gives no sign for some seconds is declared gone by the others, and its members leave.
    If it was only late it begins anew, and closes the connections of its members, which come back.

    Bounds: what waits to be appended are a place for each member, and one departure each; `_REMEMBERED`
    entries are known by their ids, so that one that was appended twice is carried out once.
    """

    def __init__(
        self,
        settings: Settings,
        sessions: SharedSessions,
        log: RoomLog,
        *,
        lots: random.Random | None = None,
    ) -> None:
        super().__init__(settings, sessions, lots=lots)
        self._log = log
        self._entered: dict[int, Entered] = {}
        self._memberships: dict[int, Membership] = {}
        self._own: dict[int, Membership] = {}
        self._offered: dict[int, SharedSession | None] = {}
        self._pointing: dict[int, list[float] | None] = {}
        self._parting: dict[int, None] = {}
        self._seen: dict[str, None] = {}
        self._position = b"0"
        self._unsaved = 0
        self._is_current = False
        self._reading = trio.CancelScope()
        self._waits = trio.Event()

    # --- a member's commands -------------------------------------------------------------------------

    async def carry_out(self, membership: Membership, command: RoomCommand) -> None:
        """Put a command into the log, if it concerns other instances; raises `BadMessageError`."""
        number = membership.member.number
        match command:
            case commands.Join():
                session = membership.proved(command)
                if membership.is_in(command.room):
                    membership.join(command)
                    return
                member = membership.member
                self._own[number] = membership
                self._offered[number] = session
                await self._append(
                    Entered(
                        number,
                        member.animal,
                        member.colour,
                        member.teacher,
                        command.voter,
                        command.room,
                        self._log.instance,
                        _new_id(),
                    )
                )
            case commands.MoveCursor(at=at):
                execute(self, membership, command)
                self._pointing[number] = at
                self._waits.set()
            case commands.Follow() | commands.SetDirect() | commands.Spotlight():
                execute(self, membership, command)
            case _:
                # Whoever has joined nothing is told so at once.
                _ = membership.room
                await self._append(Commanded(number, command, _new_id()))

    def part(self, membership: Membership) -> None:
        """Note that a connection has ended; the log is told by the task that appends."""
        number = membership.member.number
        self._own.pop(number, None)
        self._offered.pop(number, None)
        self._pointing.pop(number, None)
        if number in self._memberships:
            # It hears nothing more.
            membership.subscriber.too_slow.set()
        self._parting[number] = None
        self._waits.set()

    def next_number(self) -> int:
        """Return a random number; the chance that a given other member has it is one in two billion."""
        return 1 + secrets.randbelow(_MAX_NUMBER - 1)

    def statistics(self) -> RoomStatistics:
        """Return counts for the metrics: this instance's members, and the rooms of all."""
        return RoomStatistics(members=len(self._own), rooms=super().statistics().rooms)

    async def _append(self, entry: Entry) -> None:
        if not self._is_current:
            await self._log.give_sign()
        await self._log.append(msgspec.json.encode(entry))

    # --- the tasks -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Read and append until cancelled, beside what the rooms of one instance need."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(super().run)
            nursery.start_soon(self._read)
            nursery.start_soon(self._append_waiting)
            nursery.start_soon(self._watch)

    async def _read(self) -> None:
        backoff = Backoff(first=0.3, longest=5.0, healthy_after=5.0)
        while True:
            with trio.CancelScope() as self._reading:
                try:
                    if not self._is_current:
                        await self._log.give_sign()
                        self._begin(*await self._log.load())
                    await self._log.read(self._position, self._take)
                except BadMessageError:
                    # The store's own task has logged why.
                    await backoff.wait()

    async def _append_waiting(self) -> None:
        """Append where members point, and who has left, ten times a second at most."""
        while True:
            await self._waits.wait()
            self._waits = trio.Event()
            try:
                if self._pointing:
                    pointing, self._pointing = self._pointing, {}
                    await self._append(Pointed(pointing, _new_id()))
                while self._parting:
                    number = next(iter(self._parting))
                    await self._append(Parted(number, _new_id()))
                    del self._parting[number]
                if self._unsaved >= _SAVE_EVERY:
                    self._unsaved = 0
                    await self._log.save(self._position, msgspec.json.encode(self._replica()))
            except BadMessageError:
                # Cursors may be lost; who has left is told once Redis is back.
                await trio.sleep(SIGN_EVERY)
                self._waits.set()
            await trio.sleep(CURSOR_INTERVAL)

    async def _watch(self) -> None:
        """Give signs of life, and find out who gives none."""
        while True:
            await trio.sleep(SIGN_EVERY)
            try:
                if not await self._log.give_sign() and self._is_current:
                    self._begin_anew()
                instances = {entered.instance for entered in self._entered.values()}
                for instance in await self._log.missing(instances):
                    await self._append(Gone(instance, _new_id()))
            except BadMessageError:
                continue

    # --- the replica ---------------------------------------------------------------------------------

    def _take(self, position: bytes, data: bytes) -> None:
        """Carry out an entry of the log."""
        self._position = position
        try:
            entry = entries.decode(data)
        except msgspec.DecodeError:
            # One of a newer version, while instances are restarted one after the other.
            get_logger(service="rooms").warning("unknown_room_entry")
            return
        if entry.id in self._seen:
            return
        self._seen[entry.id] = None
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        self._unsaved += 1
        if self._unsaved >= _SAVE_EVERY:
            self._waits.set()
        match entry:
            case Entered():
                self._enter(entry)
            case Parted(number=number):
                self._leave(number)
            case Commanded():
                self._command(entry)
            case Pointed(cursors=cursors):
                self._point(cursors)
            case Gone(instance=instance):
                for number, entered in list(self._entered.items()):
                    if entered.instance == instance:
                        self._leave(number)
                if instance == self._log.instance:
                    self._begin_anew()

    def _enter(self, entry: Entered) -> None:
        own = self._own.get(entry.number) if entry.instance == self._log.instance else None
        if entry.instance == self._log.instance and own is None:
            return  # it has left already
        membership = own or self._memberships.get(entry.number) or self._remote(entry)
        membership.member.voter = entry.voter
        self._make_way(entry)
        try:
            membership.enter(entry.room, self._offered.pop(entry.number, None))
        except BadMessageError as error:
            membership.subscriber.tell(error.as_message())
            return
        self._memberships[entry.number] = membership
        self._entered.pop(entry.number, None)
        self._entered[entry.number] = entry
        self._looks[entry.number] = entry.animal, entry.colour

    def _make_way(self, entry: Entered) -> None:
        """Remove what a returning member was at another instance.

        After an instance has died, a full class comes back before the others know of it.
        """
        if entry.voter is None:
            return
        for number, other in list(self._entered.items()):
            is_same = (other.voter, other.room) == (entry.voter, entry.room)
            if is_same and other.instance != entry.instance:
                self._leave(number)

    def _remote(self, entry: Entered) -> Membership:
        member = RoomMember(entry.number, entry.animal, entry.colour, teacher=entry.teacher)
        nothing = MessageQueue[str](max_kept=1, max_droppable=1)
        return Membership(self, member, RemoteSubscriber(entry.instance, nothing))

    def _leave(self, number: int) -> None:
        membership = self._memberships.pop(number, None)
        self._entered.pop(number, None)
        self._looks.pop(number, None)
        if membership is not None:
            membership.leave()

    def _command(self, entry: Commanded) -> None:
        membership = self._memberships.get(entry.number)
        if membership is None:
            return
        # Random choices are the same at each instance.
        self._lots.seed(entry.id)
        try:
            execute(self, membership, entry.command)
        except BadMessageError as error:
            membership.subscriber.tell(error.as_message())

    def _point(self, cursors: dict[int, list[float] | None]) -> None:
        for number, at in cursors.items():
            membership = self._memberships.get(number)
            if membership is not None and number not in self._own:
                execute(self, membership, commands.MoveCursor(at))

    def _replica(self) -> Replica:
        states = [room.state() for room in self._rooms.values()]
        return Replica(states, list(self._entered.values()), list(self._seen))

    def _begin(self, position: bytes, data: bytes | None) -> None:
        """Take over the state that the others have after the entry at a position."""
        self._position, self._is_current = position, True
        if data is None:
            return
        replica = replicas.decode(data)
        self._seen = dict.fromkeys(replica.seen)
        for entered in replica.members:
            self._enter(entered)
        for state in replica.rooms:
            self.restore(state)

    def _begin_anew(self) -> None:
        """Drop all state, because the others have gone on without this instance; its members reconnect."""
        for membership in self._own.values():
            membership.subscriber.too_slow.set()
        for membership in self._memberships.values():
            membership.forget()
        self._own.clear()
        self._memberships.clear()
        self._entered.clear()
        self._seen.clear()
        self.clear()
        self._is_current = False
        self._reading.cancel()


def _new_id() -> str:
    return secrets.token_hex(8)
