"""The tables of commands, training parameters, error codes and close codes."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from hamlet_trio.agent.names import NETWORK_TYPES
from hamlet_trio.protocol.errors import CloseCode, ErrorCode
from hamlet_trio.protocol.schema import build_schema
from scripts.doc_tables import kept
from scripts.doc_tables.markdown import code, sentence, table
from scripts.doc_tables.schema_words import name_of, type_words

SCHEMA: Final = build_schema()
_ENVELOPE: Final = ("command", "type")


def commands(endpoint: str) -> str:
    """Every command of an endpoint with its fields; `start_training` has a table of its own."""
    rows = []
    for tag, reference in SCHEMA["endpoints"][endpoint]["commands"].items():
        definition = SCHEMA["$defs"][name_of(reference["$ref"])]
        if tag == "start_training":
            fields = "[a table of its own](#training-parameters)"
        else:
            fields = "<br>".join(
                f"{code(name)}: {_field_words(name, schema, definition)}"
                for name, schema in definition["properties"].items()
                if name not in _ENVELOPE
            )
        form = "kept" if tag in kept.COMMANDS[endpoint] else "new"
        rows.append((code(tag), form, fields, sentence(definition["description"])))
    return table(("Command", "", "Fields", "What it does"), rows)


def _field_words(name: str, schema: dict[str, Any], definition: dict[str, Any]) -> str:
    words = type_words(schema)
    if description := schema.get("description"):
        words += f" ({description})"
    return words + ("" if name in definition.get("required", ()) else ", may be left out")


def training_parameters() -> str:
    """Every parameter of a training run."""
    definition = SCHEMA["$defs"]["TrainingParameters"]
    known = kept.COMMANDS["training"]["start_training"]
    rows = []
    for name, schema in definition["properties"].items():
        default = "null" if schema["default"] is None else schema["default"]
        form = "kept" if name in known else "new"
        rows.append((code(name), form, code(default), type_words(schema), sentence(schema["description"])))
    return table(("Parameter", "", "Default", "Allowed", "What it sets"), rows)


def network_types() -> str:
    """The Q-networks."""
    return table(
        ("Type", "What it is"), [(code(name), sentence(what)) for name, what in NETWORK_TYPES.items()]
    )


def error_codes() -> str:
    """Error codes."""
    return table(("Code", "What it means"), [(code(item.value), item.description) for item in ErrorCode])


def close_codes() -> str:
    """Close codes."""
    return table(("Code", "What it means"), [(code(int(item)), item.description) for item in CloseCode])


TABLES: Final[dict[str, Callable[[], str]]] = {
    "inference-commands": partial(commands, "inference"),
    "training-commands": partial(commands, "training"),
    "training-parameters": training_parameters,
    "network-types": network_types,
    "error-codes": error_codes,
    "close-codes": close_codes,
}
