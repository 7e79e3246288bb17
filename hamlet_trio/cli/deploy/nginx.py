"""Check that the nginx file fits the settings and that nginx itself accepts it."""

import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from hamlet_trio.cli.deploy.certificate import check_certificate
from hamlet_trio.cli.deploy.findings import Finding, fine, problem, unchecked, warning
from hamlet_trio.cli.deploy.nginx_file import Directive, read_nginx_file
from hamlet_trio.settings import Settings

EXAMPLE: Final = "hamlet.example.org"
_PATIENCE: Final = 30.0
_RUN: Final = "/ws/training"
_SINGLE: Final = {
    _RUN: "a run and its viewers",
    "/ws/room": "the members of a room",
}
"""Paths that must go to one instance, and what lives there together."""
_MAIN_FILE: Final = Path("/etc/nginx/nginx.conf")


def check_nginx(path: Path, settings: Settings | None) -> Iterator[Finding]:
    """Check the file's names, certificate and instances, then ask nginx."""
    root = read_nginx_file(path)
    servers = [server for server in root.all("server") if server.block]
    encrypted = [s for s in servers if any("ssl" in listen.arguments for listen in s.all("listen"))]
    if not encrypted:
        yield problem("nginx", f"No server in {path} listens with `ssl`, so nothing would be encrypted.")
    for server in encrypted:
        yield from _check_server(server, settings)
        yield from _check_port(root, server)
        yield from _check_sign_on(server, settings)
    yield from _check_instances(root, settings)
    yield from _check_room(root, settings)
    yield from _ask_nginx(path, root)


def _check_server(server: Directive, settings: Settings | None) -> Iterator[Finding]:
    names = [name for directive in server.all("server_name") for name in directive.arguments]
    names = [name for name in names if re.fullmatch(r"[\w-]+(\.[\w-]+)*", name) and name != "_"]
    if EXAMPLE in names:
        yield problem("names", f"The file still has the example's name, {EXAMPLE}; put in yours.")
    certificate, key = server.first("ssl_certificate"), server.first("ssl_certificate_key")
    if certificate is None or key is None:
        yield problem("certificate", "A server with `ssl` has no ssl_certificate or no ssl_certificate_key.")
    else:
        yield from check_certificate(Path(certificate), Path(key), names)
    if settings is None or settings.profile != "production":
        return
    hosts = {urlsplit(origin).hostname for origin in settings.allowed_origins if origin.startswith("https:")}
    for name in sorted(set(names) - hosts):
        yield problem(
            "origins",
            f"Pages from https://{name} would be refused; add it to HAMLET_ALLOWED_ORIGINS, which has "
            f"{', '.join(settings.allowed_origins) or 'nothing'}.",
        )


def _check_port(root: Directive, server: Directive) -> Iterator[Finding]:
    """Check that redirects lead to the port that the server listens on."""
    listens = [listen.arguments for listen in server.all("listen") if "ssl" in listen.arguments]
    ports = {arguments[0].rpartition(":")[2] for arguments in listens}
    known = {m.arguments[1]: m.first("default") or "" for m in root.all("map") if len(m.arguments) > 1}
    for target in {d.arguments[-1] for d in root.all("return") if d.arguments}:
        if "443" in ports or not target.startswith("https:"):
            continue
        filled = functools.reduce(lambda text, name: text.replace(name, known[name]), known, target)
        if not any(f":{port}" in filled for port in ports):
            yield problem(
                "ports",
                f"The redirect to {target} leads to port 443, where no server listens; set $hamlet_port to "
                f'":{min(ports)}".',
            )


def _check_sign_on(server: Directive, settings: Settings | None) -> Iterator[Finding]:
    """Check that nginx sets or clears the single sign-on header in every request."""
    header = "" if settings is None else settings.trusted_user_header
    if not header:
        return
    written = {d.arguments[0].lower() for d in server.block if d.name == "proxy_set_header" and d.arguments}
    if header.lower() in written:
        yield fine("sign-on", f"nginx itself sets {header}.")
    else:
        yield problem(
            "sign-on",
            f"Clients could send {header} themselves and impersonate anybody; set or clear it for the whole "
            f'server: proxy_set_header {header} "";',
        )


