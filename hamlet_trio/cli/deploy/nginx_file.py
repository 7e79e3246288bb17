"""Parse an nginx file as nginx does: words, blocks, quotes and comments."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hamlet_trio.cli.deploy.deployment_files import read_file
from hamlet_trio.cli.errors import UserError
from hamlet_trio.common.text import printable

_WORD = re.compile(
    r"""\s+ | \#[^\n]* | (?P<mark>[{};]) | "(?P<double>(?:\\.|[^"\\])*)" | '(?P<single>(?:\\.|[^'\\])*)'
    | (?P<plain>(?:\\.|\$\{\w+\}|[^\s{};"'\\])(?:\\.|\$\{\w+\}|[^\s{};\\])*)""",
    re.VERBOSE | re.DOTALL,
)


class Directive(NamedTuple):
    """Represent one directive: its name, its arguments and the directives in its block."""

    name: str
    arguments: list[str]
    block: "list[Directive]"

    def all(self, name: str) -> "Iterator[Directive]":
        """Yield every directive of this name within, at any depth."""
        for directive in self.block:
            if directive.name == name:
                yield directive
            yield from directive.all(name)

    def first(self, name: str) -> str | None:
        """Return the first argument of the first directive of this name directly within."""
        return next((d.arguments[0] for d in self.block if d.name == name and d.arguments), None)


def read_nginx_file(path: Path) -> Directive:
    """Return the file as one nameless directive, without the files it includes.

    Raises `UserError` if the file cannot be read or ends early; nginx reports everything else better.
    """
    text = read_file("--nginx", path)
    root = Directive("", [], [])
    open_blocks, words, position = [root], [], 0
    while position < len(text):
        found = _WORD.match(text, position)
        if found is None:
            line = text.count("\n", 0, position) + 1
            raise UserError(f"--nginx {path}, line {line}: a quotation mark is open to the end of the file.")
        position = found.end()
        mark = found["mark"]
        if mark is None:
            word = next(
                (found[kind] for kind in ("double", "single", "plain") if found[kind] is not None), None
            )
            words += [] if word is None else [word]
            continue
        if mark == "}" and len(open_blocks) > 1:
            open_blocks.pop()
        elif mark != "}" and words:
            directive = Directive(words[0], words[1:], [])
            open_blocks[-1].block.append(directive)
            if mark == "{":
                open_blocks.append(directive)
        words = []
    if len(open_blocks) > 1:
        name = printable(open_blocks[-1].name)
        raise UserError(f"--nginx {path}: the block of `{name}` is not closed by a `}}`.")
    return root
