"""Whose session is followed, whatever the order in which claims and endings come."""

import trio

from hamlet_trio.connection import SharedSession, SharedSessions, hash_of
from hamlet_trio.room import RoomService
from hamlet_trio.room.entries import Claimed, Entry, Offered
from hamlet_trio.room.entry_queue import EntryQueue
from hamlet_trio.room.session_claims import RoomClaims
from hamlet_trio.settings import Settings


async def test_a_session_that_ends_while_the_next_is_offered_does_not_end_that_one(
    autojump_clock: trio.testing.MockClock,
) -> None:
    appended: list[Entry] = []

    async def append(entry: Entry) -> None:
        appended.append(entry)

    sessions = SharedSessions()
    service = RoomService(Settings(), sessions)
    queue = EntryQueue(append, trio.lowlevel.checkpoint)
    claims = RoomClaims(sessions, queue)
    with (
        sessions.share("before") as before,
        sessions.share("next") as following,
        service.joined("connection", teacher=False) as membership,
    ):
        number = membership.member.number
        membership.enter("4827", None)

        def claim(session_id: str, session: SharedSession) -> None:
            entry = Claimed(number, None, session_id, hash_of(session.proof), session_id)
            claims.claim(membership, entry, "here", is_own=True)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(queue.run)
            claim("before", before)
            claims.offer(membership, Offered(number, "before", "here", "first"))
            claim("next", following)
            claims.session_ended(number)
            await trio.sleep(1)
            assert [type(entry) for entry in appended] == [Offered, Offered]
            claims.offer(membership, Offered(number, "next", "here", "second"))
            assert membership.member.session is following
            nursery.cancel_scope.cancel()