def _check_instances(root: Directive, settings: Settings | None) -> Iterator[Finding]:
    upstreams = {
        directive.arguments[0]: [
            s.arguments[0] for s in directive.block if s.name == "server" and s.arguments
        ]
        for directive in root.all("upstream")
        if directive.arguments
    }
    passed = {
        d.arguments[0].removeprefix("http://").rstrip("/") for d in root.all("proxy_pass") if d.arguments
    }
    instances = {server for name in passed for server in upstreams.get(name, [name])}
    if not instances:
        yield problem("instances", "Nothing is passed on to an instance; there is no proxy_pass.")
    for location in root.all("location"):
        path = location.arguments[-1] if location.arguments else ""
        name = (location.first("proxy_pass") or "").removeprefix("http://")
        if path in _SINGLE:
            yield from _check_spread(path, name, upstreams.get(name, [name]), instances, settings)
    if settings is None or not instances:
        return
    ports = {server.rpartition(":")[2] for server in instances}
    if str(settings.port) in ports:
        yield fine("instances", f"Requests go to {', '.join(sorted(instances))}.")
    else:
        yield problem(
            "instances",
            f"Requests go to {', '.join(sorted(instances))}, but these settings listen on port "
            f"{settings.port}; change HAMLET_PORT or the upstream.",
        )


def _check_spread(
    path: str, name: str, servers: list[str], instances: set[str], settings: Settings | None
) -> Iterator[Finding]:
    """Check that what lives in one instance goes to one; with Redis runs and rooms are at all of them."""
    shared = "Redis and one data folder" if path == _RUN else "Redis"
    if settings is not None and settings.redis_url:
        if missing := sorted(instances - set(servers)):
            kept = "a run" if path == _RUN else "the rooms"
            yield warning(
                "instances",
                f"{path} does not go to {', '.join(missing)}, which would go on with {kept}; with {shared}, "
                f"name every instance in upstream {name}.",
            )
    elif len(servers) > 1:
        yield problem(
            "instances",
            f"{path} is spread over {len(servers)} instances, but {_SINGLE[path]} live in one; leave one "
            f"`server` in upstream {name}, or let the instances share {shared}.",
        )


def _check_room(root: Directive, settings: Settings | None) -> Iterator[Finding]:
    """Check that nginx may hold as many connections as the server needs: two for each session."""
    main = root if any(root.all("events")) else _main_file()
    if main is None or settings is None:
        return
    given = [d.arguments[0] for d in main.all("worker_connections") if d.arguments]
    room = int(given[0]) if given and given[0].isdecimal() else 512
    workers = [d.arguments[0] for d in main.all("worker_processes") if d.arguments]
    count = int(workers[0]) if workers and workers[0].isdecimal() else (os.cpu_count() or 1) if workers else 1
    wanted = 2 * (settings.max_sessions + settings.max_viewers)
    if room * count < wanted:
        yield warning(
            "room",
            f"nginx may hold {room * count} connections ({room} in each of {count} workers), but all "
            f"sessions and viewers need {wanted}; raise worker_connections in {_MAIN_FILE}, or lower "
            "HAMLET_MAX_SESSIONS and HAMLET_MAX_VIEWERS.",
        )


def _main_file() -> Directive | None:
    return read_nginx_file(_MAIN_FILE) if os.access(_MAIN_FILE, os.R_OK) else None


def _ask_nginx(path: Path, root: Directive) -> Iterator[Finding]:
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        yield unchecked("nginx", "nginx is not installed here, so it was not asked; apt-get install nginx.")
        return
    with tempfile.TemporaryDirectory() as folder:
        if any(root.all("events")):
            main = path.absolute()
        else:
            # A file of conf.d is included within `http` of the main file, which is not what is checked here.
            main = Path(folder) / "nginx.conf"
            temporary = "".join(
                f"{kind}_temp_path {folder}/{kind};"
                for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            )
            main.write_text(
                f"pid {folder}/pid; error_log stderr; events {{}}\n"
                f"http {{ access_log off; {temporary} include {_quoted(path.absolute())}; }}\n",
                encoding="utf-8",
            )
        done = subprocess.run(  # noqa: S603  # nginx, with a file that an administrator names
            [program, "-t", "-q", "-e", "stderr", "-p", f"{folder}/", "-c", str(main)],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    if done.returncode == 0:
        yield fine("nginx", "nginx accepts the file.")
        return
    for line in done.stderr.splitlines():
        if (found := re.search(r"\[emerg\] (?:\d+#\d+: )?(.*)", line)) is not None:
            yield problem("nginx", _advice(found[1]))


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _advice(complaint: str) -> str:
    """Return nginx's complaint with advice where a remedy is known."""
    if "Permission denied" in complaint and os.geteuid() != 0:
        return f"nginx says: {complaint}. Run this as root, as nginx starts."
    if "No such file or directory" in complaint:
        return f"nginx says: {complaint}. Make it, or correct the path."
    if "unknown directive" in complaint or "invalid parameter" in complaint:
        return f"nginx says: {complaint}. It is misspelt, or this nginx lacks the module."
    if "duplicate" in complaint:
        return f"nginx says: {complaint}. The file is included twice, or another one has the same."
    return f"nginx says: {complaint}."
