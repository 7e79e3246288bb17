"""The tables of roles with their routes and commands."""

from collections.abc import Callable
from typing import Final

from hamlet_trio.web.access.roles import COMMANDS, ROUTES, Role
from scripts.doc_tables.markdown import code, route, table

_WHO: Final = {Role.ANYONE: "anyone", Role.VIEWER: "viewers", Role.TEACHER: "teachers"}


def routes() -> str:
    """List the routes by role."""
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
    """List the commands by role."""
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
