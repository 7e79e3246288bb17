"""The shipped nginx file in front of servers: only its names, ports and paths are another's."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trustme

from tests.e2e.conftest import ROOT
from tests.patience import PATIENCE
from tests.ports import free_port

NAME: Final = "hamlet.example.org"
SHIPPED: Final = ROOT / "deploy" / "nginx.conf"
_NOBODY: Final = 65534

MAIN: Final = """
worker_processes 2;
worker_rlimit_nofile 4096;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/hamlet.conf;
}}
"""


def substituted(text: str, places: dict[str, str]) -> str:
    """The text with these replaced; each must be there, so that a changed file is noticed."""
    for old, new in places.items():
        assert old in text, f"deploy/nginx.conf no longer has {old!r}"
        text = text.replace(old, new)
    return text


@dataclass
class Proxy:
    """A running nginx: its ports, its folder, and the authority that its clients trust."""

    folder: Path
    authority: trustme.CA
    port: int
    plain_port: int
    name: str = NAME

    def certify(self, folder: Path) -> None:
        """Write the certificate and its key into a folder."""
        certificate = self.authority.issue_cert(self.name)
        certificate.private_key_pem.write_to_path(folder / "privkey.pem")
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(folder / "fullchain.pem", append=True)

    def file(self, instances: tuple[int, int], *, shares_run: bool = False) -> str:
        """The shipped file with other ports and paths; without Redis, as it says, one instance trains."""
        places = {
            "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
            "listen [::]:80;": f"listen [::1]:{self.plain_port};",
            "listen 443 ": f"listen 127.0.0.1:{self.port} ",
            "listen [::]:443 ": f"listen [::1]:{self.port} ",
            "server 127.0.0.1:8765 ": f"server 127.0.0.1:{instances[0]} ",
            "server 127.0.0.1:8766 ": f"server 127.0.0.1:{instances[1]} ",
            "/var/www/html": f"{self.folder}/acme",
            '$hamlet_port {\n    default "";': f'$hamlet_port {{\n    default ":{self.port}";',
            "/var/log/nginx/": f"{self.folder}/",
        }
        text = SHIPPED.read_text(encoding="utf-8")
        if not shares_run:
            before, name, after = text.partition("upstream hamlet_training {")
            text = (
                before + name + after.replace("    server 127.0.0.1:8766 ", "    # server 127.0.0.1:8766 ", 2)
            )
        if not has_ipv6():
            places |= dict.fromkeys(re.findall(r"^ *listen \[::\].*\n", text, re.M), "")
        return substituted(text, places)

    def log(self) -> str:
        """What it wrote into its error log."""
        path = self.folder / "error.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def has_ipv6() -> bool:
    """Whether this machine can listen on ::1."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@contextmanager
def running_nginx(
    authority: trustme.CA,
    instances: tuple[int, int],
    port: int | None = None,
    *,
    shares_run: bool = False,
) -> Iterator[Proxy]:
    """Start nginx in front of the instances, on this port or a free one."""
    # Not pytest's folder: that is closed to the user whom nginx runs as.
    folder = Path(tempfile.mkdtemp(prefix="hamlet-nginx-"))
    try:
        proxy = Proxy(folder, authority, port or free_port(), free_port())
        proxy.certify(folder)
        text = substituted(
            proxy.file(instances, shares_run=shares_run), {f"/etc/letsencrypt/live/{NAME}/": f"{folder}/"}
        )
        (folder / "hamlet.conf").write_text(text, encoding="utf-8")
        with started(proxy):
            yield proxy
    finally:
        shutil.rmtree(folder)


@contextmanager
def started(proxy: Proxy) -> Iterator[None]:
    """Run nginx, without any privilege, with the file `hamlet.conf` in its folder."""
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    assert program is not None
    folder = proxy.folder
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder), encoding="utf-8")
    as_nobody = {"user": _NOBODY, "group": _NOBODY} if os.geteuid() == 0 else {}
    if as_nobody:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, _NOBODY, _NOBODY)
    command = [program, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf", "-p", f"{folder}/"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, **as_nobody)  # type: ignore[call-overload]
    try:
        _wait_for(proxy.port, process, proxy)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", proxy: Proxy) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert process.poll() is None, f"nginx ended:\n{proxy.log()}"
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"nginx did not listen:\n{proxy.log()}")
