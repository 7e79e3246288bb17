"""Read and write a world as a file: TOML or JSON, checked, with errors that name the field.

A file holds the fields of `WorldConfig` in which the world differs from the usual one, and may begin with a
`title` and an `about` text. Structs (`move`, `shaped` ...) may name only what they change. Meters and
affordances may be listed whole, or changed by name, where `false` removes an affordance:

    title = "Twice the price of sleep"

    [affordances.Bed.effects]
    money = -10

    [affordances]
    Bar = false
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from hamlet_trio.common.decoding import decode_any
from hamlet_trio.common.descriptions import allowed, fields_of
from hamlet_trio.common.files import read_regular
from hamlet_trio.common.sizes import MAX_SIDE, SIZES
from hamlet_trio.common.text import printable
from hamlet_trio.common.written_text import WrittenTextError, read_text, read_toml
from hamlet_trio.world.checks import ConfigError, check_sizes
from hamlet_trio.world.config import DEFAULT_METERS, PLACE_TYPES, Affordance, Meter, WorldConfig

MAX_BYTES: Final = 65_536
"""The size of a world file, at most."""
MAX_TITLE: Final = 100
MAX_ABOUT: Final = 2_000

FileKind: TypeAlias = Literal["toml", "json"]
_NAMED: Final = ("meters", "affordances")
_USUAL: Final[dict[str, Any]] = msgspec.to_builtins(WorldConfig())
_AT: Final = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_STEP: Final = re.compile(r"\[(?P<index>\d*)\.*\]|(?P<name>[^.\[]+)")


class WorldError(ValueError):
    """A world that cannot be used; the message is one sentence.

    Attributes:
        field: dotted path of the field, such as `affordances.Bed.x`; empty when it is about the whole file.
    """

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


class World(Struct, frozen=True, kw_only=True):
    """A configuration with its title and description for people."""

    config: WorldConfig = WorldConfig()
    title: str = ""
    about: str = ""

    @property
    def digest(self) -> str:
        """Return the digest of the configuration; worlds of equal rules share it, whatever their titles."""
        return digest_of(self.config)


def read_world(data: bytes, kind: FileKind) -> World:
    """Read a world file.

    Raises `WorldError` for text that is not UTF-8, TOML or JSON, for a file over `MAX_BYTES`, and for a field
    that is unknown or out of range.
    """
    if len(data) > MAX_BYTES:
        raise WorldError(f"The world has more than {MAX_BYTES:,} bytes, the most that is allowed.")
    try:
        fields: Any = read_toml(data) if kind == "toml" else decode_any(read_text(data))
    except WrittenTextError as error:
        raise WorldError(f"The world cannot be read: {error}.") from None
    except msgspec.DecodeError as error:
        raise WorldError(f"The world cannot be read: it is not JSON: {printable(error, 200)}.") from None
    return make_world(fields)


def load_world(path: Path) -> World:
    """Read a world from a file whose name ends in .toml or .json. Raises `WorldError`, `OSError`."""
    suffix = path.suffix.lower()
    if suffix not in (".toml", ".json"):
        raise WorldError(f"{path.name} is no world file: its name must end in .toml or .json.")
    data = read_regular(path, MAX_BYTES + 1)
    return read_world(data, "toml" if suffix == ".toml" else "json")


def make_world(fields: object) -> World:
    """Make a world of decoded fields, as in a file, of the sizes that sessions and runs take.

    Raises `WorldError`.
    """
    if not isinstance(fields, Mapping):
        raise WorldError("A world is an object of fields, such as `width` and `affordances`.")
    config = dict(fields)
    title = _text(config.pop("title", ""), "title", MAX_TITLE)
    about = _text(config.pop("about", ""), "about", MAX_ABOUT)
    try:
        check_sizes(config)
    except ConfigError as error:
        raise _refusal(error.field, error.allowed, error.value) from None
    return World(config=make_config(config), title=title, about=about)


def make_config(fields: Mapping[str, Any]) -> WorldConfig:
    """Make a configuration of the fields in which it differs from the usual one, of any size.

    Raises `WorldError`.
    """
    whole = _without_dangling(_merged(_USUAL, fields), fields)
    try:
        return msgspec.convert(whole, WorldConfig)
    except msgspec.ValidationError as error:
        raise _as_world_error(error, whole) from None
    except RecursionError:
        raise WorldError("The world is nested too deeply.") from None


def changes_of(config: WorldConfig) -> dict[str, Any]:
    """Return the fields in which a configuration differs from the usual one, as `make_config` takes them."""
    # Read as from a file, so that a whole number where a fraction is allowed is that fraction.
    normal = msgspec.convert(msgspec.to_builtins(config), WorldConfig)
    return _difference(_USUAL, msgspec.to_builtins(normal))


def as_fields(world: World) -> dict[str, Any]:
    """Return the fields of a world's file: its words, and how it differs from the usual world."""
    words = {"title": world.title, "about": world.about}
    return {name: text for name, text in words.items() if text} | changes_of(world.config)


