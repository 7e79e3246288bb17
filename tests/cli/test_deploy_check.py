"""`hamlet deploy check`: what is right is called so, and each mistake is named with what to do."""

import datetime
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from hamlet_trio.cli.deploy.environment import check_settings
from hamlet_trio.cli.deploy.nginx import check_nginx
from hamlet_trio.settings import Settings
from tests.cli.conftest import Hamlet
from tests.needs import left_out
from tests.web.access.conftest import add_token, revoke

NAME = "hamlet.university.edu"
SHIPPED = Path(__file__).parents[2] / "deploy" / "nginx.conf"

Rows = list[tuple[str, str, str]]


class Deployment:
    """A sound deployment in a folder of the test's own, to be spoilt in one point."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = folder / "models"
        shutil.copy(SHIPPED.parents[1] / "models" / "trained_agent.pt", self.models)
        self.variables = {
            "HAMLET_PROFILE": "production",
            "HAMLET_ALLOWED_ORIGINS": f"https://{NAME}",
            "HAMLET_MODELS_DIR": str(self.models),
            "HAMLET_DATA_DIR": str(folder / "data"),
            "HAMLET_MAX_SESSIONS": "100",
            "HAMLET_MAX_VIEWERS": "100",
        }
        self.tokens = folder / "data" / "tokens.json"
        add_token(self.tokens, "Ms Jones", "teacher")
        self.certificate, self.key = folder / "fullchain.pem", folder / "privkey.pem"
        self.sign(NAME)
        text = SHIPPED.read_text(encoding="utf-8").replace("hamlet.example.org", NAME)
        text = text.replace(f"/etc/letsencrypt/live/{NAME}", str(folder)).replace(
            "/var/log/nginx", str(folder)
        )
        text = text.replace('$hamlet_port {\n    default "";', '$hamlet_port {\n    default ":4430";')
        for port in ("80", "443"):
            text = text.replace(
                'map "" $hamlet_port {\n    default "";', 'map "" $hamlet_port {\n    default ":4430";'
            )
            text = text.replace(f"listen {port}", f"listen 127.0.0.1:{port}0").replace(
                f"listen [::]:{port}", f"listen 127.0.0.1:{port}1"
            )
        before, name, after = text.partition("upstream hamlet_training {")
        # Without Redis, as the file says.
        after = after.replace("    server 127.0.0.1:8766", "    # server 127.0.0.1:8766", 2)
        text = before + name + after
        self.nginx = folder / "hamlet.conf"
        self.nginx.write_text(text, encoding="utf-8")

    def sign(self, name: str, ends: datetime.datetime | None = None) -> None:
        """Certificate and key for this name."""
        made = trustme.CA().issue_cert(name, not_after=ends)
        made.private_key_pem.write_to_path(self.key)
        made.cert_chain_pems[0].write_to_path(self.certificate)

    def replace(self, old: str, new: str) -> None:
        """Change the nginx file."""
        text = self.nginx.read_text(encoding="utf-8")
        assert old in text
        self.nginx.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def deployment(environment: dict[str, str], tmp_path: Path) -> Deployment:
    """A sound one; `environment` made the models folder."""
    return Deployment(tmp_path)


@pytest.fixture
def check(hamlet_here: Hamlet, deployment: Deployment) -> Callable[..., tuple[int, Rows]]:
    """Run the check; gives its exit code and its findings."""

    def run(*, nginx: bool = True) -> tuple[int, Rows]:
        env = deployment.folder / "hamlet.env"
        lines = [f'{name}="{value}"' for name, value in deployment.variables.items()]
        env.write_text("\n".join(["# settings", "", *lines]), encoding="utf-8")
        arguments = ["deploy", "check", "--json", "--env", str(env)]
        done = hamlet_here(*arguments, *(["--nginx", str(deployment.nginx)] if nginx else []))
        assert done.stderr == ""
        answer = json.loads(done.stdout)
        assert answer["problems"] == sum(row["verdict"] == "problem" for row in answer["findings"])
        return done.returncode, [(r["verdict"], r["about"], r["sentence"]) for r in answer["findings"]]

    return run


Check = Callable[..., tuple[int, Rows]]


def problems(rows: Rows) -> list[str]:
    """The sentences of the problems."""
    return [sentence for verdict, _, sentence in rows if verdict == "problem"]


def test_a_sound_deployment_has_nothing_to_mend(check: Check) -> None:
    code, rows = check()
    assert (code, problems(rows)) == (0, [])
    assert {about for verdict, about, _ in rows if verdict == "fine"} >= {
        "settings",
        "models",
        "data",
        "certificate",
        "instances",
    }


def test_it_prints_lines_for_people(hamlet: Hamlet, deployment: Deployment) -> None:
    done = hamlet("deploy", "check", "--nginx", str(deployment.nginx))
    assert done.returncode == 1
    assert any(
        line.startswith("problem") and "HAMLET_PROFILE=production" in line
        for line in done.stdout.splitlines()
    )
    assert done.stdout.rstrip().endswith("to fix.")


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("HAMLET_PORT", "eight", "HAMLET_PORT=eight"),
        ("HAMLET_PROFILE", "development", "HAMLET_PROFILE=production"),
        ("HAMLET_ALLOWED_ORIGINS", "*", "production refuses"),
        ("HAMLET_ALLOWED_ORIGINS", "null", "production refuses"),
        ("HAMLET_LOGIN", "nobody", "production refuses"),
        ("HAMLET_TOKENS_FILE", "/nowhere/tokens.json", "hamlet tokens create --role teacher"),
        ("HAMLET_ALLOWED_ORIGINS", "https://other.university.edu", f"https://{NAME} would be refused"),
        ("HAMLET_PORT", "9000", "listen on port 9000"),
        ("HAMLET_MODELS_DIR", "/nowhere/models", "There is no folder /nowhere/models"),
        ("HAMLET_DATA_DIR", "/dev/null/data", "HAMLET_DATA_DIR"),
    ],
)
def test_a_wrong_setting_is_named(
    deployment: Deployment, check: Check, variable: str, value: str, named: str
) -> None:
    deployment.variables[variable] = value
    code, rows = check()
    assert code == 1
    assert any(named in sentence for sentence in problems(rows)), rows


def test_an_unknown_variable_and_an_open_host_are_warnings(deployment: Deployment, check: Check) -> None:
    deployment.variables |= {"HAMLET_COLOUR": "red", "HAMLET_HOST": "0.0.0.0"}
    code, rows = check()
    warnings = [sentence for verdict, _, sentence in rows if verdict == "warning"]
    assert code == 0
    assert any("HAMLET_COLOUR" in sentence for sentence in warnings)
    assert any("without nginx" in sentence for sentence in warnings)


def test_tokens_are_judged(deployment: Deployment) -> None:
    def rows() -> Rows:
        settings, findings = check_settings(deployment.variables)
        assert settings is not None
        return [(verdict, about, sentence) for verdict, about, sentence in findings]

    assert ("fine", "login", "HAMLET_LOGIN=teachers, and there is a teacher.") in rows()
    deployment.tokens.chmod(0o640)
    assert any("chmod go=" in sentence for sentence in problems(rows()))
    deployment.tokens.chmod(0o600)
    deployment.variables["HAMLET_LOGIN"] = "everyone"
    assert problems(rows()) == []
    assert any("--class-code" in sentence for verdict, _, sentence in rows() if verdict == "warning")
    revoke(deployment.tokens, json.loads(deployment.tokens.read_text())["tokens"][0]["id"])
    assert any("needs a teacher's token" in sentence for sentence in problems(rows()))


def test_a_sign_on_header_that_clients_could_write_is_a_problem(deployment: Deployment) -> None:
    def rows() -> list[str]:
        return problems([tuple(finding) for finding in check_nginx(deployment.nginx, settings)])  # type: ignore[misc]

    deployment.variables |= {"HAMLET_TRUSTED_USER_HEADER": "x-remote-user"}
    settings, _ = check_settings(deployment.variables)
    assert rows() == []
    deployment.replace('proxy_set_header X-Remote-User     "";', "")
    assert any("Clients could send x-remote-user" in sentence for sentence in rows())


def test_with_redis_the_run_and_the_rooms_are_passed_on_to_all_instances(deployment: Deployment) -> None:
    def said() -> list[str]:
        found = check_nginx(deployment.nginx, Settings(redis_url="redis://127.0.0.1"))
        return [sentence for _, about, sentence in found if about == "instances"]

    assert any("/ws/training does not go to 127.0.0.1:8766" in sentence for sentence in said())
    assert any("/ws/room does not go to 127.0.0.1:8766" in sentence for sentence in said())
    deployment.replace("# server 127.0.0.1:8766", "server 127.0.0.1:8766")
    assert len(said()) == 1, "it says where requests go, and finds nothing wrong"


def test_certificates_are_judged(deployment: Deployment, check: Check) -> None:
    now = datetime.datetime.now(datetime.UTC)
    deployment.sign(NAME, ends=now + datetime.timedelta(days=5, hours=1))
    code, rows = check()
    assert code == 0
    assert any("ends in 5 days" in sentence for verdict, _, sentence in rows if verdict == "warning")

    deployment.sign(NAME, ends=now - datetime.timedelta(days=1))
    assert any("certificate has expired" in sentence for sentence in problems(check()[1]))

    deployment.sign("www.university.edu")
    assert any(f"not good for {NAME}" in sentence for sentence in problems(check()[1]))

    older = deployment.key.read_bytes()
    deployment.sign(NAME)
    deployment.key.write_bytes(older)
    assert any("is not the key of" in sentence for sentence in problems(check()[1]))

    deployment.key.write_text("no key at all")
    assert any("damaged" in sentence for sentence in problems(check()[1]))

    deployment.key.unlink()
    assert any(f"There is no {deployment.key}" in sentence for sentence in problems(check()[1]))


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (NAME, "hamlet.example.org", "still has the example's name"),
        ("listen 127.0.0.1:4430 ssl", "listen 127.0.0.1:4430", "ssl"),
        ('default ":4430";', 'default "";', 'set $hamlet_port to ":4430"'),
        (
            "upstream hamlet_rooms {",
            "upstream hamlet_rooms { server 127.0.0.1:8766;",
            "the members of a room live in one",
        ),
        ("# server 127.0.0.1:8766", "server 127.0.0.1:8766", "a run and its viewers live in one"),
    ],
)
def test_a_wrong_nginx_file_is_named(
    deployment: Deployment, check: Check, old: str, new: str, named: str
) -> None:
    deployment.replace(old, new)
    if "ssl" in old:
        deployment.replace("listen 127.0.0.1:4431 ssl", "listen 127.0.0.1:4431")
    code, rows = check()
    assert code == 1
    assert any(named in sentence for sentence in problems(rows)), rows


def test_nginx_itself_is_asked(deployment: Deployment, check: Check) -> None:
    if not shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin"):
        left_out("needs nginx: scripts/install_nginx.sh")
    assert ("fine", "nginx", "nginx accepts the file.") in check()[1]
    deployment.replace("gzip_vary       on;", "gzip_varies on;")
    code, rows = check()
    assert code == 1
    assert any("gzip_varies" in sentence and "misspelt" in sentence for sentence in problems(rows))


def test_files_that_cannot_be_read_are_one_sentence(hamlet_here: Hamlet, tmp_path: Path) -> None:
    broken = tmp_path / "broken.conf"
    broken.write_text("server { listen 443 ssl;")
    settings = tmp_path / "settings.env"
    settings.write_text("HAMLET_PORT 8765\n")
    for arguments, named in (
        (["--env", str(tmp_path / "absent")], "cannot be read"),
        (["--env", str(settings)], "line 1"),
        (["--unit", str(tmp_path / "absent@8765.service")], "absent@.service cannot be read"),
        (["--nginx", str(tmp_path / "absent")], "cannot be read"),
        (["--nginx", str(broken)], "not closed"),
    ):
        done = hamlet_here("deploy", "check", *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("hamlet: ")
        assert len(done.stderr.splitlines()) == 1
        assert named in done.stderr


def test_it_answers_without_the_libraries_of_a_server() -> None:
    """So that it can be asked before every restart."""
    code = "import sys; from hamlet_trio.cli import app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
