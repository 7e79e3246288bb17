"""Compile kernel.c with the C compiler found; standard library only, because the build hook uses it.

`python -m hamlet_trio.world.kernel_build` compiles it unless that is done. Without a compiler, or with
one that fails, the kernel is left out and the reason is said: worlds are then stepped by numpy, to the same
results. With HAMLET_REQUIRE_ALL=1 leaving out is a failure.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("kernel.c")

# No contraction and no fast mathematics: results are those of numpy to the last bit. Not to keep the order in
# which exceptions are flagged, which nobody reads, changes no result. And nothing that only this machine's
# processor has, because a wheel may go elsewhere.
FLAGS: Final = (
    "-std=c99",
    "-O3",
    "-ffp-contract=off",
    "-fno-trapping-math",
    "-fvisibility=hidden",
    "-shared",
    "-Wall",
    "-Wextra",
)


class KernelError(Exception):
    """The kernel could not be compiled; the message says why."""


def library() -> Path:
    """Return the path of the library built from this source for this kind of machine.

    A library of other sources or another machine has another name, so that it is never loaded.
    """
    digest = hashlib.sha256(SOURCE.read_bytes() + " ".join(FLAGS).encode()).hexdigest()[:16]
    ending = "dll" if sys.platform == "win32" else "so"
    return SOURCE.with_name(f"kernel-{sysconfig.get_platform()}-{digest}.{ending}")


def find_compiler() -> list[str] | None:
    """Return the command that CC names, else the first of cc, gcc and clang on PATH."""
    if named := shlex.split(os.environ.get("CC", "")):
        return named if shutil.which(named[0]) else None
    return next(([name] for name in ("cc", "gcc", "clang") if shutil.which(name)), None)


def build() -> bool:
    """Compile the kernel unless it is up to date and remove older libraries; return whether it was compiled.

    Raises:
        KernelError: when there is no compiler, or it fails, or there is no place for what it makes.
    """
    made = library()
    if made.is_file():
        return False
    try:
        _compile(made)
    except (OSError, ValueError) as error:  # no program that runs here, a CC that is no command, no room
        raise KernelError(f"it cannot be compiled: {error}") from error
    for older in made.parent.glob(f"kernel-{sysconfig.get_platform()}-*{made.suffix}"):
        if older != made:
            older.unlink(missing_ok=True)
    return True


def _compile(made: Path) -> None:
    compiler = find_compiler()
    if compiler is None:
        raise KernelError("it needs a C compiler: cc, gcc or clang on PATH, or another one named by CC")
    flags = FLAGS if sys.platform == "win32" else (*FLAGS, "-fPIC")
    # Beside its place, so that it moves there whole: another process may be looking for it.
    with tempfile.TemporaryDirectory(dir=made.parent, prefix=".kernel-") as folder:
        built = Path(folder) / made.name
        done = subprocess.run(
            [*compiler, *flags, "-o", str(built), str(SOURCE)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0 or not built.is_file():
            first, *_ = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            raise KernelError(f"{shlex.join(compiler)} failed: {first}")
        built.replace(made)


def main() -> int:
    """Compile the kernel, print the result and return the exit code."""
    try:
        if build():
            print(f"The world's kernel is compiled: {library().name}.")
    except KernelError as error:
        print(f"Left out the world's kernel: {error}. Worlds are stepped by numpy.", file=sys.stderr)
        return int(os.environ.get("HAMLET_REQUIRE_ALL") == "1")
    return 0


if __name__ == "__main__":
    sys.exit(main())
