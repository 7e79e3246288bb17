"""The table of the page's keyboard shortcuts, from their dialog and the page's English words."""

import json
import re
from collections.abc import Callable
from typing import Any, Final

from scripts.doc_tables.markdown import table
from scripts.doc_tables.pages import REPOSITORY

_SOURCE: Final = REPOSITORY / "frontend" / "src"
_DIALOG: Final = _SOURCE / "shell" / "ShortcutsDialog.vue"
_WORDS: Final = _SOURCE / "messages" / "en" / "shell.json"
_ROW: Final = re.compile(
    r"\{ keys: \[(?P<keys>[^\]]+)\], does: '(?P<does>[^']+)', where: \[(?P<where>[^\]]+)\] \}"
)
_TEXT: Final = re.compile(r"'([^']+)'")
_ESCAPE: Final = re.compile(r"\\u([0-9a-f]{4})")


def shortcuts() -> str:
    """List the shortcuts, what they do and where. Raises `ValueError` if the dialog has another form."""
    text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), _DIALOG.read_text(encoding="utf-8"))
    words: dict[str, Any] = json.loads(_WORDS.read_text(encoding="utf-8"))
    rows = [
        (
            " ".join(f"<kbd>{key}</kbd>" for key in _TEXT.findall(row["keys"])),
            words["shortcuts"][row["does"]],
            ", ".join(words["view"][view] for view in _TEXT.findall(row["where"])),
        )
        for row in _ROW.finditer(text)
    ]
    if len(rows) != text.count("does: '"):
        raise ValueError(f"{_DIALOG.name} does not list its keys in the form that is read here")
    return table(("Keys", "What they do", "Where"), rows)


TABLES: Final[dict[str, Callable[[], str]]] = {"shortcuts": shortcuts}
