"""Reading the query of a request into a typed question."""

from collections.abc import Mapping
from typing import Final, TypeVar, get_args

import msgspec
from msgspec import Struct

from hamlet_trio.agent.names import NetworkType
from hamlet_trio.film.formats import FORMATS, SPEEDS
from hamlet_trio.history.records import RunState
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.recording.info import Source

_EPISODE: Final = "a whole number from 0 on"
_COUNT: Final = "a whole number from 1 to 1000"
_TEXT: Final = "text of at most 255 characters"
_ALLOWED: Final = {
    "agent": _TEXT,
    "reason": _TEXT,
    "run": _TEXT,
    "state": f"one of {', '.join(get_args(RunState))}",
    "before": _TEXT,
    "network_type": f"one of {', '.join(get_args(NetworkType))}",
    "min_episode": _EPISODE,
    "max_episode": _EPISODE,
    "after": _EPISODE,
    "source": f"one of {', '.join(get_args(Source))}",
    "model": _TEXT,
    "offset": _EPISODE,
    "format": f"one of {', '.join(FORMATS)}",
    "speed": f"a number from {SPEEDS[0]:g} to {SPEEDS[1]:g}",
    "limit": _COUNT,
    "top": _COUNT,
}

Query = TypeVar("Query", bound=Struct)


def read_query(parameters: Mapping[str, list[str]], kind: type[Query]) -> Query:
    """The query that a request's parameters make; a known one left empty counts as absent.

    Raises `BadMessageError` (`invalid_query`) for an unknown, repeated or impossible parameter.
    """
    known = kind.__struct_fields__
    given = {name: values for name, values in parameters.items() if values != [""] or name not in known}
    for name, values in given.items():
        if name not in known:
            raise _invalid(name[:60], f"There is no parameter `{name[:60]}`; there are {', '.join(known)}.")
        if len(values) > 1:
            raise _invalid(name, f"`{name}` was given {len(values)} times; give it once.")
    single = {name: value for name, (value,) in given.items()}
    try:
        return msgspec.convert(single, kind, strict=False)
    except msgspec.ValidationError as error:
        name = str(error).rpartition("`$.")[2].strip("`")
        raise _invalid(name, f"`{name}` must be {_ALLOWED[name]}; {single[name][:60]!r} was given.") from None


def _invalid(field: str, sentence: str) -> BadMessageError:
    return BadMessageError(ErrorCode.INVALID_QUERY, sentence, field=field)
