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
    """Describe what a field of the struct, named as on the wire, may hold: its type and limits.

    A field of a struct within it is named with a dot, such as `meters.energy`.
    """
    outer, _, name = field.rpartition(".")
    holder = _struct_at(struct, outer)
    assert holder is not None
    return next(_describe(known.type) for known in holder.fields if known.encode_name == name)


def fields_of(struct: type[Struct], field: str = "") -> list[str]:
    """Return the names of the struct's fields or, with `field`, of the struct that this one holds, if any."""
    holder = _struct_at(struct, field)
    return [] if holder is None else [known.encode_name for known in holder.fields]


def numbers(low: float, high: float | None, *, whole: bool = False, above_low: bool = False) -> str:
    """Describe the numbers from `low` to `high`, or above `low`; `high` is None without such a limit."""
    kind, lowest = "a whole number" if whole else "a number", f"{low:,.10g}"
    if high is None:
        return f"{kind} of {lowest} or more"
    return (
        f"{kind} above {lowest} and at most {high:,.10g}"
        if above_low
        else f"{kind} from {lowest} to {high:,.10g}"
    )


def _struct_at(struct: type[Struct], field: str) -> msgspec.inspect.StructType | None:
    """Return the struct that a field, such as `meters`, holds; the struct itself for no field."""
    found = [msgspec.inspect.type_info(struct)]
    for name in filter(None, field.split(".")):
        holders = [part for part in found if isinstance(part, msgspec.inspect.StructType)]
        fields = [known.type for holder in holders for known in holder.fields if known.encode_name == name]
        found = [_bare(part) for one in map(_bare, fields) for part in getattr(one, "types", (one,))]
    return next((part for part in found if isinstance(part, msgspec.inspect.StructType)), None)


def _bare(info: msgspec.inspect.Type) -> msgspec.inspect.Type:
    """Return the type without what was said of it."""
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    return info


def _describe(info: msgspec.inspect.Type) -> str:
    inspect = msgspec.inspect
    match info:
        case inspect.Metadata():
            words = (info.extra or {}).get("form") or _limited(info) or _describe(info.type)
        case inspect.UnionType():
            words = " or ".join(_describe(part) for part in info.types)
        case inspect.LiteralType():
            words = "one of " + ", ".join(str(value) for value in info.values)
        case inspect.IntType() | inspect.FloatType():
            kind = "a whole number" if isinstance(info, inspect.IntType) else "a number"
            words = kind if info.ge is None else f"{kind} from {_number(info.ge)} to {_number(info.le)}"
        case inspect.StrType():
            # `$` alone allows a line break at the end, which nobody has to be told.
            pattern = (info.pattern or "").removesuffix(r"(?!\n)")
            words = "text" + _length(info) + (f" of the form {pattern}" if pattern else "")
        case inspect.TupleType():
            words = f"a list of {len(info.item_types)}, each {_describe(info.item_types[0])}"
        case inspect.ListType() | inspect.VarTupleType():
            words = f"a list{_count(info)}, each {_describe(info.item_type)}"
        case inspect.StructType():
            words = f"an object of {', '.join(known.encode_name for known in info.fields)}"
        case inspect.DictType():
            anything = isinstance(info.value_type, inspect.AnyType)
            words = "an object" if anything else f"an object, each value {_describe(info.value_type)}"
        case inspect.BoolType():
            words = "true or false"
        case inspect.NoneType():
            words = "null"
        case _:
            raise TypeError(f"no words for {info!r}")
    return words


def _limited(info: msgspec.inspect.Metadata) -> str | None:
    """Describe a number whose limits its struct holds itself."""
    limits = info.extra_json_schema or {}
    low = limits.get("minimum", limits.get("exclusiveMinimum"))
    if low is None:
        return None
    whole = isinstance(info.type, msgspec.inspect.IntType)
    return numbers(low, limits.get("maximum"), whole=whole, above_low="exclusiveMinimum" in limits)


def _number(limit: float | None) -> str:
    """Return a limit without a decimal point that says nothing: 64.0 is as much a limit as 64."""
    return str(int(limit) if isinstance(limit, float) and limit.is_integer() else limit)


def _count(info: msgspec.inspect.ListType | msgspec.inspect.VarTupleType) -> str:
    if info.max_length is None:
        return ""
    if info.min_length == info.max_length:
        return f" of {info.max_length}"
    return f" of {f'{info.min_length} to' if info.min_length else 'at most'} {info.max_length}"


def _length(info: msgspec.inspect.StrType) -> str:
    if info.max_length is None:
        return ""
    return f" of {f'{info.min_length} to' if info.min_length else 'at most'} {info.max_length} characters"
