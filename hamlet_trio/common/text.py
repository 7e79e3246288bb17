"""Text from elsewhere, made fit for a message."""


def printable(text: object, limit: int = 80) -> str:
    """Return at most `limit` characters, with control characters and halves of surrogate pairs as `?`."""
    shown = "".join(character if character.isprintable() else "?" for character in str(text)[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def readable(text: object) -> str:
    """Return the text, such as a path, with control characters and bytes that are not UTF-8 as escapes.

    Any terminal, log and JSON document can hold the result. Python keeps the byte 0xFF of a file's name as
    half of a surrogate pair, which none of them can; it becomes `\\xff`.
    """
    shown = str(text)
    return shown if shown.isprintable() else "".join(c if c.isprintable() else escape(c) for c in shown)


def escape(character: str) -> str:
    """Return one character as an ASCII escape, a byte that is not UTF-8 as `\\xff`."""
    is_byte = "\udc80" <= character <= "\udcff"
    return f"\\x{ord(character) - 0xDC00:02x}" if is_byte else ascii(character)[1:-1]
