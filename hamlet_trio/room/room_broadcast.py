"""The members of one room, and what all of them are told."""

from typing import Final

from msgspec import Struct

from hamlet_trio.connection import SharedSession, Subscriber, TokenBucket
from hamlet_trio.protocol import room_messages as messages
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.messages import encode
from hamlet_trio.room.identities import Identity

SIGNAL_RATE: Final = 50.0
"""Signals a second that a member may send, and in one burst: to seven others, six and more to each."""


class RoomMember:
    """One connection as its room sees it.

    Attributes:
        session: the session that others may follow; at another instance, what arrives of it here.
        voter: under which text its vote counts; None for its number.
        follows: whose life it sees.
        direct: whether it gets the frames of whom it follows without the server.
    """

    def __init__(self, identity: Identity, *, teacher: bool) -> None:
        self.identity: Final = identity
        self.number: Final = identity.number
        self.teacher: Final = teacher
        self.session: SharedSession | None = None
        self.voter: str | None = None
        self.follows: int | None = None
        self.direct = False
        self.signals: Final = TokenBucket(SIGNAL_RATE, int(SIGNAL_RATE))

    def described(self) -> messages.Member:
        """Return the member as messages show it."""
        return messages.Member(*self.identity, self.teacher, self.session is not None, self.follows)


class RoomBroadcast:
    """The members of a room by their numbers, and the number of its last change, `seq`."""

    def __init__(self) -> None:
        self.members: Final[dict[int, tuple[RoomMember, Subscriber]]] = {}
        self.seq = 0

    def next(self) -> int:
        """Return the number of the next change."""
        self.seq += 1
        return self.seq

    def tell_all(self, message: Struct) -> None:
        """Tell every member."""
        text = encode(message)
        for _, subscriber in self.members.values():
            subscriber.put_event(text)

    def find(self, number: int, field: str = "member") -> tuple[RoomMember, Subscriber]:
        """Return a member that a field of a command names.

        Raises `BadMessageError` with `unknown_member` if it is not here.
        """
        try:
            return self.members[number]
        except KeyError:
            raise BadMessageError(
                ErrorCode.UNKNOWN_MEMBER, f"Nobody with the number {number} is in this room.", field=field
            ) from None
