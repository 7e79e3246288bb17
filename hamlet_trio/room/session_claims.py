"""Whose session is at which instance, as all instances agree on it over their log."""

from functools import partial
from typing import Final, NamedTuple

import trio

from hamlet_trio.connection import SharedSession, SharedSessions, Subscriber
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.room.entries import Claimed, Ended, MemberLife, Offered, Relayed, new_id
from hamlet_trio.room.entry_queue import EntryQueue
from hamlet_trio.room.frame_relay import FrameRelay, RemoteSession
from hamlet_trio.room.membership import Membership

ANSWER_WITHIN: Final = 3.0
"""Seconds in which the instance of a claimed session offers it; else there is no such session."""


class RemoteSubscriber(Subscriber):
    """A member at another instance, which tells it what happens."""

    def put_event(self, text: str) -> None:
        """Leave it to the other instance."""

    def put_frame(self, text: str) -> None:
        """Leave it to the other instance."""


class OfferedSession(NamedTuple):
    """A session that can be followed: by which claim it was offered, and at which instance it is."""

    claim: str
    instance: str


class RoomClaims:
    """Have members' sessions followed at all instances, wherever session and member are.

    A member claims a session, and the instance that has it offers it, if the proof is right; from then on it
    can be followed, until it ends or the next one is offered. What it sends goes to the instances at which
    somebody follows it, and only then.

    Attributes:
        relay: what waits to be sent to other instances.
    """

    def __init__(self, sessions: SharedSessions, queue: EntryQueue) -> None:
        self.relay: Final = FrameRelay()
        self._sessions = sessions
        self._queue = queue
        self._claims: dict[int, str] = {}  # the newest of each member
        self._offered: dict[int, OfferedSession] = {}
        self._offering: dict[str, SharedSession] = {}
        self._own: dict[int, SharedSession] = {}
        self._unanswered: dict[int, float] = {}

    # --- what instances agree on ---------------------------------------------------------------------

    def claim(self, membership: Membership, entry: Claimed, instance: str, *, is_own: bool) -> None:
        """Note a claim, and offer the session if it is here; `is_own`: the member is at this instance."""
        number = entry.number
        membership.room.change_voter(membership.member, entry.voter)
        self._claims[number] = entry.id
        self._unanswered.pop(number, None)
        if entry.session is None:
            self._take(membership, None)
            return
        session = self._sessions.find_hashed(entry.session, entry.proof)
        if session is not None:
            self._offering[entry.id] = session
            self._queue.put(Offered(number, entry.id, instance, new_id()))
        if is_own:
            self._unanswered[number] = trio.current_time() + ANSWER_WITHIN

    def offer(self, membership: Membership, entry: Offered) -> None:
        """Have a claimed session followed from now on, if nothing was claimed since."""
        own = self._offering.pop(entry.claim, None)
        if self._claims.get(entry.number) != entry.claim:
            return
        self._unanswered.pop(entry.number, None)
        self._take(membership, own or RemoteSession(), OfferedSession(entry.claim, entry.instance))
        if own is not None:
            self._own[entry.number] = own
            if own.is_over:
                self.session_ended(entry.number)

    def end(self, membership: Membership, entry: Ended) -> None:
        """Note that a session is over, unless another was offered since."""
        offered = self._offered.get(entry.number)
        if offered is not None and offered.claim == entry.claim:
            self._take(membership, None)

    def session_ended(self, number: int) -> None:
        """Tell all instances that a member's session, which was offered by this one, is over."""
        if number in self._own:
            self._queue.put(Ended(number, self._offered[number].claim, new_id()))

    def forget(self, number: int) -> None:
        """Forget a member that has left, or goes to another room."""
        self._claims.pop(number, None)
        self._offered.pop(number, None)
        self._unanswered.pop(number, None)
        self._release(number)

    def clear(self) -> None:
        """Forget everything."""
        for number in list(self._claims):
            self.forget(number)
        self._offering.clear()

    def _take(
        self, membership: Membership, session: SharedSession | None, offered: OfferedSession | None = None
    ) -> None:
        number = membership.member.number
        self._release(number)
        self._offered.pop(number, None)
        if offered is not None:
            self._offered[number] = offered
        membership.change_session(session)

    def _release(self, number: int) -> None:
        self.relay.aim(number, frozenset())
        own = self._own.pop(number, None)
        if own is not None:
            own.follow((self, number), None)

    # --- what an instance that begins needs ----------------------------------------------------------

    def life(self, membership: Membership) -> MemberLife:
        """Return what an instance that begins needs to know of a member's session."""
        member = membership.member
        offered = self._offered.get(member.number)
        instance, claim = (None, None) if offered is None else (offered.instance, offered.claim)
        newest = self._claims.get(member.number)
        return MemberLife(member.number, newest, instance, member.follows, member.direct, claim)

    def restore(self, membership: Membership, life: MemberLife) -> None:
        """Restore a member's claim and whom it follows; all members are at other instances."""
        if life.claim is not None:
            self._claims[life.number] = life.claim
        claim = life.offered or life.claim
        if life.instance is not None and claim is not None:
            self._take(membership, RemoteSession(), OfferedSession(claim, life.instance))
        membership.member.follows, membership.member.direct = life.follows, life.direct

    # --- instances and their members -----------------------------------------------------------------

    @property
    def instances(self) -> set[str]:
        """The instances that have claimed sessions."""
        return {offered.instance for offered in self._offered.values()}

    def at(self, instance: str) -> list[int]:
        """Return the members whose sessions are at an instance."""
        return [number for number, offered in self._offered.items() if offered.instance == instance]

    def lose(self, membership: Membership) -> None:
        """Note that the instance of a member's session is gone; one that it has claimed since may be not."""
        self._take(membership, None)

    def refused(self) -> dict[int, BadMessageError]:
        """Return the members of this instance whose claims nobody answered, with what to tell each."""
        late = [number for number, until in self._unanswered.items() if until <= trio.current_time()]
        for number in late:
            del self._unanswered[number]
        error = BadMessageError(
            ErrorCode.UNPROVED_SESSION, ErrorCode.UNPROVED_SESSION.description, command="join", field="proof"
        )
        return dict.fromkeys(late, error)

    # --- frames --------------------------------------------------------------------------------------

    def attend(self, memberships: dict[int, Membership]) -> None:
        """Send sessions of this instance to those at which somebody follows them, and to no other."""
        for number, session in self._own.items():
            claim = self._offered[number].claim
            followers = memberships[number].room.followers.of(number)
            targets = frozenset(each.session_id for each in followers if isinstance(each, RemoteSubscriber))
            new = self.relay.aim(number, targets)
            session.follow((self, number), partial(self._put, number, claim) if targets else None)
            if new and session.last_frame is not None:
                self._put(number, claim, session.last_frame, True)
        for number in self._offered.keys() - self._own.keys():
            remote = memberships[number].member.session
            if isinstance(remote, RemoteSession) and not remote.is_followed:
                remote.forget_frame()

    def waiting(self, memberships: dict[int, Membership]) -> list[Subscriber]:
        """Return those at this instance who follow a session at another one."""
        return [
            subscriber
            for number in self._offered.keys() - self._own.keys()
            for subscriber in memberships[number].room.followers.of(number)
            if not isinstance(subscriber, RemoteSubscriber)
        ]

    def _put(self, number: int, claim: str, text: str, is_frame: bool) -> None:
        self.relay.put(number, claim, text, is_frame=is_frame)
        self._queue.wake()

    def receive(self, message: Relayed, membership: Membership) -> None:
        """Hand on a message of a session at another instance."""
        session, offered = membership.member.session, self._offered.get(message.number)
        if isinstance(session, RemoteSession) and offered is not None and offered.claim == message.claim:
            session.publish(message.text.decode(), is_frame=message.is_frame)
