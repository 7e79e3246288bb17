"""A JSON Schema's types, in words."""

from typing import Any

from scripts.doc_tables.markdown import code, number

_PLAIN = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "object": "object",
}

# Objects whose fields stand under a heading that is not their name.
_ANCHORS = {"TrainingParameters": "training-parameters", "EpisodeComplete": "training-episode_complete"}


def name_of(reference: str) -> str:
    """The name at the end of a `$ref`."""
    return reference.rpartition("/")[2]


def type_words(schema: dict[str, Any]) -> str:
    """What a field may hold, with its limits; another object becomes a link to its heading."""
    if "$ref" in schema:
        name = name_of(schema["$ref"])
        return f"[{name}](#{_ANCHORS.get(name, name.lower())})"
    if "anyOf" in schema:
        return " or ".join(type_words(part) for part in schema["anyOf"])
    if "enum" in schema:
        words = [code(value) for value in schema["enum"] if value is not None]
        return ", ".join(words) + (" or null" if None in schema["enum"] else "")
    match schema["type"]:
        case "array":
            return f"list of {_plural(type_words(schema['items']))}"
        case "object" if "additionalProperties" in schema:
            return f"object of {_plural(type_words(schema['additionalProperties']))}"
        case kind:
            return _PLAIN[kind] + limit_words(schema)


def limit_words(schema: dict[str, Any]) -> str:
    """The limits of a number or a text, or nothing."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f", {number(low)} to {number(high)}"
    if "maxLength" in schema:
        return f", {schema.get('minLength', 0)} to {schema['maxLength']} characters"
    return ""


def _plural(words: str) -> str:
    for single, several in (("whole number", "whole numbers"), ("number", "numbers"), ("list", "lists")):
        if words.startswith(single):
            return several + words[len(single) :]
    return words
