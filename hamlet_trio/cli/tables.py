"""Provide the console that prints the command line's tables."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

_WIDE: Final = 10_000  # columns; a table takes only what it needs


def console() -> "Console":
    """Return a console as wide as the terminal; in files and pipes tables are not folded, for programs."""
    from rich.console import Console

    found = Console(markup=False)
    return found if found.is_terminal else Console(markup=False, width=_WIDE)
