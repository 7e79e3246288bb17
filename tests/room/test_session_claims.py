"""Whose session is followed, whatever the order in which claims and endings come, and at which instance."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hamlet_trio.connection import SharedSession, SharedSessions, hash_of
from hamlet_trio.room import RoomService
from hamlet_trio.room.entries import Claimed, Ended, Entry, Gone, Offered
from hamlet_trio.room.entry_queue import EntryQueue
from hamlet_trio.room.frame_relay import RemoteSession
from hamlet_trio.room.membership import Membership
from hamlet_trio.room.session_claims import RoomClaims
from hamlet_trio.settings import Settings

NUMBER = 1


class Instance:
    """What one instance knows of one member's sessions; what it appends waits in `queue` for the log."""

    def __init__(self, name: str, membership: Membership, sessions: SharedSessions) -> None:
        self.name = name
        self.queue: list[Entry] = []
        self.membership = membership
        self._entries = EntryQueue(self._append, trio.lowlevel.checkpoint)
        self.run = self._entries.run
        self.claims = RoomClaims(sessions, self._entries)

    async def _append(self, entry: Entry) -> None:
        self.queue.append(entry)

    def take(self, entry: Entry) -> None:
        """Read an entry of the log."""
        match entry:
            case Claimed():
                self.claims.claim(self.membership, entry, self.name, is_own=False)
            case Offered():
                self.claims.offer(self.membership, entry)
            case Ended():
                self.claims.end(self.membership, entry)
            case Gone():
                if NUMBER in self.claims.at(entry.instance):
                    self.claims.lose(self.membership)

    @property
    def shown(self) -> SharedSession | None:
        """The member's session as its followers at this instance see it."""
        return self.membership.member.session


@contextmanager
def instance(name: str, sessions: SharedSessions) -> Iterator[Instance]:
    service = RoomService(Settings(), sessions)
    with service.joined("connection", teacher=False) as membership:
        assert membership.member.number == NUMBER
        membership.enter("4827", None)
        made = Instance(name, membership, sessions)

        # As in `ReplicatedRooms`, all instances hear of an end by the log.
        def ended(membership: Membership) -> None:
            made.claims.session_ended(membership.member.number)

        service.session_ended = ended  # type: ignore[method-assign]
        yield made


def claimed(session_id: str, session: SharedSession) -> Claimed:
    return Claimed(NUMBER, None, session_id, hash_of(session.proof), session_id)


@pytest.mark.parametrize("place", ["here", "there"])
@pytest.mark.parametrize("is_offered_first", [False, True])
async def test_a_session_that_ends_while_the_next_is_claimed_does_not_end_that_one(
    place: str, is_offered_first: bool, autojump_clock: MockClock
) -> None:
    sessions = {"here": SharedSessions(), "there": SharedSessions()}
    async with trio.open_nursery() as nursery:
        with ExitStack() as stack:
            both = [stack.enter_context(instance(name, sessions[name])) for name in sessions]
            here = both[0]
            for each in both:
                nursery.start_soon(each.run)

            async def carry_out(*more: Entry, first: str = "here") -> None:
                """Let each entry be read at both, and what is appended then, that of `first` before."""
                entries = list(more)
                while entries:
                    for each in both:
                        for entry in entries:
                            each.take(entry)
                    await trio.sleep(1)
                    await wait_all_tasks_blocked()
                    entries = []
                    for each in sorted(both, key=lambda one: one.name != first):
                        entries += each.queue
                        each.queue.clear()

            following = stack.enter_context(sessions[place].share("next"))
            with sessions["here"].share("before") as before:
                await carry_out(claimed("before", before))
                assert here.shown is before
                for each in both:
                    each.take(claimed("next", following))
            await trio.sleep(1)  # it has ended, and both know of the claim
            waiting = [entry for each in both for entry in each.queue]
            assert {type(entry) for entry in waiting} == {Offered, Ended}
            for each in both:
                each.queue.clear()
            waiting.sort(key=lambda entry: isinstance(entry, Offered) is not is_offered_first)
            await carry_out(*waiting)
            shown = {each.name: each.shown for each in both}
            assert shown.pop(place) is following
            (elsewhere,) = shown.values()
            assert isinstance(elsewhere, RemoteSession)
            # The end of an instance whose session is shown no more changes nothing.
            await carry_out(Gone("elsewhere", "gone"))
            assert all(each.shown is not None for each in both)
        nursery.cancel_scope.cancel()


async def test_a_session_that_ends_while_nobody_offers_the_next_is_over(autojump_clock: MockClock) -> None:
    sessions = SharedSessions()
    async with trio.open_nursery() as nursery:
        with instance("here", sessions) as here:
            nursery.start_soon(here.run)
            with sessions.share("before") as before:
                here.take(claimed("before", before))
                await trio.sleep(1)
                here.take(here.queue.pop())
                assert [here.shown] == [before]
                here.take(Claimed(NUMBER, None, "nowhere", "0" * 64, "nowhere"))
            await trio.sleep(1)
            here.take(here.queue.pop())
            assert [here.shown] == [None]
        nursery.cancel_scope.cancel()
