"""What a page names exists, and what exists is on a page."""

import re
import subprocess
from functools import cache
from typing import get_args

import msgspec
import pytest

from hamlet_trio.protocol.commands import InferenceCommand, TrainingCommand
from hamlet_trio.protocol.errors import ErrorCode
from hamlet_trio.protocol.messages import InferenceMessage, TrainingMessage
from hamlet_trio.protocol.room_commands import RoomCommand
from hamlet_trio.protocol.room_messages import RoomMessage
from hamlet_trio.settings import PREFIX, Settings, load_settings
from hamlet_trio.web.app import create_app
from scripts.doc_tables import TABLES
from scripts.doc_tables.command_line import COMMANDS, command_tree
from scripts.doc_tables.pages import REPOSITORY
from tests.docs.reading import EVERY_PAGE, TEXTS, inline_code
from tests.docs.shell import problem_with, shell_commands

OF_THE_PAST = {"db_path"}  # named only to say that it is gone
SETTINGS = {PREFIX + field.name.upper() for field in msgspec.structs.fields(Settings)}
OTHER_VARIABLES = {"HAMLET_SERVER", "HAMLET_CONFIG", "HAMLET_REQUIRE_ALL", "HAMLET_GOLDEN_DIR"}
ROUTE = re.compile(r"(?<![\w.:<-])/(?:api/[a-z_]+|ws(?:/training|/room)?\b|healthz|readyz|metrics)(?![\w/])")
IDENTIFIER = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
PATH = re.compile(
    r"(?:(?:docs|hamlet_trio|deploy|scripts|tests|bench|models|frontend|\.ci)/[\w./-]*"
    r"|[\w-]+\.(?:py|toml|txt|yml|md)|Makefile)"
)


@cache
def source() -> str:
    """Return every tracked or new file of the code, as one text."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    wanted = [
        REPOSITORY / name
        for name in listed
        if (
            name.startswith(("hamlet_trio/", "bench/", "deploy/", "frontend/src/", "tests/"))
            and not name.startswith("tests/docs/")
        )
        or name in ("Makefile", "pyproject.toml")
    ]
    return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in wanted if path.is_file())


def test_every_variable_exists() -> None:
    named = set(re.findall(r"\bHAMLET_[A-Z_]*[A-Z]\b", EVERY_PAGE))
    assert named - SETTINGS - OTHER_VARIABLES == set()


def test_every_setting_is_documented() -> None:
    assert {name for name in SETTINGS if f"`{name}`" not in TEXTS["settings.md"]} == set()
    assert "`HAMLET_CONFIG`" in TEXTS["settings.md"]


def test_every_setting_that_is_a_number_is_a_limit_with_an_answer() -> None:
    info = msgspec.inspect.type_info(Settings)
    assert isinstance(info, msgspec.inspect.StructType)
    numbers = {
        PREFIX + field.name.upper()
        for field in info.fields
        if isinstance(field.type, msgspec.inspect.Metadata)
        and isinstance(field.type.type, msgspec.inspect.IntType | msgspec.inspect.FloatType)
    }
    section = TEXTS["deployment.md"].partition("## Limits\n")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("| ") and "`HAMLET_" in line]
    assert all(answer.strip() for _, _, _, answer, _ in rows)
    listed = {name for _, _, settings, _, _ in rows for name in re.findall(r"`(HAMLET_\w+)`", settings)}
    assert listed == numbers - {"HAMLET_PORT"}


def served() -> set[str]:
    """Return every route of the app with each of its methods; what differs from call to call is `*`."""
    rules = create_app(load_settings({})).url_map.iter_rules()
    return {
        f"{method} {re.sub('<[^>]*>', '*', rule.rule)}"
        for rule in rules
        for method in (rule.methods or {"GET"}) - {"HEAD", "OPTIONS"}
    }


def test_routes_of_the_pages_and_of_the_app_agree() -> None:
    paths = {route.partition(" ")[2] for route in served()}
    assert set(ROUTE.findall(EVERY_PAGE)) - paths == set(), "a page names a route that does not exist"
    named = {
        f"{found[1]} {re.sub('<[^>]*>|[A-Z][A-Z_]*', '*', found[2])}"
        for _, code in inline_code()
        if (found := re.fullmatch(r"(GET|POST|PUT|DELETE) (/\S*)", code))
    }
    assert named - served() == set(), "a page names a method that a route does not have"


def test_the_table_of_routes_has_every_route_with_every_method() -> None:
    section = TEXTS["protocol.md"].partition("## Over HTTP\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+) (/\S*)` \|", section, re.MULTILINE)
    documented = {f"{method} {re.sub('[A-Z][A-Z_]*', '*', path)}" for method, path in rows}
    # Sockets have a section each; the page's own files are no interface.
    others = {"GET /ws", "GET /ws/training", "GET /ws/room", "GET /*"}
    assert documented == served() - others


@pytest.mark.parametrize(
    "union",
    [InferenceCommand, TrainingCommand, RoomCommand, InferenceMessage, TrainingMessage, RoomMessage],
    ids=str,
)
def test_every_command_and_message_is_documented(union: object) -> None:
    for kind in get_args(union):
        assert f"`{kind.__struct_config__.tag}`" in TEXTS["protocol.md"]


def test_every_error_code_of_training_has_a_way_out() -> None:
    codes = {ErrorCode.ALREADY_TRAINING, ErrorCode.TRAINING_BUSY, ErrorCode.TRAINING_LOCKED}
    codes |= {ErrorCode.TRAINING_UNAVAILABLE, ErrorCode.UNKNOWN_CHECKPOINT, ErrorCode.UNUSABLE_MODEL}
    assert {code for code in codes if f"`{code}`" not in TEXTS["troubleshooting.md"]} == set()


def test_every_identifier_is_in_the_code() -> None:
    named = {(page, code) for page, code in inline_code() if IDENTIFIER.fullmatch(code)}
    # A generated table is code in another form: it has names that the code puts together.
    known = set(re.findall(r"\w+", source() + "".join(make() for make in TABLES.values())))
    unknown = {(page, name) for page, name in named if name not in known | OF_THE_PAST}
    assert unknown == set()


def test_every_path_exists() -> None:
    named = {(page, code) for page, code in inline_code() if PATH.fullmatch(code)}
    assert {(page, name) for page, name in named if not (REPOSITORY / name).exists()} == set()


def _shown(value: str | list[str]) -> str:
    return value if isinstance(value, str) else " ".join(value)[:60]


@pytest.mark.parametrize(("page", "words"), shell_commands(), ids=_shown)
def test_every_shell_command_can_be_run(page: str, words: list[str]) -> None:
    assert problem_with(words) is None, page


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert problem_with(["make", "tea"])
    assert problem_with(["hamlet", "sing"])
    assert problem_with(["hamlet", "serve", "--loudly"])
    assert problem_with(["python", "demo_nothing.py"])
    assert problem_with(["python", "-m", "scripts.nothing"])


def test_every_command_is_documented() -> None:
    assert set(COMMANDS) == set(command_tree())
    for name in COMMANDS:
        assert f"## hamlet {name}" in TEXTS["command-line.md"]
