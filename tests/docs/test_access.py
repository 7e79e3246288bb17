"""Test that every route and command has a role, and that the page lists them."""

import re
from typing import get_args

import msgspec

from hamlet_trio.protocol.commands import InferenceCommand, TrainingCommand
from hamlet_trio.protocol.errors import CloseCode, ErrorCode
from hamlet_trio.protocol.room_commands import RoomCommand
from hamlet_trio.settings import Settings, load_settings
from hamlet_trio.web.access.roles import COMMANDS, ROUTES
from hamlet_trio.web.app import HamletApp, create_app
from tests.docs.reading import TEXTS

LIMITS = ("max_", "_rate", "_burst", "_abuse", "_timeout", "_queue")


def rules(app: HamletApp) -> dict[str, set[str]]:
    """Every route of the app with its methods, but those that Quart makes itself."""
    found: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        methods = (rule.methods or {"GET"}) - {"HEAD", "OPTIONS"}
        found.setdefault(rule.rule, set()).update(methods or {"GET"})
    return found


def test_every_route_has_a_rule_and_every_rule_a_route() -> None:
    assert rules(create_app(load_settings({}))) == {rule: set(methods) for rule, methods in ROUTES.items()}, (
        "say in hamlet_trio/web/access/roles.py who may use a new route"
    )


def test_every_command_has_a_rule() -> None:
    unions = {"/ws": InferenceCommand, "/ws/training": TrainingCommand, "/ws/room": RoomCommand}
    assert {path: set(table) for path, table in COMMANDS.items()} == {
        path: set(get_args(union)) for path, union in unions.items()
    }


def test_every_limit_has_its_answer_in_the_table() -> None:
    fields = [field.name for field in msgspec.structs.fields(Settings)]
    limits = {name for name in fields if name.startswith(LIMITS[0]) or name.endswith(LIMITS[1:])}
    table = TEXTS["deployment.md"].partition("## Limits\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:-1] for line in table.splitlines() if "`HAMLET_" in line]
    named = {name for row in rows for name in re.findall(r"`HAMLET_(\w+)`", row[1])}
    assert limits <= {name.lower() for name in named}
    codes = {int(code) for row in rows for code in re.findall(r"closes with (\d+)", row[2])}
    assert codes <= set(CloseCode)
    known = {code.value for code in ErrorCode}
    assert {code for row in rows for code in re.findall(r"`([a-z]+_[a-z_]+)`", row[2])} <= known
