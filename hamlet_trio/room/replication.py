"""Rooms of several instances: every change goes through one log, which each instance carries out."""

import random
import secrets
from typing import Final

import msgspec
import trio

from hamlet_trio.common.backoff import Backoff
from hamlet_trio.connection import MessageQueue, SharedSessions, hash_of
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol import room_commands as commands
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.room_commands import RoomCommand, name_of
from hamlet_trio.room.entries import (
    Claimed,
    Commanded,
    Ended,
    Entered,
    Entry,
    Gone,
    Offered,
    Parted,
    Pointed,
    Replica,
    RoomLog,
    new_id,
    read_entry,
    read_portion,
    read_replica,
)
from hamlet_trio.room.entry_queue import EntryQueue
from hamlet_trio.room.execution import execute
from hamlet_trio.room.identities import Identity
from hamlet_trio.room.membership import Membership
from hamlet_trio.room.room_broadcast import RoomMember
from hamlet_trio.room.service import RoomService, RoomStatistics
from hamlet_trio.room.session_claims import RemoteSubscriber, RoomClaims
from hamlet_trio.settings import Settings

SIGN_EVERY: Final = 1.0  # seconds
_SAVE_EVERY: Final = 256  # entries; far fewer than the log keeps
_REMEMBERED: Final = 1024
_MAX_NUMBER: Final = 2**31
_GRACE: Final = 10.0
"""Seconds after Redis was away in which nobody is declared gone: instances find it again one by one."""


