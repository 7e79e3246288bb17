"""A world on the wire: what commands take, and what messages tell of it."""

from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta, Struct

if TYPE_CHECKING:
    from hamlet_trio.world.world_file import World

MAX_SIDE: Final = 32
"""Cells on a side of a world that sessions and runs take, at most."""

WorldField = Annotated[
    str | dict[str, Any] | None,
    Meta(description="name of a world, or an object of the fields that differ from the usual one"),
]


class WorldInfo(Struct, frozen=True, kw_only=True):
    """The world in which an episode or a run takes place."""

    title: Annotated[str, Meta(description="title for people; empty without one")]
    digest: Annotated[str, Meta(description="digest of the rules; worlds of equal rules share it")]
    width: Annotated[int, Meta(description="number of columns of the grid")]
    height: Annotated[int, Meta(description="number of rows of the grid")]
    changes: Annotated[dict[str, Any], Meta(description="fields in which it differs from the usual world")]


def world_info(world: "World") -> WorldInfo:
    """Return what messages tell of a world."""
    from hamlet_trio.world.world_file import changes_of  # noqa: PLC0415 - imports numpy

    config = world.config
    return WorldInfo(
        title=world.title,
        digest=world.digest,
        width=config.width,
        height=config.height,
        changes=changes_of(config),
    )
