"""Markdown, made from values."""

import re
from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, with `|` and line ends in cells escaped."""
    lines = [_row(headings), _row(["---"] * len(headings)), *map(_row, rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "&#124;").split()) for cell in cells) + " |"


def route(rule: str) -> str:
    """Return a route as a person reads it: what differs from call to call in capitals."""
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: found[1].upper(), rule)


def code(value: object) -> str:
    """Return the value as inline code."""
    return f"`{value}`"


def number(value: float) -> str:
    """Return a number without needless decimals or exponents, with thousands separated."""
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,.10f}".rstrip("0")


def signed(value: float) -> str:
    """Return a change with its sign, as a true minus where it is negative."""
    return ("+" if value > 0 else "\u2212" if value < 0 else "") + number(abs(value))


def sentence(text: str) -> str:
    """Return the text with a capital first letter and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
