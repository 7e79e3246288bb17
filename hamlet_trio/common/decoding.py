"""Decode what comes from outside: whatever is wrong with the bytes is one kind of error."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec

Value = TypeVar("Value")


def decode_json(data: bytes | str, kind: type[Value]) -> Value:
    """Return the JSON as this type. Raises `msgspec.DecodeError` if it is anything else."""
    with one_kind_of_error():
        return msgspec.json.decode(data, type=kind)


@contextmanager
def one_kind_of_error() -> Iterator[None]:
    """Raise `msgspec.DecodeError` for whatever msgspec raises about bytes that it decodes."""
    try:
        yield
    except UnicodeError as error:
        # Not `str(error)` of a chained one, which may quote what a client sent.
        raise msgspec.DecodeError(f"not UTF-8 at byte {getattr(error, 'start', 0)}") from None
    except RecursionError:
        raise msgspec.DecodeError("nested too deeply") from None
