"""The shell commands that pages show, and whether they can be run."""

import re
import shlex

from scripts.doc_tables.command_line import command_tree, options_of, program
from scripts.doc_tables.pages import REPOSITORY
from tests.docs.reading import fences, inline_code

_ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")
_SHOWN = ("make ", "hamlet ", "python", "uv ", "hypercorn ")


def shell_commands() -> list[tuple[str, list[str]]]:
    """Every shell command that the pages show as (page, words), without environment and `.venv/bin/`."""
    shown = [(fence.page, line) for fence in fences("bash") for line in fence.body.splitlines()]
    shown += [(page, code) for page, code in inline_code() if code.startswith(_SHOWN)]
    commands = []
    for page, line in shown:
        words = shlex.split(line.strip(), comments=True)
        while words and _ASSIGNMENT.fullmatch(words[0]):
            words.pop(0)
        if words[:2] == ["uv", "run"]:
            words = words[2:]
        if words:
            commands.append((page, [words[0].removeprefix(".venv/bin/"), *words[1:]]))
    return commands


def problem_with(words: list[str]) -> str | None:
    """What is wrong with a shell command, or nothing; programs that are not ours are taken on trust."""
    missing: set[str] = set()
    match words:
        case ["make", *arguments]:
            missing = {word for word in arguments if "=" not in word} - _make_targets()
        case ["hamlet", group, name, *rest] if f"{group} {name}" in command_tree():
            options = {word for word in rest if word.startswith("-")}
            missing = options - options_of(command_tree()[f"{group} {name}"]) - {"--help"}
        case ["hamlet", name, *rest] if name in command_tree():
            options = {word for word in rest if word.startswith("-")}
            missing = options - options_of(command_tree()[name]) - {"--help"}
        case ["hamlet", name, *_]:
            missing = {name} - options_of(program())
        case ["python", "-m", module, *_] if module.partition(".")[0] in ("scripts", "bench", "hamlet_trio"):
            place = REPOSITORY / module.replace(".", "/")
            missing = set() if place.is_dir() or place.with_suffix(".py").exists() else {module}
        case ["python", file, *_] if not file.startswith("-"):
            missing = set() if (REPOSITORY / file).exists() else {file}
        case ["hypercorn", "-k", "trio", "-c", file, "hamlet_trio.asgi:app"]:
            missing = set() if (REPOSITORY / file).exists() else {file}
    return f"there is no {', '.join(sorted(missing))}" if missing else None


def _make_targets() -> set[str]:
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z0-9-]*):", text, re.MULTILINE))
