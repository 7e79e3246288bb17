"""What a field may hold, and what went wrong, in a person's words: one wording for all that says so."""

import msgspec
from msgspec import Struct


def reason_of(errors: BaseExceptionGroup) -> str:
    """What the first of the errors in a group says; of one of the system's, what the system says."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def allowed(struct: type[Struct], field: str) -> str:
    """What this field of the struct, by its name on the wire, may hold: from its type and limits."""
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
            words = "text" if info.max_length is None else f"text of 1 to {info.max_length} characters"
        case inspect.VarTupleType():
            words = "a list of text"
        case inspect.BoolType():
            words = "true or false"
        case inspect.NoneType():
            words = "null"
        case _:
            raise TypeError(f"no words for {info!r}")
    return words