class ReplicatedRooms(RoomService):
    """The rooms of all instances over one log: members, strokes, votes, groups, signals and cursors.

    A command goes into the log, and is carried out when it is read from there, at each instance in the same
    order; who gave it is told then if it cannot be done. Without an answer of the log nothing changes, and
    who gives a command is told so. A session may be at another instance than its member and its followers:
    see `RoomClaims`. Its frames go to the instances of its followers outside the log.

    An instance that gives no sign for some seconds is declared gone by the others; its members leave, and its
    sessions are over for them. If it was only late it begins anew, and closes the connections of its members,
    which come back.

    Bounds: what waits to be appended are a place for each member, one departure each, and an end of each
    session; `_REMEMBERED` entries are known by their ids, so that one that was appended twice is carried out
    once.
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
        self._queue = EntryQueue(self._append, self._send_and_save)
        self._claims = RoomClaims(sessions, self._queue)
        self._seen: dict[str, None] = {}
        self._position = b"0"
        self._unsaved = 0
        self._is_current = False
        self._is_interrupted = False
        self._declares_from = 0.0
        self._reading = trio.CancelScope()

    # --- a member's commands -------------------------------------------------------------------------

    async def carry_out(self, membership: Membership, command: RoomCommand) -> None:
        """Put a command into the log, if it concerns other instances; raises `BadMessageError`."""
        number = membership.member.number
        match command:
            case commands.Join():
                await self._join(membership, command)
            case commands.MoveCursor(at=at):
                self.point(membership, at)
            case _:
                # Whoever has joined nothing is told so at once.
                room = membership.room
                if isinstance(command, commands.Signal):
                    room.admit_signal(membership.member, command)
                await self._append(Commanded(number, command, new_id()))

    def point(self, membership: Membership, at: list[float] | None) -> None:
        """Have others told where a member points, at this instance and at others."""
        super().point(membership, at)
        self._queue.point(membership.member.number, at)

    async def _join(self, membership: Membership, command: commands.Join) -> None:
        """Enter a room and claim a session, which may be at another instance."""
        if command.session is not None and command.session in self.sessions:
            # Whoever has no proof of a session of this instance is told so at once.
            membership.proved(command)
        member, here = membership.member, self._log.instance
        voter = membership.keep_voter(command.voter)
        self._own[member.number] = membership
        if not membership.is_in(command.room):
            await self._append(Entered(*member.identity, member.teacher, voter, command.room, here, new_id()))
        else:
            self.tell_again(membership)
        proof = hash_of(command.proof or "")
        await self._append(Claimed(member.number, voter, command.session, proof, new_id()))

    def session_ended(self, membership: Membership) -> None:
        """Tell all instances that a session is over, in the order of the log."""
        self._claims.session_ended(membership.member.number)

    def part(self, membership: Membership) -> None:
        """Note that a connection has ended; the log is told by the task that appends."""
        number = membership.member.number
        self._own.pop(number, None)
        self._queue.forget(number)
        if number in self._memberships:
            # It hears nothing more.
            membership.subscriber.too_slow.set()
        self._queue.put(Parted(number, new_id()))

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
            nursery.start_soon(self._queue.run)
            nursery.start_soon(self._watch)

    async def _read(self) -> None:
        backoff = Backoff(first=0.3, longest=5.0, healthy_after=5.0)
        while True:
            with trio.CancelScope() as self._reading:
                try:
                    if not self._is_current:
                        await self._log.give_sign()
                        self._begin(*await self._log.load())
                    await self._log.read(self._position, self._take, self._take_sent)
                except BadMessageError as error:
                    # The store's own task has logged why.
                    self._interrupted(error)
                    await backoff.wait()

    async def _send_and_save(self) -> None:
        """Send frames to where followers are, and keep the state when enough has changed."""
        for instance, portion in self._claims.relay.take().items():
            await self._log.send(instance, portion)
        if self._is_current and self._unsaved >= _SAVE_EVERY:
            saved = self._unsaved
            await self._log.save(self._position, msgspec.json.encode(self._replica()))
            self._unsaved -= saved

    async def _watch(self) -> None:
        """Give signs of life, and find out who gives none."""
        while True:
            await trio.sleep(SIGN_EVERY)
            try:
                for number, error in self._claims.refused().items():
                    if number in self._own:
                        self._own[number].subscriber.tell(error.as_message())
                if not await self._log.give_sign() and self._is_current:
                    # It was late, or all were because Redis was away.
                    self._declares_from = trio.current_time() + _GRACE
                    if not await self._log.holds(self._position):
                        self._begin_anew()
                instances = {entered.instance for entered in self._entered.values()} | self._claims.instances
                missing = await self._log.missing(instances)
                if trio.current_time() >= self._declares_from:
                    for instance in missing:
                        await self._append(Gone(instance, new_id()))
            except BadMessageError:
                self._declares_from = trio.current_time() + _GRACE

    # --- the replica ---------------------------------------------------------------------------------

    def _take(self, position: bytes, data: bytes) -> None:
        """Carry out an entry of the log."""
        if not self._is_current:
            return  # read together with what made this instance begin anew
        self._position, self._is_interrupted = position, False
        try:
            entry = read_entry(data)
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
            self._queue.wake()
        match entry:
            case Entered():
                self._enter(entry)
            case Parted(number=number):
                self._leave(number)
            case Commanded():
                self._command(entry)
            case Claimed() | Offered() | Ended():
                self._agree(entry)
            case Pointed(cursors=cursors):
                self._point(cursors)
            case Gone(instance=instance):
                self._lose(instance)
        if not isinstance(entry, Pointed):
            # Frames go to where followers are by now.
            self._claims.attend(self._memberships)

    def _agree(self, entry: Claimed | Offered | Ended) -> None:
        """Carry out what concerns whose session is where."""
        membership = self._memberships.get(entry.number)
        if membership is None:
            return
        match entry:
            case Claimed():
                is_own = entry.number in self._own
                self._claims.claim(membership, entry, self._log.instance, is_own=is_own)
            case Offered():
                self._claims.offer(membership, entry)
            case Ended():
                self._claims.end(membership, entry)

    def _lose(self, instance: str) -> None:
        """Have the members of an instance leave, and its sessions be over."""
        if instance == self._log.instance:
            self._begin_anew()
            return
        for number, entered in list(self._entered.items()):
            if entered.instance == instance:
                self._leave(number)
        for number in self._claims.at(instance):
            self._claims.lose(self._memberships[number])

    def _take_sent(self, data: bytes) -> None:
        """Hand on frames of sessions at another instance."""
        self._is_interrupted = False
        try:
            messages = read_portion(data)
        except msgspec.DecodeError:
            get_logger(service="rooms").warning("unknown_room_entry")
            return
        for message in messages:
            membership = self._memberships.get(message.number)
            if membership is not None:
                self._claims.receive(message, membership)

    def _interrupted(self, error: BadMessageError) -> None:
        """Tell those who follow a life at another instance that it waits, once."""
        if self._is_interrupted:
            return
        self._is_interrupted = True
        told = BadMessageError(ErrorCode.STORE_UNAVAILABLE, f"What you follow waits: {error.message}")
        for subscriber in self._claims.waiting(self._memberships):
            subscriber.tell(told.as_message())

    def _enter(self, entry: Entered) -> None:
        own = self._own.get(entry.number) if entry.instance == self._log.instance else None
        if entry.instance == self._log.instance and own is None:
            return  # it has left already
        membership = own or self._memberships.get(entry.number) or self._remote(entry)
        membership.member.voter = entry.voter
        self._make_way(entry)
        try:
            membership.enter(entry.room, None)
        except BadMessageError as error:
            error.command = name_of(commands.Join())
            membership.subscriber.tell(error.as_message())
            return
        self._claims.forget(entry.number)
        self._memberships[entry.number] = membership
        self._entered.pop(entry.number, None)
        self._entered[entry.number] = entry
        self._identities.enter(membership.member.identity)

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
        member = RoomMember(Identity(entry.number, entry.animal, entry.colour), teacher=entry.teacher)
        nothing = MessageQueue[str](max_kept=1, max_droppable=1)
        return Membership(self, member, RemoteSubscriber(entry.instance, nothing))

    def _leave(self, number: int) -> None:
        membership = self._memberships.pop(number, None)
        self._entered.pop(number, None)
        self._identities.leave(number)
        if membership is not None:
            membership.leave()
        self._claims.forget(number)

    def _command(self, entry: Commanded) -> None:
        membership = self._memberships.get(entry.number)
        if membership is None:
            return
        # Random choices are the same at each instance.
        self._lots.seed(entry.id)
        try:
            execute(self, membership, entry.command)
        except BadMessageError as error:
            error.command = name_of(entry.command)
            membership.subscriber.tell(error.as_message())

    def _point(self, cursors: dict[int, list[float] | None]) -> None:
        for number, at in cursors.items():
            membership = self._memberships.get(number)
            if membership is not None and number not in self._own:
                super().point(membership, at)

    def _replica(self) -> Replica:
        states = [room.state() for room in self._rooms.values()]
        lives = [self._claims.life(each) for each in self._memberships.values()]
        return Replica(states, list(self._entered.values()), list(self._seen), lives)

    def _begin(self, position: bytes, data: bytes | None) -> None:
        """Take over the state that the others have after the entry at a position."""
        self._position, self._is_current = position, True
        if data is None:
            return
        try:
            replica = read_replica(data)
        except msgspec.DecodeError as error:
            # The rooms begin empty here; the others save their state again within `_SAVE_EVERY` entries.
            get_logger(service="rooms").warning("unreadable_room_state", reason=str(error))
            return
        self._seen = dict.fromkeys(replica.seen)
        for entered in replica.members:
            self._enter(entered)
        for life in replica.lives:
            if (membership := self._memberships.get(life.number)) is not None:
                self._claims.restore(membership, life)
        for state in replica.rooms:
            self.restore(state)

    def _begin_anew(self) -> None:
        """Drop all state, because the others have gone on without this instance; its members reconnect."""
        for membership in self._own.values():
            membership.subscriber.too_slow.set()
        for membership in self._memberships.values():
            membership.forget()
        self._own.clear()
        self._claims.clear()
        self._memberships.clear()
        self._entered.clear()
        self._seen.clear()
        self.clear()
        self._log.renew()
        self._is_current = False
        self._reading.cancel()
