"""A JSON Schema in words: the types of fields, and tables of them."""

from collections.abc import Container
from typing import Any

from scripts.doc_tables.markdown import code, number, sentence, table

_PLAIN = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "object": "object",
    None: "any JSON",
}
_PLURAL = {"whole number": "whole numbers", "number": "numbers", "list": "lists"}

# Objects whose fields stand under a heading that is not their name.
_ANCHORS = {
    "TrainingParameters": "training-parameters",
    "EpisodeComplete": "training-episode_complete",
    "TrainingStarted": "training-training_started",
    "Paused": "training-paused",
    "Resumed": "training-resumed",
    "CheckpointSaved": "training-checkpoint_saved",
    "TrainingComplete": "training-training_complete",
    "TrainingStopped": "training-training_stopped",
    "TrainingFailed": "training-training_failed",
}


def name_of(reference: dict[str, Any]) -> str:
    """Return the name at the end of a `$ref`."""
    return str(reference["$ref"]).rpartition("/")[2]


def link(name: str) -> str:
    """Return a link to the heading under which an object's fields stand."""
    return f"[{name}](#{_ANCHORS.get(name, name.lower())})"


def field_table(definition: dict[str, Any], kept: Container[str] | None = None) -> str:
    """Return a table of an object's fields; with `kept`, each is marked kept or new."""
    rows = []
    for name, schema in definition["properties"].items():
        if name in ("type", "command") and len(schema.get("enum", ())) == 1:
            continue  # the tag, which is the heading
        is_optional = name not in definition.get("required", ()) and "default" not in schema
        words = type_words(schema) + (", may be absent" if is_optional else "")
        marks = () if kept is None else ("kept" if name in kept else "new",)
        rows.append((code(name), *marks, words, sentence(schema["description"])))
    headings = ("Field", *(() if kept is None else ("",)), "Type", "Meaning")
    return table(headings, rows) if rows else "It has no fields."


def type_words(schema: dict[str, Any]) -> str:
    """Describe what a field may hold, with its limits; another object becomes a link to its heading."""
    if "$ref" in schema:
        return link(name_of(schema))
    if "anyOf" in schema:
        return " or ".join(map(type_words, schema["anyOf"]))
    if "enum" in schema:
        words = [code(value) for value in schema["enum"] if value is not None]
        return ", ".join(words) + (" or null" if None in schema["enum"] else "")
    match schema.get("type"):
        case "array":
            return f"list of {_plural(type_words(schema['items']))}"
        case "object" if schema.get("additionalProperties"):
            return f"object of {_plural(type_words(schema['additionalProperties']))}"
        case kind:
            return _PLAIN[kind] + _limits(schema)


def _limits(schema: dict[str, Any]) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f", {number(schema['minimum'])} to {number(schema['maximum'])}"
    if "maxLength" in schema:
        return f", {schema.get('minLength', 0)} to {schema['maxLength']} characters"
    return ""


def _plural(words: str) -> str:
    single = next((single for single in _PLURAL if words.startswith(single)), "")
    return _PLURAL.get(single, "") + words[len(single) :]
