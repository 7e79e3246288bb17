"""The table of settings."""

from typing import Any, Final

import msgspec

from hamlet_trio.settings import PREFIX, PRODUCTION_DEFAULTS, Settings
from scripts.doc_tables.markdown import code, number, table


def settings() -> str:
    """Every setting with its variable, default, limits and meaning."""
    info = msgspec.inspect.type_info(Settings)
    assert isinstance(info, msgspec.inspect.StructType)
    rows = []
    for field in info.fields:
        assert isinstance(field.type, msgspec.inspect.Metadata)
        schema = field.type.extra_json_schema or {}
        default = _default(field.default)
        if field.name in PRODUCTION_DEFAULTS:
            default += "; production " + _default(PRODUCTION_DEFAULTS[field.name])
        rows.append(
            (
                code(PREFIX + field.name.upper()),
                default,
                _allowed(field.type.type),
                schema["description"],
            )
        )
    return table(("Variable", "Default", "Allowed", "What it sets"), rows)


def _default(value: Any) -> str:
    match value:
        case bool():
            return code(str(value).lower())
        case int() | float():
            return code(f"{value:g}" if isinstance(value, float) else value)
        case tuple():
            return code(",".join(value)) if value else "none"
        case "":
            return "none"
        case _:
            return code(value)


def _allowed(kind: msgspec.inspect.Type) -> str:
    inspect = msgspec.inspect
    match kind:
        case inspect.LiteralType():
            return ", ".join(code(value) for value in kind.values)
        case inspect.BoolType():
            return "`true`, `false`"
        case inspect.IntType() | inspect.FloatType():
            assert kind.ge is not None
            assert kind.le is not None
            return f"{number(kind.ge)} to {number(kind.le)}"
        case inspect.VarTupleType():
            return "text, comma-separated"
        case inspect.StrType():
            return "text"
        case _:
            raise TypeError(f"no words for {kind!r}")


TABLES: Final = {"settings": settings}
