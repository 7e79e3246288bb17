"""The tables of who may do what, from the rules themselves."""

from collections.abc import Callable
from typing import Final

from hamlet_trio.web.access.roles import COMMANDS, ROUTES, Role
from scripts.doc_tables.markdown import code, route, table

_WHO: Final = {Role.ANYONE: "anyone", Role.VIEWER: "viewers", Role.TEACHER: "teachers"}


def routes() -> str:
    """Every route by who may use it."""
    rows = [
        (_WHO[role], ", ".join(code(f"{method} {route(rule)}") for rule, method in _having(role)))
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
