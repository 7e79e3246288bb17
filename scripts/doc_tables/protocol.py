"""The tables of messages, commands, training parameters, HTTP routes, error codes and close codes."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from hamlet_trio.agent.names import NETWORK_TYPES
from hamlet_trio.protocol.errors import CloseCode, ErrorCode
from hamlet_trio.web.access.roles import COMMANDS, ROUTES
from hamlet_trio.web.schema import build_schema
from scripts.doc_tables import kept
from scripts.doc_tables.markdown import code, route, sentence, table
from scripts.doc_tables.schema_words import field_table, link, name_of, type_words

SCHEMA: Final = build_schema()
DEFINITIONS: Final[dict[str, Any]] = SCHEMA["$defs"]


def commands(endpoint: str) -> str:
    """List every command of an endpoint with its fields; `start_training` has a table of its own."""
    rows = []
    for tag, reference in SCHEMA["endpoints"][endpoint]["commands"].items():
        definition = DEFINITIONS[name_of(reference)]
        fields = "<br>".join(
            f"{code(name)}: {type_words(schema)} ({schema['description']})"
            + ("" if name in definition["required"] else ", may be left out")
            for name, schema in definition["properties"].items()
            if name != "command"
        )
        if tag == "start_training":
            fields = "[a table of its own](#training-parameters)"
        form = "kept" if tag in kept.COMMANDS[endpoint] else "new"
        rows.append((code(tag), form, fields, _purpose(definition)))
    return table(("Command", "", "Fields", "What it does"), rows)


def messages(endpoint: str) -> str:
    """Show one headed table for each message of an endpoint."""
    sections = []
    for tag, reference in SCHEMA["endpoints"][endpoint]["messages"].items():
        definition = DEFINITIONS[name_of(reference)]
        fields = kept.MESSAGES[endpoint].get(tag)
        heading = f"#### `{tag}` ({'new' if fields is None else 'kept'}) {{ #{endpoint}-{tag} }}"
        sections.append(f"{heading}\n\n{_purpose(definition)}\n\n{field_table(definition, fields or ())}")
    return "\n\n".join(sections)


def message_parts() -> str:
    """Show one headed table for each object that commands and messages hold."""
    return _headed(_reached(_sent()))


_ANSWERS: Final = {
    "GET /api/schema": "JSON Schema of everything on this page",
    "GET /metrics": "text for Prometheus",
    "GET /api/runs/<run_id>/episodes.csv": "CSV",
    "GET /api/recordings/<recording>/file": "[the recording](recordings.md#over-http)",
    "GET /api/recordings/<recording>/film/file": "[the film](recordings.md#over-http)",
}
"""What the routes answer that send no JSON of ours; a `DELETE` answers with 204 and nothing else."""

_PAGE_FILES: Final = "/<path:name>"


def http_routes() -> str:
    """List the routes with their queries or bodies and responses, but for sockets and the page's files."""
    known = [named.partition(" ")[2] for named in SCHEMA["http"]]
    rules = [rule for rule in dict.fromkeys([*known, *ROUTES]) if rule not in (_PAGE_FILES, *COMMANDS)]
    rows = []
    for named in (f"{method} {rule}" for rule in rules for method in ROUTES[rule]):
        exchange = SCHEMA["http"].get(named, {})
        asked = [link(name_of(exchange[part])) for part in ("query", "body") if part in exchange]
        if exchange:
            answer = link(name_of(exchange["response"]))
        else:
            answer = "204" if named.startswith("DELETE ") else _ANSWERS[named]
        form = "kept" if named in kept.ROUTES else "new"
        rows.append((code(route(named)), form, "".join(asked), answer))
    return table(("Route", "", "Query or body", "Response"), rows)


def http_parts() -> str:
    """Show one headed table for each query, body and response, and for each object in them."""
    named = [name_of(part) for exchange in SCHEMA["http"].values() for part in exchange.values()]
    shown = {*_reached(_sent()), *_sent()}
    named = list(dict.fromkeys([*named, name_of(SCHEMA["problem"])]))
    return _headed(name for name in [*named, *_reached(named)] if name not in shown)


def _sent() -> list[str]:
    """List the commands and messages of all endpoints."""
    kinds = ("messages", "commands")
    unions = SCHEMA["endpoints"].values()
    return [name_of(each) for kind in kinds for union in unions for each in union[kind].values()]


def _headed(names: Iterable[str]) -> str:
    return "\n\n".join(
        f"#### {name}\n\n{_purpose(DEFINITIONS[name])}\n\n{field_table(DEFINITIONS[name])}" for name in names
    )


def _reached(names: Iterable[str]) -> list[str]:
    """List the objects inside others, in the order in which they are first met."""
    given = list(names)
    found: dict[str, None] = {}
    waiting = list(given)
    while waiting:
        for name in _references(DEFINITIONS[waiting.pop(0)]["properties"]):
            if name not in found:
                found[name] = None
                waiting.append(name)
    return [name for name in found if name not in given and name != "TrainingParameters"]


def _references(schema: Any) -> Iterable[str]:
    match schema:
        case {"$ref": _}:
            yield name_of(schema)
        case dict():
            for part in schema.values():
                yield from _references(part)
        case list():
            for part in schema:
                yield from _references(part)


def _purpose(definition: dict[str, Any]) -> str:
    return sentence(" ".join(definition["description"].split()))


def training_parameters() -> str:
    """List every parameter of a training run."""
    fields = kept.COMMANDS["training"]["start_training"]
    rows = []
    for name, schema in DEFINITIONS["TrainingParameters"]["properties"].items():
        default = "null" if schema["default"] is None else schema["default"]
        form = "kept" if name in fields else "new"
        rows.append((code(name), form, code(default), type_words(schema), sentence(schema["description"])))
    return table(("Parameter", "", "Default", "Allowed", "What it sets"), rows)


def network_types() -> str:
    """List the Q-networks."""
    return table(
        ("Type", "What it is"), [(code(name), sentence(what)) for name, what in NETWORK_TYPES.items()]
    )


def codes(kind: type[ErrorCode] | type[CloseCode]) -> str:
    """List error codes or close codes with their meanings."""
    return table(("Code", "What it means"), [(code(each.value), each.description) for each in kind])


TABLES: Final[dict[str, Callable[[], str]]] = {
    "inference-commands": partial(commands, "inference"),
    "training-commands": partial(commands, "training"),
    "room-commands": partial(commands, "room"),
    "inference-messages": partial(messages, "inference"),
    "training-messages": partial(messages, "training"),
    "room-messages": partial(messages, "room"),
    "message-parts": message_parts,
    "training-parameters": training_parameters,
    "network-types": network_types,
    "http-routes": http_routes,
    "http-parts": http_parts,
    "error-codes": partial(codes, ErrorCode),
    "close-codes": partial(codes, CloseCode),
}
