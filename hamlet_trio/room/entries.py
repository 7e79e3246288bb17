"""What instances that share rooms tell each other, and the log over which they do."""

from collections.abc import Callable
from typing import Annotated, Final, Protocol

import msgspec
from msgspec import Meta, Struct

from hamlet_trio.protocol.room_commands import RoomCommand
from hamlet_trio.protocol.room_messages import Animal, Colour
from hamlet_trio.room.room import RoomState


class RoomLog(Protocol):
    """What instances share; `hamlet_trio.shared.RedisLog` is one. Methods raise `BadMessageError`."""

    @property
    def instance(self) -> str:
        """The name of this instance, which is new at each start."""
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

    async def read(self, position: bytes, take: Callable[[bytes, bytes], None]) -> None:
        """Hand on each entry after a position, with its own position, until that fails."""
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


class Pointed(Struct, frozen=True, tag="pointed"):
    """Where members of one instance point."""

    cursors: dict[int, list[float] | None]
    id: str


class Gone(Struct, frozen=True, tag="gone"):
    """An instance gives no sign: its members have left."""

    instance: str
    id: str


Entry = Entered | Parted | Commanded | Pointed | Gone


class Replica(Struct, frozen=True):
    """What an instance that begins needs: rooms, members in order, and the ids of the newest entries."""

    rooms: list[RoomState]
    members: list[Entered]
    seen: list[str]


entries: Final = msgspec.json.Decoder(Entry)
replicas: Final = msgspec.json.Decoder(Replica)
