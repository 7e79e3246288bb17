"""`hamlet deploy check --unit` judges as the service finds it: its user, command, sandbox and folders."""

import json
import os
import pwd
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hamlet_trio.cli import app
from hamlet_trio.cli.deploy.unit import read_unit
from hamlet_trio.cli.errors import UserError
from tests.cli.test_deploy_check import NAME, SHIPPED, Deployment, deployment

__all__ = ["deployment"]

HAMLET = Path(shutil.which("hamlet", path=f"{SHIPPED.parents[1]}/.venv/bin") or "/opt/hamlet/bin/hamlet")
NOBODY = "nobody"
Check = Callable[[], tuple[int, list[str]]]


class Service:
    """The shipped template of a unit, moved into a folder of the test's own."""

    def __init__(self, deployment: Deployment) -> None:
        self.folder = deployment.folder
        self.template = self.folder / "hamlet@.service"
        text = (SHIPPED.parent / "hamlet@.service").read_text(encoding="utf-8")
        self.template.write_text(text, encoding="utf-8")
        self.replace("/var/lib/hamlet", str(self.folder))
        self.replace("/etc/hamlet", str(self.folder))
        self.replace("/opt/hamlet/bin/hamlet", str(HAMLET))
        self.replace("User=hamlet", f"User={pwd.getpwuid(os.geteuid()).pw_name}")
        self.replace("PrivateTmp=yes", f"ReadWritePaths={self.folder}")
        shutil.copy(deployment.tokens, self.folder / "tokens.json")
        for port in ("8765", "8766"):
            env = self.folder / f"{port}.env"
            env.write_text(f"HAMLET_ALLOWED_ORIGINS=https://{NAME}\n", encoding="utf-8")

    def replace(self, old: str, new: str) -> None:
        """Change the unit."""
        text = self.template.read_text(encoding="utf-8")
        assert old in text
        self.template.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def service(deployment: Deployment) -> Service:
    """A sound one."""
    return Service(deployment)


@pytest.fixture
def check(service: Service, deployment: Deployment) -> Check:
    """Run the check; returns its exit code and its problems."""

    def run() -> tuple[int, list[str]]:
        unit = str(service.folder / "hamlet@8765.service")
        command = ["deploy", "check", "--json", "--unit", unit, "--nginx", str(deployment.nginx)]
        done = CliRunner().invoke(app, command)
        found = json.loads(done.stdout)["findings"]
        return done.exit_code, [row["sentence"] for row in found if row["verdict"] == "problem"]

    return run


def test_the_shipped_unit_is_read_as_systemd_reads_it(service: Service, check: Check) -> None:
    assert check() == (0, [])
    one, other = (read_unit(service.folder / f"hamlet@{port}.service").variables for port in (8765, 8766))
    assert other | {"HAMLET_PORT": "8765"} == one
    with pytest.raises(UserError, match="Give --unit or --env"):
        CliRunner().invoke(app, ["deploy", "check", "--unit", "x", "--env", "x"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("User=", "User=absent-", "useradd"),
        (str(HAMLET), "/opt/nowhere/bin/hamlet", "/opt/nowhere/bin/hamlet, which is not there"),
        ("serve --no-banner", "serve --no-flag", "No such option"),
        ("ExecStart=", "# ExecStart=", "no ExecStart"),
        ("ReadWritePaths=", "PrivateTmp=yes\nReadWritePaths=", "PrivateTmp= empties"),
        ("ReadWritePaths=", "# ReadWritePaths=", "read-only under ProtectSystem=strict"),
        ("serve --no-banner", "serve --port 9999", "9999"),
        ("serve --no-banner", "serve --data-dir=/home/somebody", "hidden by ProtectHome="),
    ],
)
def test_what_would_keep_the_service_from_running_is_named(
    old: str, new: str, named: str, service: Service, check: Check
) -> None:
    service.replace(old, new)
    code, problems = check()
    assert code == 1
    assert any(named in sentence for sentence in problems), problems


def test_a_program_whose_interpreter_is_gone_is_named(service: Service, check: Check) -> None:
    program = service.folder / "bin" / "hamlet"
    program.parent.mkdir()
    program.write_text("#!/opt/nowhere/bin/python\n", encoding="utf-8")
    program.chmod(0o755)
    service.replace(str(HAMLET), str(program))
    code, problems = check()
    assert code == 1
    assert f"{program} cannot be run: No such file or directory; install Hamlet there again." in problems


@pytest.fixture
def seen_by_all(tmp_path: Path) -> Iterator[None]:
    """Folders above the test's own can be entered by everybody."""
    above = [folder for folder in (tmp_path, *tmp_path.parents[:3]) if folder.owner() == "root"]
    before = [folder.stat().st_mode for folder in above]
    for folder in above:
        folder.chmod(folder.stat().st_mode | 0o055)
    yield
    for folder, mode in zip(above, before, strict=True):
        folder.chmod(mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs an administrator, who acts as the service's user")
@pytest.mark.usefixtures("seen_by_all")
def test_files_are_judged_as_the_service_s_user(
    service: Service, deployment: Deployment, check: Check
) -> None:
    service.replace("User=root", f"User={NOBODY}")
    service.replace("ExecStart=", "ExecStart=/bin/true ")
    _, problems = check()
    assert {sentence.partition(" cannot be ")[0] for sentence in problems if "cannot be" in sentence} >= {
        str(deployment.folder / "data"),
        str(service.folder / "tokens.json"),
    }
    account = pwd.getpwnam(NOBODY)
    for path in (service.folder, *service.folder.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid)
    assert check() == (0, [])
    assert os.geteuid() == 0


def test_a_unit_gives_what_its_lines_and_files_say(tmp_path: Path) -> None:
    unit = tmp_path / "a@7.service"
    added = tmp_path / "a@.service.d" / "override.conf"
    added.parent.mkdir()
    (tmp_path / "7.env").write_text("C=file\n")
    (tmp_path / "a@.service").write_text(
        "[Unit]\nEnvironment=X=no\n[Service]\n# Environment=X=no\nEnvironment=Z=gone\nEnvironment=\n"
        'Environment="A=two words" B=%i-50%% \\\n  C=unit\nEnvironmentFile=-/nowhere\n'
        f"EnvironmentFile={tmp_path}/%i.env\n"
    )
    assert read_unit(unit).variables == {"A": "two words", "B": "7-50%", "C": "file"}
    added.write_text("[Service]\nEnvironment=B=added\nEnvironmentFile=\n")
    assert read_unit(unit).variables == {"A": "two words", "B": "added", "C": "unit"}
    added.write_text('[Service]\nEnvironment="B=open\n')
    with pytest.raises(UserError, match="quote"):
        read_unit(unit)
