"""The table of settings."""

from typing import Any, Final

import msgspec

from hamlet_trio.settings import PREFIX, PRODUCTION_DEFAULTS, Settings
from scripts.doc_tables.markdown import code, table
from scripts.doc_tables.schema_words import type_words


def settings() -> str:
    """List every setting with its variable, default, limits and meaning."""
    (schema,) = msgspec.json.schema_components([Settings])[1].values()
    rows = []
    for name, field in schema["properties"].items():
        default = _default(field["default"])
        if name in PRODUCTION_DEFAULTS:
            default += "; production " + _default(PRODUCTION_DEFAULTS[name])
        rows.append((code(PREFIX + name.upper()), default, type_words(field), field["description"]))
    return table(("Variable", "Default", "Allowed", "What it sets"), rows)


def _default(value: Any) -> str:
    match value:
        case bool():
            return code(str(value).lower())
        case float():
            return code(f"{value:g}")
        case tuple() | list():
            return code(",".join(value)) if value else "none"
        case _:
            return "none" if value == "" else code(value)


TABLES: Final = {"settings": settings}
