"""The tables of the server's messages, and of the objects inside them, from the exported schema."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

from hamlet_trio.protocol.schema import build_schema
from scripts.doc_tables import kept
from scripts.doc_tables.markdown import code, sentence, table
from scripts.doc_tables.notes import NOTES
from scripts.doc_tables.schema_words import name_of, type_words

SCHEMA: Final = build_schema()
DEFINITIONS: Final[dict[str, Any]] = SCHEMA["$defs"]


def messages(endpoint: str) -> str:
    """One headed table for each message of an endpoint."""
    sections = []
    for tag, reference in SCHEMA["endpoints"][endpoint]["messages"].items():
        name = name_of(reference["$ref"])
        known = kept.MESSAGES[endpoint].get(tag)
        form = "new" if known is None else "kept"
        rows = _rows(name, known or ())
        sections.append(
            f"#### `{tag}` ({form}) {{ #{endpoint}-{tag} }}\n\n{_purpose(name)}\n\n"
            + (table(("Field", "", "Type", "Meaning"), rows) if rows else "It has no fields.")
        )
    return "\n\n".join(sections)


def parts() -> str:
    """One headed table for each object that messages hold."""
    return "\n\n".join(
        f"#### {name}\n\n{_purpose(name)}\n\n{table(('Field', 'Type', 'Meaning'), _rows(name))}"
        for name in _parts()
    )


def _parts() -> list[str]:
    """Objects inside messages, in the order in which they are first met."""
    tagged = {
        name_of(reference["$ref"])
        for directions in SCHEMA["endpoints"].values()
        for kinds in directions.values()
        for reference in kinds.values()
    }
    found: list[str] = []
    waiting = [
        name_of(reference["$ref"])
        for directions in SCHEMA["endpoints"].values()
        for reference in directions["messages"].values()
    ]
    while waiting:
        for name in _references(DEFINITIONS[waiting.pop(0)]["properties"]):
            if name not in found:
                found.append(name)
                waiting.append(name)
    return [name for name in found if name not in tagged and name != "TrainingParameters"]


def _references(schema: Any) -> Iterable[str]:
    match schema:
        case {"$ref": str(reference)}:
            yield name_of(reference)
        case dict():
            for part in schema.values():
                yield from _references(part)
        case list():
            for part in schema:
                yield from _references(part)


def _purpose(name: str) -> str:
    return sentence(" ".join(DEFINITIONS[name]["description"].split()))


def _rows(name: str, known: Sequence[str] | None = None) -> list[tuple[str, ...]]:
    """A row for each field; with `known`, the kept ones, each is marked kept or new."""
    definition = DEFINITIONS[name]
    rows = []
    for field, schema in definition["properties"].items():
        if field == "type" and len(schema.get("enum", ())) == 1:
            continue  # the tag, which is the heading
        words = type_words(schema)
        if "default" not in schema and field not in definition.get("required", ()):
            words += ", may be absent"
        marks = () if known is None else ("kept" if field in known else "new",)
        rows.append((code(field), *marks, words, _meaning(name, field, schema)))
    return rows


def _meaning(name: str, field: str, schema: dict[str, Any]) -> str:
    note = NOTES.get(f"{name}.{field}") or schema.get("description") or NOTES.get(field)
    if note is None:
        raise KeyError(f"scripts/doc_tables/notes.py has no note on {name}.{field}")
    return sentence(note)


TABLES: Final[dict[str, Callable[[], str]]] = {
    "inference-messages": partial(messages, "inference"),
    "training-messages": partial(messages, "training"),
    "message-parts": parts,
}
