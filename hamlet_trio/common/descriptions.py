"""What a field may hold, and what went wrong, in words for people."""

import msgspec
from msgspec import Struct


def reason_of(errors: BaseExceptionGroup) -> str:
    """Return the message of the first error in a group; of an `OSError`, the system's own words."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def allowed(struct: type[Struct], field: str) -> str:
    """Describe what a field of the struct, named as on the wire, may hold: its type and limits."""
    info = msgspec.inspect.type_info(struct)
    assert isinstance(info, msgspec.inspect.StructType)
    return next(_describe(known.type) for known in info.fields if known.encode_name == field)


def _describe(info: msgspec.inspect.Type) -> str:
    inspect = msgspec.inspect
    match info:
        case inspect.Metadata():
            words = _describe(info.type)
        case inspect.UnionType():
            words = " or ".join(_describe(part) for part in info.types)
        case inspect.LiteralType():
            words = "one of " + ", ".join(str(value) for value in info.values)
        case inspect.IntType() | inspect.FloatType():
            kind = "a whole number" if isinstance(info, inspect.IntType) else "a number"
            words = kind if info.ge is None else f"{kind} from {info.ge} to {info.le}"
        case inspect.StrType():
            words = "text" + _length(info)
        case inspect.VarTupleType():
            words = "a list of text"
        case inspect.DictType():
            words = "an object"
        case inspect.BoolType():
            words = "true or false"
        case inspect.NoneType():
            words = "null"
        case _:
            raise TypeError(f"no words for {info!r}")
    return words


def _length(info: msgspec.inspect.StrType) -> str:
    if info.max_length is None:
        return ""
    return f" of {f'{info.min_length} to' if info.min_length else 'at most'} {info.max_length} characters"
