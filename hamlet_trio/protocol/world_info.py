"""A world on the wire: what commands take, and what messages tell of it."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct, UnsetType

from hamlet_trio.protocol.errors import BadMessageError, ErrorCode

if TYPE_CHECKING:
    from hamlet_trio.world.library import WorldLibrary
    from hamlet_trio.world.world_file import World

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


def find_world(world: str | dict[str, Any] | None, library: "WorldLibrary", command: str) -> "World":
    """Return the world that a command's `world` means; None is the usual one. Does file I/O.

    Raises `BadMessageError`, with the field at fault, for a world that is unknown or not allowed.
    """
    from hamlet_trio.world.library import UnknownWorldError  # noqa: PLC0415 - imports numpy
    from hamlet_trio.world.world_file import World, WorldError, make_world  # noqa: PLC0415

    try:
        match world:
            case None:
                found = World()
            case str():
                found = library.get(world)
            case _:
                found = make_world(world)
    except UnknownWorldError as error:
        raise BadMessageError(ErrorCode.UNKNOWN_WORLD, str(error), command=command, field="world") from None
    except WorldError as error:
        field = f"world.{error.field}" if error.field else "world"
        raise BadMessageError(ErrorCode.INVALID_WORLD, str(error), command=command, field=field) from None
    return found


def with_company(
    world: "World",
    num_agents: int | UnsetType | None,
    contention: bool | UnsetType | None,
    command: str,
) -> "World":
    """Return a world with another number of agents or rule of contention, each if it is given.

    Raises `BadMessageError` where the world has fewer cells than that.
    """
    changes: dict[str, Any] = {}
    if isinstance(num_agents, int):
        cells = world.config.width * world.config.height
        if num_agents > cells:
            sentence = (
                f"`num_agents` is {num_agents}; at most {cells} is allowed in a world of {cells} cells."
            )
            raise BadMessageError(ErrorCode.OUT_OF_RANGE, sentence, command=command, field="num_agents")
        changes["num_agents"] = num_agents
    if isinstance(contention, bool):
        changes["contention"] = contention
    if not changes:
        return world
    return msgspec.structs.replace(world, config=msgspec.structs.replace(world.config, **changes))


def world_info(world: "World") -> WorldInfo:
    """Return what messages tell of a world."""
    from hamlet_trio.world.world_file import changes_of, digest_of_changes  # noqa: PLC0415 - imports numpy

    config = world.config
    changes = changes_of(config)
    return WorldInfo(
        title=world.title,
        digest=digest_of_changes(changes),
        width=config.width,
        height=config.height,
        changes=changes,
    )
