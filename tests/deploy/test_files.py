"""The files of deploy/ fit together, and fit the server: ports, folders, settings, times."""

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypercorn.config import Config

from hamlet_trio.cli.deploy.nginx_file import read_nginx_file
from hamlet_trio.settings import Settings, load_settings
from tests.shared.redis_server import running_redis

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = ("hamlet.service", "hamlet@.service")
EXPOSURE = 2.0  # of 10, by systemd's own measure


def unit(name: str) -> dict[str, dict[str, list[str]]]:
    """A unit's sections; a key may stand more than once."""
    sections: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in (DEPLOY / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            section.setdefault(key, []).append(value)
    return sections


def environment_of(name: str, port: str = "8765") -> dict[str, str]:
    """The variables that a unit sets, for the instance of this port."""
    pairs = [value.replace("%i", port).partition("=") for value in unit(name)["Service"]["Environment"]]
    return {key: value for key, _, value in pairs}


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_restarts_always_and_leaves_time_to_save(name: str) -> None:
    service = unit(name)["Service"]
    settings = load_settings(environment_of(name) | {"HAMLET_ALLOWED_ORIGINS": "https://x.example.org"})
    assert service["Restart"] == ["always"]
    assert service["KillMode"] == ["mixed"]
    assert service["OOMPolicy"] == ["continue"]
    # The server alone gives signs of life, not its trainer.
    assert (int(service["WatchdogSec"][0]), service["NotifyAccess"]) == (20, ["main"])
    assert int(service["TimeoutStopSec"][0]) >= 2 * settings.shutdown_grace + 10
    assert int(service["LimitNOFILE"][0]) > 2 * (settings.max_sessions + settings.max_viewers)
    assert settings.profile == "production"
    folders = {f"/var/lib/{folder}" for folder in service["StateDirectory"][0].replace("%i", "8765").split()}
    assert {settings.models_dir, settings.data_dir} <= folders
    # Several instances know the same tokens, and each other's logins.
    assert {Path(file).parent for file in (settings.tokens_file, settings.cookie_key_file)} == {
        Path("/var/lib/hamlet")
    }


def test_both_units_are_hardened_alike() -> None:
    single, template = (unit(name)["Service"] for name in UNITS)
    own = {"EnvironmentFile", "Environment"}
    assert {key: value for key, value in single.items() if key not in own} == {
        key: value for key, value in template.items() if key not in own
    }


@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_the_unit_and_finds_it_closed(name: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze, which comes with systemd")
    # It looks whether the program is there, which it is not on a machine without an installed Hamlet.
    text = (DEPLOY / name).read_text(encoding="utf-8").replace("/opt/hamlet/bin/hamlet", "/bin/true")
    path = tmp_path / name.replace("@", "@8765")
    path.write_text(text, encoding="utf-8")
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    measured = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", path],
        capture_output=True,
        text=True,
        check=False,
    )
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", measured.stdout)
    assert exposure is not None, measured.stderr
    assert float(exposure[1]) <= EXPOSURE


def ports_of_nginx() -> dict[str, list[str]]:
    """The ports to which the shipped nginx file passes requests, by upstream."""
    root = read_nginx_file(DEPLOY / "nginx.conf")
    return {
        upstream.arguments[0]: [s.arguments[0].rpartition(":")[2] for s in upstream.all("server")]
        for upstream in root.all("upstream")
    }


def test_training_and_rooms_are_at_all_instances() -> None:
    ports = ports_of_nginx()
    assert len(ports["hamlet"]) > 1
    assert ports["hamlet_training"] == ports["hamlet_rooms"] == ports["hamlet"]


def compose() -> dict[str, Any]:
    """The compose file."""
    loaded = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def test_compose_starts_what_nginx_looks_for() -> None:
    services = {n: s for n, s in compose()["services"].items() if s["image"] == "hamlet"}
    image = container_environment()
    settings = [load_settings(image | service["environment"]) for service in services.values()]
    assert {str(each.port) for each in settings} == set(ports_of_nginx()["hamlet"])
    assert {(each.profile, each.host) for each in settings} == {("production", "127.0.0.1")}
    mounted = [dict(v.split(":")[:2] for v in service["volumes"]) for service in services.values()]
    named = compose()["volumes"]
    assert {volume for mounts in mounted for volume in mounts} <= set(named)
    # The same models, and the same data: through Redis they have one run.
    by_folder = [{folder: volume for volume, folder in mounts.items()} for mounts in mounted]
    assert len({mounts[settings[0].models_dir] for mounts in by_folder}) == 1
    assert len({mounts[settings[0].data_dir] for mounts in by_folder}) == 1
    assert {each.redis_url for each in settings} == {settings[0].redis_url} != {""}
    # And the same tokens, and the key of logins: one at either holds at both.
    for file in (settings[0].tokens_file, settings[0].cookie_key_file):
        assert len({mounts[str(Path(file).parent)] for mounts in by_folder}) == 1
    for service in services.values():
        assert int(service["stop_grace_period"].rstrip("s")) >= 2 * settings[0].shutdown_grace + 10
        assert (service["cap_drop"], service["read_only"]) == (["ALL"], True)
    assert {s["network_mode"] for s in compose()["services"].values()} == {"host"}


def test_compose_has_the_redis_that_the_instances_look_for() -> None:
    services = compose()["services"]
    options = dict(option.removeprefix("--").split(" ", 1) for option in services["redis"]["command"][1:])
    for service in services.values():
        if service["image"] == "hamlet":
            settings = load_settings(container_environment() | service["environment"])
            assert settings.redis_url == f"redis://{options['bind']}:{options['port']}"
            assert "redis" in service["depends_on"]
    # As docs/deployment.md has it for a Redis without a container.
    page = (DEPLOY.parent / "docs" / "deployment.md").read_text(encoding="utf-8")
    block = page.partition("```text\nbind ")[2].partition("```")[0]
    shown = dict(line.split(" ", 1) for line in f"bind {block}".strip().splitlines())
    assert shown == {name: value for name, value in options.items() if name != "port"}


def test_a_real_redis_takes_the_options_of_compose(tmp_path: Path) -> None:
    options = [o for o in compose()["services"]["redis"]["command"][1:] if not o.startswith("--port ")]
    wanted = dict(option.removeprefix("--").split(" ", 1) for option in options)
    with running_redis(tmp_path, *options) as redis:
        for name, value in wanted.items():
            *_, found, _ = redis.ask("CONFIG", "GET", name).decode().split("\r\n")
            megabytes = value.removesuffix("mb")
            assert found == (value.strip('"') if megabytes == value else str(int(megabytes) * 2**20))


def test_compose_names_known_settings_and_paths_that_are_there() -> None:
    services = compose()["services"]
    known = {f"HAMLET_{field.upper()}" for field in Settings.__struct_fields__}
    for service in services.values():
        assert set(service.get("environment", {})) <= known
        assert set(service.get("depends_on", [])) <= set(services)
        build = service.get("build")
        if build:
            root = (DEPLOY / build["context"]).resolve()
            assert (root / build["dockerfile"]).samefile(DEPLOY / "Containerfile")
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    for mount in services["nginx"]["volumes"]:
        source, inside, mode = mount.split(":")
        assert mode == "ro"
        # Its own file, or folders of which the file speaks, under the same names.
        assert (DEPLOY / source).exists() if source.startswith("./") else source == inside
        assert source.startswith("./") or f"{inside}/" in text or f"{inside};" in text


def instructions() -> list[tuple[str, str]]:
    """The Containerfile's instructions, continued lines joined."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.M).replace("\\\n", " ")
    pairs = [line.strip().partition(" ") for line in text.splitlines() if line.strip()]
    return [(name, rest.strip()) for name, _, rest in pairs]


def container_environment() -> dict[str, str]:
    """What the last stage sets."""
    given: dict[str, str] = {}
    for name, rest in instructions():
        if name == "FROM":
            given = {}
        elif name == "ENV":
            given |= dict(pair.split("=", 1) for pair in shlex.split(rest))
    return given


def test_the_container_file_copies_what_is_there_and_ends_unprivileged() -> None:
    known = {"FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL"}
    known |= {"HEALTHCHECK", "ENTRYPOINT", "CMD"}
    names = [name for name, _ in instructions()]
    assert set(names) <= known
    assert [name for name in names if name in ("FROM", "USER")] == ["FROM", "FROM", "USER"]
    for name, rest in instructions():
        words = [word for word in rest.split() if not word.startswith("--")]
        if name == "COPY" and "--from" not in rest:
            for source in words[:-1]:
                assert (DEPLOY.parent / source).exists(), source
    # What the build reads must be among what is copied: the readme, the licence, the build hook.
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    copied = " ".join(rest for name, rest in instructions() if name == "COPY").split()
    assert {project["readme"], *project["license-files"], "hatch_build.py", "pyproject.toml"} <= set(copied)


INSTALL = "pip install --constraint constraints.txt '.[{}]'"


def test_what_is_installed_has_films_and_pinned_versions() -> None:
    page = (DEPLOY.parent / "docs" / "deployment.md").read_text(encoding="utf-8")
    for extras in ("film", "film,redis"):
        assert f"sudo /opt/hamlet/bin/{INSTALL.format(extras)}" in page
    assert any(INSTALL.format("film,redis") in rest for name, rest in instructions() if name == "RUN")
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"film", "redis"} <= set(project["optional-dependencies"])


def test_debians_logrotate_finds_the_log_of_nginx() -> None:
    logs = {log.arguments[0] for log in read_nginx_file(DEPLOY / "nginx.conf").all("access_log")}
    assert logs
    assert all(Path(log).match("/var/log/nginx/*.log") for log in logs)


def test_hypercorns_file_is_read_and_hides_no_exit_code_behind_a_worker() -> None:
    config = Config.from_toml(DEPLOY / "hypercorn.toml")
    assert (config.workers, config.worker_class, config.bind) == (0, "trio", [])
    known = {name for name in dir(Config) if not name.startswith("_")}
    given = tomllib.loads((DEPLOY / "hypercorn.toml").read_text(encoding="utf-8"))
    assert set(given) <= known, "Hypercorn passes over what it does not know"
