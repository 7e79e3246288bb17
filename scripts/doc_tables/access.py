"""The tables of who may do what, from the rules themselves."""

import re
from collections.abc import Callable
from typing import Final

from hamlet_trio.web.access.roles import COMMANDS, ROUTES, Role
from scripts.doc_tables.markdown import code, table

_WHO: Final = {Role.ANYONE: "anyone", Role.VIEWER: "viewers", Role.TEACHER: "teachers"}


def routes() -> str:
    """Every route by who may use it."""
    rows = [
        (_WHO[role], ", ".join(code(f"{method} {_shown(rule)}") for rule, method in _having(role)))
        for role in Role
        if _having(role)
    ]
    return table(("Who", "Routes"), rows)


def _having(role: Role) -> list[tuple[str, str]]:
    return [
        (rule, method)
        for rule, methods in ROUTES.items()
        for method, needed in methods.items()
        if needed is role
    ]


def _shown(rule: str) -> str:
    """A route as a person reads it: what differs from call to call in capitals."""
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: found[1].upper(), rule)


def commands() -> str:
    """Every command by who may send it."""
    rows = []
    for role in Role:
        for endpoint, known in COMMANDS.items():
            names = [
                code(str(kind.__struct_config__.tag)) for kind, needed in known.items() if needed is role
            ]
            if names:
                rows.append((_WHO[role], code(endpoint), ", ".join(names)))
    return table(("Who", "On", "Commands"), rows)


TABLES: Final[dict[str, Callable[[], str]]] = {
    "access-routes": routes,
    "access-commands": commands,
}
