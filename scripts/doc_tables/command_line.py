"""The tables of the command line, from the commands themselves."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import typer.main

from scripts.doc_tables.markdown import code, sentence, table


def program() -> Any:
    """Return `hamlet` itself, as a click object."""
    from hamlet_trio.cli import app  # noqa: PLC0415  # so that the other tables need no command line

    return typer.main.get_command(app)


def command_tree() -> dict[str, Any]:
    """Return every command of `hamlet` by name, such as "serve" or "deploy check", as click objects."""
    tree: dict[str, Any] = {}
    for name, command in program().commands.items():
        within = getattr(command, "commands", {})
        if not within or command.invoke_without_command:  # then it does something by itself
            tree[name] = command
        tree |= {f"{name} {sub}": within[sub] for sub in within}
    return tree


def options_of(command: Any) -> set[str]:
    """Return every spelling of every option of a command."""
    return {
        spelling for parameter in command.params for spelling in (*parameter.opts, *parameter.secondary_opts)
    }


def options(name: str) -> str:
    """List the arguments and options of one command."""
    rows = []
    for parameter in command_tree()[name].params:
        if parameter.param_type_name == "argument":
            spelling = code(parameter.name.upper())
        else:
            spelling = ", ".join(map(code, (*parameter.opts, *parameter.secondary_opts)))
        rows.append((spelling, _default(parameter), sentence(getattr(parameter, "help", None) or "")))
    return table(("Option", "Default", "What it does"), rows)


def _default(parameter: Any) -> str:
    shown = getattr(parameter, "show_default", None)
    if parameter.required:
        return "needed"
    if isinstance(shown, str):
        return code(shown)
    if parameter.default in (None, "") or parameter.default is False:
        return ""
    return code("on" if parameter.default is True else parameter.default)


def commands() -> str:
    """List the commands, one line each."""
    rows = [
        (
            f"[`hamlet {name}`](#hamlet-{name.replace(' ', '-')})",
            sentence((command.help or "").partition("\n\n")[0]),
        )
        for name, command in command_tree().items()
    ]
    return table(("Command", "What it does"), rows)


COMMANDS: Final = (
    "serve",
    "train",
    "sweep",
    "sweep show",
    "sweep list",
    "evaluate",
    "models",
    "convert",
    "world check",
    "world show",
    "world schema",
    "world list",
    "replay",
    "failures",
    "runs",
    "export",
    "history vacuum",
    "history migrate",
    "tokens create",
    "tokens list",
    "tokens revoke",
    "deploy check",
)

TABLES: Final[dict[str, Callable[[], str]]] = {
    "commands": commands,
    **{f"options-{name.replace(' ', '-')}": partial(options, name) for name in COMMANDS},
}
