"""The table of the page's keyboard shortcuts, from the dialog that shows them."""

import re
from collections.abc import Callable
from typing import Final

from scripts.doc_tables.markdown import table
from scripts.doc_tables.pages import REPOSITORY

_DIALOG: Final = REPOSITORY / "frontend" / "src" / "shell" / "ShortcutsDialog.vue"
_ROW: Final = re.compile(
    r"\{ keys: \[(?P<keys>[^\]]+)\], does: '(?P<does>[^']+)', where: '(?P<where>[^']+)' \}"
)
_ESCAPE: Final = re.compile(r"\\u([0-9a-f]{4})")


def shortcuts() -> str:
    """List the shortcuts, what they do and where. Raises `ValueError` if the dialog has another form."""
    text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), _DIALOG.read_text(encoding="utf-8"))
    rows = [
        (
            " ".join(f"<kbd>{key}</kbd>" for key in re.findall(r"'([^']+)'", row["keys"])),
            row["does"],
            row["where"],
        )
        for row in _ROW.finditer(text)
    ]
    if len(rows) != text.count("does: '"):
        raise ValueError(f"{_DIALOG.name} does not list its keys in the form that is read here")
    return table(("Keys", "What they do", "Where"), rows)


TABLES: Final[dict[str, Callable[[], str]]] = {"shortcuts": shortcuts}
