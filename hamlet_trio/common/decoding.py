"""Decode what comes from outside: whatever is wrong with the bytes is one kind of error."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Never, TypeVar

import msgspec

Value = TypeVar("Value")


def decode_json(data: bytes | str, kind: type[Value]) -> Value:
    """Return the JSON as this type. Raises `msgspec.DecodeError` if it is anything else."""
    with one_kind_of_error():
        return msgspec.json.decode(data, type=kind)


def decode_any(data: bytes | str) -> Any:
    """Return JSON whose fields are checked later. Raises `msgspec.DecodeError` for what is none.

    A number too large for a float, such as 1e400, is infinite, so that the check of its field refuses it.
    """
    try:
        return decode_json(data, Any)
    except msgspec.ValidationError:
        # Without a type, it is a number out of range, and msgspec does not say where.
        with one_kind_of_error():
            return json.loads(data, parse_int=_integer, parse_constant=_no_number)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 400 else math.copysign(math.inf, float(digits[:2]))


def _no_number(word: str) -> Never:
    raise msgspec.DecodeError(f"{word} is no number of JSON")


@contextmanager
def one_kind_of_error() -> Iterator[None]:
    """Raise `msgspec.DecodeError` for whatever msgspec raises about bytes that it decodes."""
    try:
        yield
    except UnicodeError as error:
        # Not `str(error)` of a chained one, which may quote what a client sent.
        raise msgspec.DecodeError(f"not UTF-8 at byte {getattr(error, 'start', 0)}") from None
    except json.JSONDecodeError as error:
        raise msgspec.DecodeError(str(error)) from None
    except RecursionError:
        raise msgspec.DecodeError("nested too deeply") from None
