"""Decode the commands of an endpoint, with every flaw described in one precise sentence."""

import re
from collections.abc import Collection
from typing import Any, Final, Generic, TypeVar, get_args

import msgspec
from msgspec import Struct

from hamlet_trio.common.decoding import decode_any
from hamlet_trio.common.descriptions import allowed, fields_of
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode

_envelope = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str)

_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(?P<field>\w+)`")
_UNKNOWN = re.compile(r"unknown field `(?P<field>.*?)`(?: - at `\$\.(?P<inside>\w+)`)?$", re.DOTALL)
_SHOWN: Final = 60  # characters of a refused value that are repeated back


Command = TypeVar("Command")


class CommandDecoder(Generic[Command]):
    """Decode the commands of one endpoint.

    `decode` returns a typed command, or raises `BadMessageError` with a stable code and a sentence that
    names the field, the value given and what is allowed. It raises nothing else, whatever the bytes.
    """

    def __init__(self, union: Any, *, kept: Collection[str] = ()) -> None:
        """Refuse fields that a command does not have, but for `type`, and for commands that are `kept`.

        Clients of the older servers may send those with whatever else they like.
        """
        self._decoders: dict[str, msgspec.json.Decoder[Command]] = {}
        self._types: dict[str, type[Struct]] = {}
        self._known: dict[str, frozenset[str]] = {}
        for command_type in get_args(union):
            name = str(command_type.__struct_config__.tag)
            self._types[name] = command_type
            self._decoders[name] = msgspec.json.Decoder(command_type)
            if name not in kept:
                self._known[name] = frozenset(("command", "type", *fields_of(command_type)))

    @property
    def commands(self) -> tuple[str, ...]:
        """Return the names of the endpoint's commands."""
        return tuple(self._types)

    def decode(self, frame: str | bytes | None) -> Command:
        """Decode one text frame; a binary one (`bytes`, or `None` for an empty one) is refused."""
        if not isinstance(frame, str):
            raise BadMessageError(
                ErrorCode.BINARY_FRAME, "Send commands as JSON in text frames, not in binary ones."
            )
        try:
            fields = _envelope.decode(frame)
            name = self._command_name(fields)
            command = self._typed(name, frame, fields)
        except msgspec.ValidationError as error:
            reason = str(error)
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            raise BadMessageError(
                ErrorCode.INVALID_JSON,
                "The message is not valid JSON; numbers must be finite and text must be UTF-8.",
            ) from None
        else:
            known = self._known.get(name)
            if known is None or fields.keys() <= known:
                return command
            reason = (
                f"Object contains unknown field `{next(field for field in fields if field not in known)}`"
            )
        if reason.startswith("Expected `object`") and not _field_at(reason):
            raise BadMessageError(
                ErrorCode.NOT_AN_OBJECT, 'Send one JSON object, such as {"command": "status"}.'
            )
        raise self._explain(name, fields, reason)

    def _typed(self, name: str, frame: str, fields: dict[str, msgspec.Raw]) -> Command:
        """Decode a command. Raises `msgspec.DecodeError`, of which `msgspec.ValidationError`."""
        try:
            return self._decoders[name].decode(frame)
        except msgspec.ValidationError as error:
            value = bytes(_value_of(fields, _field_at(str(error))))
            if "out of range" not in str(error) or value[:1] not in (b"{", b"["):
                raise
        # A number too large for a float is in an object, such as a world, whose own check names its field.
        return msgspec.convert(decode_any(frame), self._types[name])  # type: ignore[return-value]

    def _command_name(self, fields: dict[str, msgspec.Raw]) -> str:
        known = ", ".join(self._types)
        if "command" not in fields:
            sentence = f"The message has no `command`, which must be one of {known}."
            raise BadMessageError(ErrorCode.MISSING_COMMAND, sentence, field="command")
        shown = _shown(fields["command"])
        try:
            name = _text.decode(fields["command"])
        except msgspec.ValidationError:
            sentence = f"`command` must be text, one of {known}; {shown} was sent."
            raise BadMessageError(ErrorCode.WRONG_TYPE, sentence, field="command") from None
        if name not in self._types:
            raise BadMessageError(
                ErrorCode.UNKNOWN_COMMAND,
                f"This endpoint has no command {shown}; it has {known}.",
                command=name[:_SHOWN],
                field="command",
            )
        return name

    def _explain(self, name: str, fields: dict[str, msgspec.Raw], reason: str) -> BadMessageError:
        """Turn msgspec's reason into a sentence of our own, with what the field's type allows."""
        if missing := _MISSING.search(reason):
            code, field = ErrorCode.MISSING_FIELD, missing["field"]
            sentence = f"`{name}` needs `{field}`: {allowed(self._types[name], field)}."
        elif unknown := _UNKNOWN.search(reason):
            code, inside = ErrorCode.UNKNOWN_FIELD, unknown["inside"] or ""
            # A field may be named as if it lay in another one.
            inside = inside if fields_of(self._types[name], inside) else ""
            field = unknown["field"][:_SHOWN]
            others = ", ".join(f for f in fields_of(self._types[name], inside) if f != "type")
            sentence = f"`{inside or name}` has no field `{field}`; it has {others or 'none'}."
            field = f"{inside}.{field}" if inside else field
        elif not (field := _field_at(reason)):
            # A rule between fields, from the struct's own __post_init__; its sentence begins with the field.
            code, field, sentence = ErrorCode.OUT_OF_RANGE, reason.split("`")[1], reason
        elif field == "command":
            code, sentence = ErrorCode.OUT_OF_RANGE, "`command` was sent twice in one message."
        else:
            code = ErrorCode.WRONG_TYPE if ", got `" in reason else ErrorCode.OUT_OF_RANGE
            shown = _shown(_value_of(fields, field))
            sentence = f"`{field}` must be {allowed(self._types[name], field)}; {shown} was sent."
        return BadMessageError(code, sentence, command=name, field=field)


def _field_at(reason: str) -> str:
    """Return the field that msgspec's reason names, such as `meters.energy`; empty for the message itself."""
    path = _PATH.search(reason)
    return path["path"].partition("[")[0] if path else ""


def _value_of(fields: dict[str, msgspec.Raw], field: str) -> msgspec.Raw:
    """Return the value of a field, which may lie in another, as it was sent."""
    name, _, inner = field.partition(".")
    value = fields.get(name, msgspec.Raw())
    return _value_of(_envelope.decode(value), inner) if inner else value


def _shown(value: msgspec.Raw) -> str:
    """Return a refused value as it was sent, shortened."""
    text = bytes(value).decode(errors="replace")
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
