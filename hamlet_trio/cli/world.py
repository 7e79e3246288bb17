"""Implement `hamlet world`, which checks, shows and lists worlds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hamlet_trio.cli.errors import UserError
from hamlet_trio.cli.tables import console
from hamlet_trio.common.text import readable
from hamlet_trio.settings import load_settings

if TYPE_CHECKING:
    from hamlet_trio.world.library import WorldLibrary
    from hamlet_trio.world.world_file import World

world = typer.Typer(help="Check, show and list worlds: their sizes, places, meters and rewards.")

_DataDir = Annotated[
    str | None, typer.Option(help="Folder of the data; its worlds lie beneath it [HAMLET_DATA_DIR].")
]


@world.command()
def check(file: Annotated[Path, typer.Argument(help="A world file, in TOML or JSON.")]) -> None:
    """Check a world file; say which field is wrong, and what is allowed."""
    found = _from_file(file)
    config = found.config
    print(
        f"{file}: {found.title or 'a world'}, {config.width} x {config.height} cells, "
        f"{len(config.affordances)} affordances, digest {found.digest}."
    )


@world.command()
def show(
    name: Annotated[str, typer.Argument(help="A world's name, or a file in TOML or JSON.")],
    whole: Annotated[bool, typer.Option("--whole", help="Print every field, not only what differs.")] = False,
    data_dir: _DataDir = None,
) -> None:
    """Print a world as JSON: how it differs from the usual one, or all of it."""
    import msgspec

    from hamlet_trio.world.library import as_json

    found = find_world(name, data_dir)
    config = msgspec.json.format(msgspec.json.encode(found.config))
    print((config if whole else as_json(found)).decode())


@world.command()
def schema() -> None:
    """Print the JSON Schema of world files, for editors that complete and check them."""
    import msgspec

    from hamlet_trio.world.world_file import file_schema

    print(msgspec.json.format(msgspec.json.encode(file_schema())).decode())


@world.command("list")
def list_worlds(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
    data_dir: _DataDir = None,
) -> None:
    """List the presets and the worlds of the data folder."""
    import msgspec
    from rich.table import Table

    worlds = _library(data_dir).worlds()
    if as_json:
        rows = [
            {
                "name": entry.name,
                "preset": entry.preset,
                "title": entry.world.title if entry.world else None,
                "digest": entry.world.digest if entry.world else None,
                "error": entry.error,
            }
            for entry in worlds
        ]
        print(msgspec.json.encode({"worlds": rows}).decode())
        return
    table = Table()
    for column in ("world", "size", "affordances", "reward", "what it is"):
        table.add_column(column, overflow="fold")
    for entry in worlds:
        if entry.world is None:
            table.add_row(entry.name, "", "", "", entry.error)
            continue
        config = entry.world.config
        size, places = f"{config.width} x {config.height}", str(len(config.affordances))
        table.add_row(entry.name, size, places, config.reward, entry.world.title)
    console().print(table)


def find_world(name: str, data_dir: str | None = None) -> "World":
    """Return the world of a name in the library, or of a file. Raises `UserError`."""
    from hamlet_trio.world.library import UnknownWorldError
    from hamlet_trio.world.world_file import WorldError

    if name.endswith((".toml", ".json")):
        return _from_file(Path(name))
    try:
        return _library(data_dir).get(name)
    except (UnknownWorldError, WorldError) as error:
        raise UserError(str(error)) from error


def _from_file(path: Path) -> "World":
    from hamlet_trio.world.world_file import WorldError, load_world

    try:
        return load_world(path)
    except WorldError as error:
        raise UserError(f"{readable(path)}: {error}") from error
    except OSError as error:
        raise UserError(f"{readable(path)} cannot be read: {error.strerror}.") from error


def _library(data_dir: str | None) -> "WorldLibrary":
    from hamlet_trio.world.library import WorldLibrary, worlds_path

    return WorldLibrary(worlds_path(load_settings(data_dir=data_dir).data_dir))