def digest_of(config: WorldConfig) -> str:
    """Return 16 hexadecimal digits that worlds of equal rules share."""
    return digest_of_changes(changes_of(config))


def digest_of_changes(changes: Mapping[str, Any]) -> str:
    """Return the digest of the world that `changes_of` gave.

    Made from what differs from the usual world, so that a field added later leaves older digests as they are.
    """
    text = msgspec.json.encode(changes, order="deterministic")
    return hashlib.sha256(text).hexdigest()[:16]


def _text(value: object, field: str, longest: int) -> str:
    if (
        not isinstance(value, str)
        or len(value) > longest
        or (not value.replace("\n", " ").isprintable() and value)
    ):
        raise WorldError(f"`{field}` must be printable text of at most {longest:,} characters.", field)
    return value


def _merged(usual: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    whole = dict(usual)
    for name, value in fields.items():
        known = usual.get(name)
        if name in _NAMED and isinstance(value, Mapping):
            whole[name] = _merged_list(name, known or (), value)
        elif isinstance(known, dict) and isinstance(value, Mapping):
            whole[name] = _merged(known, value)
        else:
            whole[name] = value
    return whole


def _merged_list(name: str, usual: Sequence[dict[str, Any]], changes: Mapping[str, Any]) -> list[Any]:
    """Change, add and remove entries by their names."""
    entries: dict[str, Any] = {entry["name"]: entry for entry in usual}
    for key, change in changes.items():
        if change is False and name == "affordances":
            if entries.pop(key, None) is None:
                raise WorldError(
                    f"There is no affordance {printable(key)!r} to remove.", f"{name}.{printable(key)}"
                )
        elif isinstance(change, Mapping):
            entries[key] = _merged(entries.get(key, {"name": key}), change)
        else:
            raise WorldError(
                f"`{name}.{printable(key)}` must be a table of what changes"
                + (", or false to remove it." if name == "affordances" else "."),
                f"{name}.{printable(key)}",
            )
    return list(entries.values())


def _without_dangling(whole: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what the usual meters and meals say of affordances that this world does not have."""
    listed = whole["affordances"]
    if "affordances" not in fields or not isinstance(listed, list | tuple):
        return whole
    names = [entry.get("name") for entry in listed if isinstance(entry, dict)]
    usual = {meter.name: meter.place for meter in DEFAULT_METERS}
    if isinstance(whole["meters"], list | tuple):
        whole["meters"] = [
            {**meter, "place": None}
            if isinstance(meter, dict)
            and meter.get("place") not in names
            and meter.get("place") == usual.get(str(meter.get("name")))
            else meter
            for meter in whole["meters"]
        ]
    if "meals" not in fields:
        whole["meals"] = [meal for meal in whole["meals"] if meal in names]
    return whole


def _difference(usual: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name, value in own.items():
        known = usual.get(name)
        if value == known:
            continue
        if name in _NAMED and known is not None:
            changes[name] = _difference_by_name(known, value)
        elif isinstance(known, dict) and isinstance(value, dict):
            changes[name] = _difference(known, value)
        else:
            changes[name] = value
    return changes


def _difference_by_name(usual: Sequence[Any], own: Sequence[Any]) -> Any:
    """Return changes by name, or the whole list where entries stand in another order."""
    known = {entry["name"]: entry for entry in usual}
    mine = {entry["name"]: entry for entry in own}
    kept = [key for key in known if key in mine]
    if [*kept, *(key for key in mine if key not in known)] != list(mine):
        return own
    changes: dict[str, Any] = {key: False for key in known if key not in mine}
    for key, entry in mine.items():
        if entry != known.get(key):
            change = _difference(known.get(key, {}), entry)
            change.pop("name", None)
            changes[key] = change
    return changes


def _as_world_error(error: msgspec.ValidationError, whole: dict[str, Any]) -> WorldError:
    """Return the error as one sentence that names the field by its place in the file."""
    cause = error.__cause__
    if isinstance(cause, ConfigError):
        return _refusal(cause.field, cause.allowed, cause.value)
    found = _AT.match(str(error))
    assert found is not None
    path = found["path"] or ""
    field, kind, _ = _at(path, whole)
    if unknown := re.match(r"Object contains unknown field `(.*)`$", found["what"], re.DOTALL):
        name = ".".join(part for part in (field, printable(unknown[1])) if part)
        known = ", ".join(_fields_at(kind))
        where = f"`{field}`" if field else "A world"
        return WorldError(f"There is no field `{name}` in a world. {where} takes: {known}.", name)
    if missing := re.match(r"Object missing required field `(.*)`$", found["what"]):
        name = f"{field}.{missing[1]}"
        inner = ".".join(filter(None, (kind, missing[1])))
        return WorldError(f"`{name}` is missing; it must be {_allowed(inner)}.", name)
    # An entry of a list has no name of its own: the list is the field.
    field, kind, value = _at(re.sub(r"\[[^\]]*\]$", "", path), whole)
    return _refusal(field, _allowed(kind), value)


def _refusal(field: str, rule: str, value: object) -> WorldError:
    return WorldError(f"`{field}` must be {rule}; it is {printable(_shown(value))}.", field)


def _shown(value: object) -> str:
    """Return a refused value, with the words of JSON."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    try:
        return repr(value)
    except RecursionError:
        return "nested too deeply"


def _allowed(kind: str) -> str:
    """Return what a field may be, in words; `kind` is its path without names and numbers."""
    name, _, inner = kind.partition(".")
    if name in _NAMED and inner:
        return allowed(Meter if name == "meters" else Affordance, inner)
    return allowed(WorldConfig, kind)


def _fields_at(kind: str) -> list[str]:
    """Return the fields at a path without names and numbers."""
    name, _, inner = kind.partition(".")
    if name in _NAMED:
        return fields_of(Meter if name == "meters" else Affordance, inner)
    return [*([] if kind else ["title", "about"]), *fields_of(WorldConfig, kind)]


def _at(path: str, whole: dict[str, Any]) -> tuple[str, str, object]:
    """Return the field at msgspec's path, such as `affordances[0].x`.

    Returns its path with names (`affordances.Bed.x`), its path without names and numbers (`affordances.x`),
    and its value.
    """
    names: list[str] = []
    kinds: list[str] = []
    value: Any = whole
    for step in _STEP.finditer(path):
        if (index := step["index"]) is None:
            names.append(step["name"])
            kinds.append(step["name"])
            value = value.get(step["name"]) if isinstance(value, dict) else None
            continue
        value = value[int(index)] if index and isinstance(value, list | tuple) else None
        name = value.get("name") if isinstance(value, dict) else None
        if isinstance(name, str) and name:
            names.append(printable(name))
        elif index:
            names[-1] += f"[{index}]"
    return ".".join(names), ".".join(kinds), value


def file_schema() -> dict[str, Any]:
    """Return a JSON Schema (draft 2020-12) of world files: every field may be left out."""
    (_,), definitions = msgspec.json.schema_components((WorldConfig,), ref_template="#/$defs/{name}")
    for definition in definitions.values():
        definition.pop("required", None)
    whole = definitions.pop("WorldConfig")
    fields = whole["properties"]
    for name, kind in (("meters", "Meter"), ("affordances", "Affordance")):
        change: dict[str, Any] = {"$ref": f"#/$defs/{kind}"}
        if name == "affordances":
            change = {"anyOf": [change, {"const": False}]}
        by_name = {"type": "object", "additionalProperties": change}
        listed: dict[str, Any] = {"type": "array", "items": {"$ref": f"#/$defs/{kind}"}}
        if name == "affordances":
            listed["maxItems"] = len(PLACE_TYPES)
        fields[name] = {"anyOf": [listed, by_name]}
    for name, (low, high) in SIZES.items():
        fields[name] |= {"minimum": low, "maximum": high}
    cell = {"type": "integer", "minimum": 0, "maximum": MAX_SIDE - 1}
    fields["start"] |= {"prefixItems": [cell, cell]}
    for axis in ("x", "y"):
        definitions["Affordance"]["properties"][axis] = cell
    fields["title"] = {"type": "string", "maxLength": MAX_TITLE}
    fields["about"] = {"type": "string", "maxLength": MAX_ABOUT}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A Hamlet world",
        "type": "object",
        "properties": fields,
        "additionalProperties": False,
        "$defs": definitions,
    }
