"""Read text that a person wrote in an editor: UTF-8, with or without a byte order mark, also from Windows."""

import tomllib
from typing import Any, Final

from hamlet_trio.common.text import printable

_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


class WrittenTextError(ValueError):
    """The text cannot be read; the message says what to do, without a capital letter and a full stop."""


def read_text(data: bytes) -> str:
    """Return the text of a file. Raises `WrittenTextError` for any encoding but UTF-8."""
    # Without a mark, UTF-16 shows in the NUL beside its first character, which is ASCII in what we read.
    if data.startswith(_UTF16_MARKS) or b"\0" in data[:2]:
        raise WrittenTextError("it is UTF-16; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise WrittenTextError(f"line {line} is not UTF-8; save it as UTF-8") from None


def read_toml(data: bytes) -> dict[str, Any]:
    """Return the table of a TOML file. Raises `WrittenTextError`."""
    try:
        return tomllib.loads(read_text(data))
    except tomllib.TOMLDecodeError as error:
        raise WrittenTextError(f"it is not valid TOML: {printable(error, 200)}") from None
    except RecursionError:
        raise WrittenTextError("it is not valid TOML: nested too deeply") from None
