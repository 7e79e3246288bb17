"""The columns of an episode in the history, made from the figures that `episode_complete` tells."""

import sqlite3
from typing import TYPE_CHECKING, Annotated, Any, Final, get_type_hints

from msgspec import UNSET, Meta, Struct, UnsetType, convert, defstruct

from hamlet_trio.common.agents import AgentResults
from hamlet_trio.protocol.episode import FIGURES, EpisodeComplete, plain_type

_SQL_TYPES: Final = {int: "INTEGER", float: "REAL", str: "TEXT"}

COLUMNS: Final = (FIGURES[0].name, "ended", *(figure.name for figure in FIGURES[1:]))
"""Their names: the episode's number, the time when it ended, and its other figures."""
COLUMN_TYPES: Final = {"ended": "TEXT"} | {figure.name: _SQL_TYPES[figure.kind] for figure in FIGURES}
"""The type of each in SQLite."""


class _StoredEpisode(Struct, frozen=True, kw_only=True):
    """One episode: its figures and the time it ended; figures that the history lacks are null."""

    episode: Annotated[int, Meta(description="number of the episode, from 1")]
    ended: Annotated[str, Meta(description="when the episode ended; ISO 8601, UTC")]
    agents: AgentResults | UnsetType = UNSET


if TYPE_CHECKING:

    class StoredEpisode(_StoredEpisode, frozen=True):
        """Its figures are fields made of those of `EpisodeComplete`."""

        def __getattr__(self, figure: str) -> Any: ...

else:
    _TYPES = {
        name: plain_type(hint) for name, hint in get_type_hints(EpisodeComplete, include_extras=True).items()
    }
    StoredEpisode = defstruct(
        "StoredEpisode",
        [
            (name, Annotated[kind | None, meta])
            for name, (kind, meta) in _TYPES.items()
            if name not in ("episode", "agents")
        ],
        bases=(_StoredEpisode,),
        namespace={"__doc__": _StoredEpisode.__doc__},
        module=__name__,
        frozen=True,
        kw_only=True,
    )


def columns_in(connection: sqlite3.Connection) -> list[str]:
    """Return the columns that a history has, which lacks the newest ones if its form is older."""
    rows = connection.execute("SELECT name FROM pragma_table_info('episodes')").fetchall()
    return [name for name in COLUMNS if (name,) in rows]


def row_of(episode: Struct, ended: str) -> tuple[Any, ...]:
    """Return the values of `COLUMNS` for an episode, as told or as kept, that ended at this time."""
    number, *others = (figure.of(episode) for figure in FIGURES)
    return (number, ended, *others)


def episode_of(row: tuple[Any, ...]) -> StoredEpisode:
    """Make an episode of the values of `COLUMNS`; raises `ValidationError` for values of other types."""
    fields = dict(zip(COLUMNS, row, strict=True))
    for name, columns in _NESTED.items():
        values = {field: fields.pop(column) for field, column in columns.items()}
        fields[name] = None if None in values.values() else values
    return convert(fields, StoredEpisode)


def _nested() -> dict[str, dict[str, str]]:
    """Return the fields that hold a struct, each with that struct's fields and their columns."""
    found: dict[str, dict[str, str]] = {}
    for figure in FIGURES:
        if len(figure.path) > 1:
            found.setdefault(figure.path[0], {})[figure.path[1]] = figure.name
    return found


_NESTED: Final = _nested()
