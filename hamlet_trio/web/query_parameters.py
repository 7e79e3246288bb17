"""Read the query of a request into a typed struct."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct
from quart import request

from hamlet_trio.common.descriptions import allowed
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode

Query = TypeVar("Query", bound=Struct)


def query_arguments() -> dict[str, list[str]]:
    """Return the parameters of the current request, each with all its values."""
    return request.args.to_dict(flat=False)


def read_query(parameters: Mapping[str, list[str]], kind: type[Query]) -> Query:
    """Return the query that a request's parameters make up; an empty one counts as absent.

    Raises `BadMessageError` (`invalid_query`) for a parameter that is unknown, repeated or not allowed.
    """
    known = kind.__struct_fields__
    given = {name: values for name, values in parameters.items() if values != [""] or name not in known}
    for name, values in given.items():
        if name not in known:
            raise _invalid(
                name[:60], f"There is no query parameter `{name[:60]}`; there are {', '.join(known)}."
            )
        if len(values) > 1:
            raise _invalid(name, f"`{name}` was given {len(values)} times; give it once.")
    single = {name: value for name, (value,) in given.items()}
    try:
        return msgspec.convert(single, kind, strict=False)
    except msgspec.ValidationError as error:
        name = str(error).rpartition("`$.")[2].strip("`")
        may_be = allowed(kind, name).removesuffix(" or null")  # a query cannot hold null: it leaves out
        raise _invalid(name, f"`{name}` must be {may_be}; {single[name][:60]!r} was given.") from None


def _invalid(field: str, sentence: str) -> BadMessageError:
    return BadMessageError(ErrorCode.INVALID_QUERY, sentence, field=field)
