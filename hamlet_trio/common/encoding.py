"""JSON of texts that JSON cannot hold: names of files with bytes that are not UTF-8.

Python keeps such a byte as half of a surrogate pair, which neither JSON nor MessagePack can hold. `to_json`
writes it as an escape for people; `path_to_text` writes a path so that programs can restore it.
"""

import os
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

import msgspec

from hamlet_trio.common.text import readable

_MARK: Final = "file:"
_encoder = msgspec.json.Encoder()


def to_json(value: Any) -> bytes:
    """Return the value as JSON; in its texts, bytes that are not UTF-8 become escapes such as `\\\\xff`."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(_with_readable_texts(msgspec.to_builtins(value)))


def _with_readable_texts(value: Any) -> Any:
    match value:
        case str():
            return readable(value)
        case dict():
            return {readable(key): _with_readable_texts(part) for key, part in value.items()}
        case list() | tuple():
            return [_with_readable_texts(part) for part in value]
        case _:
            return value


def path_to_text(path: str) -> str:
    """Return a path as text that JSON and MessagePack can hold; nearly every path is that already."""
    is_plain = path.isprintable() and not path.startswith(_MARK)
    return path if is_plain else _MARK + quote(os.fsencode(path))


def path_from_text(text: str) -> str:
    """Return the path that `path_to_text` made into this text."""
    return os.fsdecode(unquote_to_bytes(text[len(_MARK) :])) if text.startswith(_MARK) else text
