"""Set Hamlet up and start it: `python start.py`, on any system with Python 3.11 or newer.

The first start makes a virtual environment in .venv with the versions that constraints.txt pins, builds the
page and compiles the world's kernel. That takes a few minutes; later starts need no network.

    python start.py               install what running needs, then serve on http://localhost:8765
    python start.py install       install what running needs, and stop there
    python start.py install dev   install what developing and testing need
    python start.py --torch cpu   take the build of torch without CUDA (for Linux without an NVIDIA GPU)

`make run` and `make install` call it. It uses the standard library alone: it runs before anything is there.
"""

from __future__ import annotations  # so that an older Python reads far enough to be told

import argparse
import hashlib
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / ".installed"
# What each set installs, beside the package itself; "dev" includes all that "run" does.
EXTRAS = {"run": "film,client", "dev": "dev"}
OLDEST = (3, 11)


def python() -> Path:
    """Return the path of the virtual environment's Python."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def fingerprint() -> str:
    """Return a hash of the files that decide what is installed."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def installed() -> set[str]:
    """Return the sets that are installed as pyproject.toml and constraints.txt have them now."""
    try:
        stamp = json.loads(STAMP.read_text())
        return set(stamp["sets"]) if stamp["fingerprint"] == fingerprint() else set()
    except (OSError, ValueError, TypeError, KeyError):
        return set()


def install(wanted: str, torch: str | None) -> None:
    """Install a set into the virtual environment, unless it is there already.

    Raises `subprocess.CalledProcessError` where pip fails; its own output has said why.
    """
    present = installed()
    if wanted in present or "dev" in present:
        return
    print(f"Setting up {VENV} (once; a few minutes on a slow connection) ...", flush=True)
    if not python().exists():
        venv.create(VENV, with_pip=True)
    constraints = ("--constraint", str(ROOT / "constraints.txt"))
    # What is never imported need not be compiled.
    pip = (str(python()), "-m", "pip", "install", "--disable-pip-version-check", "--no-compile", *constraints)
    if torch is not None:
        # uv knows where each build of torch is to be had; pip then finds it installed.
        subprocess.run([*pip, "uv"], check=True)
        uv = (str(python()), "-m", "uv", "pip", "install", "--python", str(python()), *constraints)
        subprocess.run([*uv, "--torch-backend", torch, "torch"], check=True)
    subprocess.run([*pip, "--editable", f"{ROOT}[{EXTRAS[wanted]}]"], check=True, cwd=ROOT)
    STAMP.write_text(json.dumps({"fingerprint": fingerprint(), "sets": sorted({*present, wanted})}))


def build() -> None:
    """Build the page and compile the kernel where they are not up to date; each says why it is left out."""
    subprocess.run([str(python()), str(ROOT / "frontend" / "tooling.py"), "build"], check=True)
    subprocess.run([str(python()), "-m", "hamlet_trio.world.kernel_build"], check=True, cwd=ROOT)


def serve() -> int:
    """Start the metaserver in place of this process, or beside it on Windows; return its exit code."""
    command = [str(python()), str(ROOT / "demo_metaserver.py")]
    if os.name != "nt":
        os.execv(command[0], command)  # noqa: S606 - so that signals reach the server itself
    return subprocess.run(command, check=False).returncode


def failed(sentence: str) -> int:
    """Say on standard error what went wrong; return the exit code of a failure."""
    print(sentence, file=sys.stderr)
    return 1


def main() -> int:
    """Carry out the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Set Hamlet up and start it.")
    parser.add_argument("task", nargs="?", choices=("serve", "install"), default="serve")
    parser.add_argument("set", nargs="?", choices=tuple(EXTRAS), default="run", help="what to install")
    parser.add_argument(
        "--torch", choices=("auto", "cpu"), help="the build of torch; pip's choice if left out"
    )
    arguments = parser.parse_args()
    if sys.version_info < OLDEST:
        found = f"{sys.version_info[0]}.{sys.version_info[1]}"
        return failed(f"Hamlet needs Python 3.11 or newer; this is {found}. Name one: python3.12 start.py")
    try:
        install(arguments.set, arguments.torch)
        if arguments.task == "install":
            return 0
        build()
    except subprocess.CalledProcessError as error:
        command = " ".join((Path(error.cmd[0]).name, *error.cmd[1:4]))
        return failed(f"Hamlet was not set up: `{command} ...` failed; its output above says why.")
    except OSError as error:
        return failed(f"Hamlet was not set up: {error}.")
    return serve()


if __name__ == "__main__":
    sys.exit(main())
