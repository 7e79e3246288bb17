"""Queries: what is refused, in a sentence that says what the parameter may be."""

import msgspec
import pytest
from msgspec import Struct

from hamlet_trio.protocol.errors import BadMessageError
from hamlet_trio.web.query_parameters import read_query
from hamlet_trio.web.schema import HTTP

QUERIES = sorted(
    {kind for exchange in HTTP.values() if (kind := exchange.query)}, key=lambda kind: kind.__name__
)


@pytest.mark.parametrize("kind", QUERIES, ids=lambda kind: kind.__name__)
def test_a_number_outside_its_limits_is_refused_with_both_limits(kind: type[Struct]) -> None:
    (schema,) = msgspec.json.schema_components([kind])[1].values()
    for name, field in schema["properties"].items():
        limits = next((part for part in [field, *field.get("anyOf", ())] if "maximum" in part), None)
        if limits is None:
            continue
        low, high = (
            int(limit) if limit == int(limit) else limit for limit in (limits["minimum"], limits["maximum"])
        )
        for value in (low - 1, high + 1, "many"):
            with pytest.raises(BadMessageError) as caught:
                read_query({name: [str(value)]}, kind)
            number = "a whole number" if limits["type"] == "integer" else "a number"
            assert (
                str(caught.value) == f"`{name}` must be {number} from {low} to {high}; '{value}' was given."
            )


def test_the_refusal_of_an_offset_past_its_limit_is_true() -> None:
    query = HTTP["GET /api/recordings"].query
    assert query is not None
    with pytest.raises(BadMessageError, match=r"a whole number from 0 to 2147483648; '9999999999' was given"):
        read_query({"offset": ["9999999999"]}, query)


def test_a_text_that_is_too_long_is_refused_with_its_limit() -> None:
    query = HTTP["GET /api/failures"].query
    assert query is not None
    with pytest.raises(
        BadMessageError, match=r"`run` must be text of at most 255 characters; 'a{60}' was given"
    ):
        read_query({"run": ["a" * 256]}, query)
