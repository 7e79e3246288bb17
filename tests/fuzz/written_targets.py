"""What people write, as targets: any bytes end in a value or in a sentence that says what is wrong."""

from pathlib import Path
from typing import Any, Final

import msgspec

from hamlet_trio.agent.given_names import GivenNames, NamesDamagedError
from hamlet_trio.agent.models import ModelFolder
from hamlet_trio.cli.deploy.environment import read_environment_file
from hamlet_trio.cli.deploy.nginx_file import read_nginx_file
from hamlet_trio.cli.deploy.unit import check_sandbox, read_unit
from hamlet_trio.cli.errors import UserError
from hamlet_trio.cli.sweep import as_lists, parameters_of, read_sweep_file
from hamlet_trio.lesson.lesson_file import FILE_NAME, LessonFileError, parse_lesson
from hamlet_trio.protocol.errors import BadMessageError
from hamlet_trio.settings import Settings, SettingsError, load_settings
from hamlet_trio.training.store import RunStore
from hamlet_trio.training.sweep.trials import plan_trials
from hamlet_trio.world.world_file import FileKind, WorldError, as_fields, make_world, read_world
from tests.fuzz.file_targets import check_sentence, folder, put

ROOT: Final = Path(__file__).parents[2]


def settings(data: bytes) -> None:
    """A settings file: settings, or `SettingsError`."""
    path = put("hamlet.toml", data)
    try:
        load_settings({"HAMLET_CONFIG": str(path)})
    except SettingsError as error:
        check_sentence(error, "HAMLET_")


def world_toml(data: bytes) -> None:
    """A world in TOML: one that can be written and read again, or `WorldError`."""
    _read_world(data, "toml")


def world_json(data: bytes) -> None:
    """A world in JSON."""
    _read_world(data, "json")


def _read_world(data: bytes, kind: FileKind) -> None:
    try:
        world = read_world(data, kind)
    except WorldError as error:
        check_sentence(error, "")
    else:
        assert make_world(msgspec.json.decode(msgspec.json.encode(as_fields(world)))) == world


def lesson(data: bytes) -> None:
    """A lesson: one that a page can be told, or `LessonFileError`."""
    try:
        msgspec.json.encode(parse_lesson(data))
    except LessonFileError as error:
        check_sentence(error, "")


def given_names(data: bytes) -> None:
    """The names of models: names that can be shown, or `NamesDamagedError`."""
    names = GivenNames(put("names.json", data).parent)
    try:
        assert all(name.isprintable() for name in names.read().values())
    except NamesDamagedError as error:
        check_sentence(error, "names.json")


def sweep_file(data: bytes) -> None:
    """A sweep's file: trials, or `UserError`."""
    path = put("sweep.toml", data)
    try:
        given = read_sweep_file(path)
        given["settings"] = as_lists(given.get("settings", {}))
        models = ModelFolder.of(models_dir=str(folder()), data_dir=str(folder()))
        plan_trials(parameters_of(given), RunStore(folder()), models, most=20)
    except (UserError, BadMessageError) as error:
        check_sentence(error, "")


def unit(data: bytes) -> None:
    """A unit of systemd, as `hamlet deploy check` reads it."""
    path = put("hamlet.service", data)
    try:
        found = read_unit(path)
        list(check_sandbox(found, Settings()))
    except UserError as error:
        check_sentence(error, "")


def environment_file(data: bytes) -> None:
    """A file of variables."""
    try:
        read_environment_file(put("hamlet.env", data))
    except UserError as error:
        check_sentence(error, "hamlet.env")


def nginx_file(data: bytes) -> None:
    """A file of nginx."""
    try:
        read_nginx_file(put("nginx.conf", data))
    except UserError as error:
        check_sentence(error, "nginx.conf")


def seeds() -> dict[str, list[bytes]]:
    """Something sound for each target to begin from."""
    presets = ROOT / "hamlet_trio" / "world" / "presets"
    worlds = [path.read_bytes() for path in sorted(presets.glob("*.toml")) if path.stat().st_size < 2000]
    return {
        "settings": [
            b'port = 9000\nprofile = "development"\nallowed_origins = ["https://a.example"]\n',
        ],
        "worlds-toml": [WORLD_TOML, *worlds[:2]],
        "worlds-json": [msgspec.json.encode(as_fields(read_world(WORLD_TOML, "toml")))],
        "lessons": [(ROOT / "hamlet_trio" / "lesson" / FILE_NAME).read_bytes()],
        "given-names": [b'{"names":{"a.pt":"Our champion","b.pt":"Zo\xc3\xab"},"form":1}'],
        "sweep-files": [SWEEP],
        "units": [(ROOT / "deploy" / "hamlet.service").read_bytes()],
        "environment-files": [b'# a comment\nHAMLET_PROFILE=production\nHAMLET_HOST="127.0.0.1"\n'],
        "nginx-files": [(ROOT / "deploy" / "nginx.conf").read_bytes()],
    }


WORLD_TOML: Final = b"""title = "Twice the price"
about = "Sleep costs more."
width = 9
num_agents = 2

[affordances.Bed.effects]
money = -10.5

[affordances]
Bar = false

[meters.energy]
start = 50.0
"""
SWEEP: Final = b"""seeds = "0-2,7"
worlds = ["usual", {width = 9}]
jobs = 2

[settings]
gamma = [0.9, 0.99]
num_episodes = 3
network_type = "qnetwork"
"""
TARGETS: Final[dict[str, Any]] = {
    "settings": settings,
    "worlds-toml": world_toml,
    "worlds-json": world_json,
    "lessons": lesson,
    "given-names": given_names,
    "sweep-files": sweep_file,
    "units": unit,
    "environment-files": environment_file,
    "nginx-files": nginx_file,
}
"""Every target by the name of its corpus."""
