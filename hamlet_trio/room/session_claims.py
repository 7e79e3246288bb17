"""Whose session is at which instance, as all instances agree on it over their log."""

from functools import partial
from typing import Final

import trio

from hamlet_trio.connection import SharedSession, SharedSessions, Subscriber
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.room.entries import Claimed, Ended, MemberLife, Offered, Relayed, new_id
from hamlet_trio.room.entry_queue import EntryQueue
from hamlet_trio.room.frame_relay import FrameRelay, RemoteSession
from hamlet_trio.room.service import Membership

ANSWER_WITHIN: Final = 3.0
"""Seconds in which the instance of a claimed session offers it; else there is no such session."""


class RemoteSubscriber(Subscriber):
    """A member at another instance, which tells it what happens."""

    def put_event(self, text: str) -> None:
        """Leave it to the other instance."""

    def put_frame(self, text: str) -> None:
        """Leave it to the other instance."""


class RoomClaims:
    """Have members' sessions followed at all instances, wherever session and member are.

    A member claims a session, and the instance that has it offers it, if the proof is right; from then on it
    can be followed. What it sends goes to the instances at which somebody follows it, and only then.

    Attributes:
        relay: what waits to be sent to other instances.
    """

    def __init__(self, sessions: SharedSessions, queue: EntryQueue) -> None:
        self.relay: Final = FrameRelay()
        self._sessions = sessions
        self._queue = queue
        self._claims: dict[int, str] = {}
        self._instances: dict[int, str] = {}
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
            self._take(membership, None, None)
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
        self._take(membership, own or RemoteSession(), entry.instance)
        if own is not None:
            self._own[entry.number] = own
            if own.is_over:
                self.session_ended(entry.number)

    def end(self, membership: Membership, entry: Ended) -> None:
        """Note that a session is over, unless another was claimed since."""
        if self._claims.get(entry.number) == entry.claim:
            self._take(membership, None, None)

    def session_ended(self, number: int) -> None:
        """Tell the other instances that a session of this one is over.

        They need not hear of it while another one is being offered, which takes its place.
        """
        claim = self._claims.get(number)
        if claim is not None and claim not in self._offering:
            self._queue.put(Ended(number, claim, new_id()))

    def forget(self, number: int) -> None:
        """Forget a member that has left, or goes to another room."""
        self._claims.pop(number, None)
        self._instances.pop(number, None)
        self._unanswered.pop(number, None)
        self._release(number)

    def clear(self) -> None:
        """Forget everything."""
        for number in list(self._claims):
            self.forget(number)
        self._offering.clear()

    def _take(self, membership: Membership, session: SharedSession | None, instance: str | None) -> None:
        number = membership.member.number
        self._release(number)
        self._instances.pop(number, None)
        if instance is not None:
            self._instances[number] = instance
        membership.change_session(session)

    def _release(self, number: int) -> None:
        self.relay.aim(number, frozenset())
        own = self._own.pop(number, None)
        if own is not None:
            own.follow((self, number), None)

    # --- what an instance that begins needs ----------------------------------------------------------

    def place(self, number: int) -> tuple[str | None, str | None]:
        """Return the newest claim of a member, and the instance of the claimed session, if offered."""
        return self._claims.get(number), self._instances.get(number)

    def restore(self, membership: Membership, life: MemberLife) -> None:
        """Restore a member's claim and whom it follows; all members are at other instances."""
        if life.claim is not None:
            self._claims[life.number] = life.claim
        if life.instance is not None:
            self._take(membership, RemoteSession(), life.instance)
        membership.member.follows, membership.member.direct = life.follows, life.direct

    # --- instances and their members -----------------------------------------------------------------

    @property
    def instances(self) -> set[str]:
        """The instances that have claimed sessions."""
        return set(self._instances.values())

    def at(self, instance: str) -> list[int]:
        """Return the members whose sessions are at an instance."""
        return [number for number, each in self._instances.items() if each == instance]

    def lose(self, membership: Membership) -> None:
        """Note that the instance of a member's session is gone."""
        self._claims.pop(membership.member.number, None)
        self._take(membership, None, None)

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
            claim = self._claims[number]
            followers = memberships[number].room.followers.of(number)
            targets = frozenset(each.session_id for each in followers if isinstance(each, RemoteSubscriber))
            new = self.relay.aim(number, targets)
            session.follow((self, number), partial(self._put, number, claim) if targets else None)
            if new and session.last_frame is not None:
                self._put(number, claim, session.last_frame, True)
        for number in self._instances.keys() - self._own.keys():
            remote = memberships[number].member.session
            if isinstance(remote, RemoteSession) and not remote.is_followed:
                remote.forget_frame()

    def waiting(self, memberships: dict[int, Membership]) -> list[Subscriber]:
        """Return those at this instance who follow a session at another one."""
        return [
            subscriber
            for number in self._instances.keys() - self._own.keys()
            for subscriber in memberships[number].room.followers.of(number)
            if not isinstance(subscriber, RemoteSubscriber)
        ]

    def _put(self, number: int, claim: str, text: str, is_frame: bool) -> None:
        self.relay.put(number, claim, text, is_frame=is_frame)
        self._queue.wake()

    def receive(self, message: Relayed, membership: Membership) -> None:
        """Hand on a message of a session at another instance."""
        session = membership.member.session
        if isinstance(session, RemoteSession) and self._claims.get(message.number) == message.claim:
            session.publish(message.text.decode(), is_frame=message.is_frame)
