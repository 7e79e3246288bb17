"""Where the command line prints its tables."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

_WIDE: Final = 10_000  # columns; a table takes only what it needs


def console() -> "Console":
    """A console as wide as the terminal; into a file or a pipe no table is folded, for a program reads it."""
    from rich.console import Console

    found = Console(markup=False)
    return found if found.is_terminal else Console(markup=False, width=_WIDE)
