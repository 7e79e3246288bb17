"""Markdown, made from values."""

import re
from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; `|` and line ends in a cell are made harmless."""
    lines = [_row(headings), _row(["---"] * len(headings)), *map(_row, rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "&#124;").split()) for cell in cells) + " |"


def route(rule: str) -> str:
    """Return a route as a person reads it: what differs from call to call in capitals."""
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: found[1].upper(), rule)


def code(value: object) -> str:
    """Text as code."""
    return f"`{value}`"


def number(value: float) -> str:
    """A number as a person writes it: no needless decimals or exponents, thousands apart."""
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,.10f}".rstrip("0")


def signed(value: float) -> str:
    """A change: always with its sign, with a true minus."""
    return ("+" if value > 0 else "\u2212" if value < 0 else "") + number(abs(value))


def sentence(text: str) -> str:
    """The text with a capital first letter and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
