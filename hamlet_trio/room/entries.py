"""What instances that share rooms tell each other, and the log over which they do."""

import secrets
from collections.abc import Callable
from typing import Annotated, Final, Protocol

import msgspec
from msgspec import Meta, Struct

from hamlet_trio.common.decoding import decode_json, one_kind_of_error
from hamlet_trio.protocol.room_commands import RoomCommand
from hamlet_trio.protocol.room_messages import Animal, Colour
from hamlet_trio.room.room import RoomState


class RoomLog(Protocol):
    """What instances share; `hamlet_trio.shared.RedisLog` is one. Methods raise `BadMessageError`."""

    @property
    def instance(self) -> str:
        """The name of this instance, which is new at each start and each `renew`."""
        ...

    def renew(self) -> None:
        """Take a new name: the others have declared the one before gone, or will."""
        ...

    async def append(self, entry: bytes) -> None:
        """Append an entry, perhaps twice."""
        ...

    async def save(self, position: bytes, state: bytes) -> None:
        """Keep the state after the entry at a position."""
        ...

    async def load(self) -> tuple[bytes, bytes | None]:
        """Return a position and the state there, if any."""
        ...

    async def holds(self, position: bytes) -> bool:
        """Return whether the log still has everything after a position."""
        ...

    async def read(
        self, position: bytes, take: Callable[[bytes, bytes], None], take_sent: Callable[[bytes], None]
    ) -> None:
        """Hand on each entry after a position, with its own position, and what is sent here, until that
        fails.
        """
        ...

    async def send(self, instance: str, data: bytes) -> None:
        """Send something to one instance, outside the log; the oldest goes when it does not read."""
        ...

    async def give_sign(self) -> bool:
        """Give a sign of life; return False if this instance had given none for too long, or never."""
        ...

    async def missing(self, instances: set[str]) -> set[str]:
        """Return those of these instances that give no sign."""
        ...


class Entered(Struct, frozen=True, tag="entered"):
    """A member entered a room, and left the one before."""

    number: int
    animal: Animal
    colour: Colour
    teacher: bool
    voter: str | None
    room: str
    instance: str
    id: str


class Parted(Struct, frozen=True, tag="parted"):
    """A member's connection has ended."""

    number: int
    id: str


class Commanded(Struct, frozen=True, tag="commanded"):
    """A member gave a command."""

    number: int
    command: Annotated[RoomCommand, Meta(description="as it was sent")]
    id: str


class Claimed(Struct, frozen=True, tag="claimed"):
    """A member says that a session is its own, or with None that it has none, and who votes."""

    number: int
    voter: str | None
    session: str | None
    proof: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="`hash_of` of the proof")]
    id: str


class Offered(Struct, frozen=True, tag="offered"):
    """The instance of a session says that a claim is true: the session can be followed."""

    number: int
    claim: str
    instance: str
    id: str


class Ended(Struct, frozen=True, tag="ended"):
    """The session of a claim is over."""

    number: int
    claim: str
    id: str


class Pointed(Struct, frozen=True, tag="pointed"):
    """Where members of one instance point."""

    cursors: dict[int, list[float] | None]
    id: str


class Gone(Struct, frozen=True, tag="gone"):
    """An instance gives no sign: its members have left."""

    instance: str
    id: str


Entry = Entered | Parted | Commanded | Claimed | Offered | Ended | Pointed | Gone


class MemberLife(Struct, frozen=True):
    """A member's session, as far as it has one, and whose it sees."""

    number: int
    claim: Annotated[str | None, Meta(description="its newest claim")]
    instance: Annotated[str | None, Meta(description="where its session is that can be followed, if any")]
    follows: int | None
    direct: bool
    offered: Annotated[
        str | None, Meta(description="by which claim that session was offered; None: by the newest")
    ] = None


class Replica(Struct, frozen=True):
    """What an instance that begins needs: rooms, members in order, and the ids of the newest entries."""

    rooms: list[RoomState]
    members: list[Entered]
    seen: list[str]
    lives: list[MemberLife] = []


class Relayed(Struct, frozen=True, array_like=True):
    """A message of a followed session, as text in bytes."""

    number: int
    claim: str
    is_frame: bool
    text: bytes


_entries: Final[msgspec.json.Decoder[Entry]] = msgspec.json.Decoder(Entry)
_portions: Final = msgspec.msgpack.Decoder(list[Relayed])


def read_entry(data: bytes) -> Entry:
    """Read an entry of the log. Raises `msgspec.DecodeError`."""
    with one_kind_of_error():
        return _entries.decode(data)


def read_replica(data: bytes) -> Replica:
    """Read what an instance left for those that begin. Raises `msgspec.DecodeError`."""
    return decode_json(data, Replica)


def read_portion(data: bytes) -> list[Relayed]:
    """Read what an instance sent; raises `msgspec.DecodeError` where it, or a text in it, is no message."""
    with one_kind_of_error():
        messages = _portions.decode(data)
        for message in messages:
            msgspec.json.decode(message.text.decode(), type=dict[str, msgspec.Raw])
    return messages


def new_id() -> str:
    """Return a random id for an entry."""
    return secrets.token_hex(8)
