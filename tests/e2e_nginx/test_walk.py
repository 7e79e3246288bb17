"""The steps of docs/deployment.md, from an empty machine to a site with a run on it.

They are run as they stand on the page, in a folder in place of `/`. Short scripts stand in for what a test
cannot have: packages, users, an authority's certificate, and systemd, whose unit's command the test runs.
"""

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from hamlet_trio.cli.deploy.unit import read_unit
from tests.docs.reading import fences
from tests.e2e.conftest import ROOT, Server
from tests.e2e_nginx.client import ask, connected
from tests.e2e_nginx.proxy import Proxy, started, substituted
from tests.ports import free_port

STAND_INS = {
    "sudo": 'exec "$@"',
    "apt-get": "",
    "useradd": "",
    "systemctl": "",
    "curl": "",
    # Ownership is for an administrator to give; here everything belongs to the user who runs the test.
    "install": """kept=()
while [ $# -gt 0 ]; do case $1 in -o|-g) shift 2;; *) kept+=("$1"); shift;; esac; done
exec /usr/bin/install "${kept[@]}\"""",
    "certbot": 'mkdir -p "$ROOT/etc/letsencrypt" && cp -r "$ROOT/live" "$ROOT/etc/letsencrypt/live"',
    "python3": 'mkdir -p "$3/bin" && cp "$ROOT/program/"* "$3/bin"',
}


class Machine:
    """An empty machine: a folder in place of `/`, and a copy of the sources' files that the steps use."""

    def __init__(self, root: Path, authority: trustme.CA) -> None:
        self.root = root
        self.name = "hamlet.example.edu"
        self.port = free_port()
        self.site = root / "etc" / "nginx" / "conf.d"
        self.proxy = Proxy(self.site, authority, free_port(), free_port(), self.name)
        for folder in (
            "etc/systemd/system",
            "etc/nginx/conf.d",
            f"live/{self.name}",
            "program",
            "stand-ins",
            "source",
        ):
            (root / folder).mkdir(parents=True)
        self.proxy.certify(root / "live" / self.name)
        self._write("program/pip", 'echo "$@" > "$ROOT/installed"')
        self._write("program/hamlet", f'exec {sys.executable} -m hamlet_trio.cli "$@"')
        for program, body in STAND_INS.items():
            self._write(f"stand-ins/{program}", body)
        source = root / "source"
        shutil.copytree(ROOT / "models", source / "models")
        (source / "deploy").mkdir()
        file = self.moved(self.proxy.file((self.port, 8766)))
        (source / "deploy" / "nginx.conf").write_text(file, encoding="utf-8")
        unit = (ROOT / "deploy" / "hamlet.service").read_text(encoding="utf-8")
        user = pwd.getpwuid(os.geteuid()).pw_name
        own = {"User=hamlet": f"User={user}", "PrivateTmp=yes": f"ReadWritePaths={root}"}
        own["Environment=HAMLET_PROFILE"] = f"Environment=HAMLET_PORT={self.port}\nEnvironment=HAMLET_PROFILE"
        (source / "deploy" / "hamlet.service").write_text(
            self.moved(substituted(unit, own)), encoding="utf-8"
        )

    def moved(self, text: str) -> str:
        """The text with paths of the machine in the folder."""
        return re.sub(r"(?<![\w./])/(?=(?:etc|opt|var/lib)/)", f"{self.root}/", text)

    def _write(self, name: str, body: str) -> None:
        path = self.root / name
        path.write_text(f"#!/bin/bash\nset -e\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def follow(self, script: str) -> str:
        """Run the steps; returns what they print."""
        environment = os.environ | {
            "PATH": f"{self.root}/stand-ins:{os.environ['PATH']}",
            "ROOT": str(self.root),
            "PYTHONPATH": str(ROOT),
            "NAME": self.name,
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.moved(script)],
            cwd=self.root / "source",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def machine(authority: trustme.CA, needs_nginx: None) -> Iterator[Machine]:
    """An empty one; not in pytest's folder, which is closed to the user whom nginx runs as."""
    root = Path(tempfile.mkdtemp(prefix="hamlet-machine-"))
    root.chmod(0o755)
    yield Machine(root, authority)
    shutil.rmtree(root)


def steps() -> str:
    """The commands of the section, in their order."""
    title = "## From an empty machine to a working site"
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    section = page.partition(f"{title}\n")[2].partition("\n## ")[0]
    assert section, title
    return "\n".join(f.body for f in fences("bash") if f.page == "deployment.md" and f.body in section)


async def test_the_steps_on_the_page_lead_to_a_working_site(machine: Machine) -> None:
    printed = machine.follow(steps())
    (token,) = re.findall(r"^hamlet_\S+$", printed, re.M)
    assert "A restart would work." in printed
    assert "problem" not in printed
    assert (machine.root / "installed").read_text().split() == [
        *("install", "--constraint", "constraints.txt", ".[film]"),
    ]
    unit = read_unit(machine.root / "etc" / "systemd" / "system" / "hamlet.service")
    variables = unit.variables | {"HAMLET_LOG_LEVEL": "info", "PYTHONPATH": str(ROOT)}
    server = Server(unit.command, variables)
    try:
        assert server.wait_for("listening")["port"] == machine.port
        server.wait_for("inference_ready")
        with started(machine.proxy):
            ready = await ask(machine.proxy, "GET /readyz")
            assert (ready.status, json.loads(ready.body)) == (200, {"status": "ready"})
            body = json.dumps({"secret": token})
            origin = f"https://{machine.name}"
            login = await ask(machine.proxy, "POST /api/login", body=body, origin=origin)
            assert json.loads(login.body)["role"] == "teacher"
            models = json.loads((await ask(machine.proxy, "GET /api/models")).body)["models"]
            assert "trained_agent.pt" in models
            async with connected(machine.proxy, "/ws/training", secret=token) as teacher:
                await teacher.send("start_training", num_episodes=1, max_steps=5, step_delay=0)
                await teacher.expect("training_complete")
    finally:
        server.end()
