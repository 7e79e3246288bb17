"""Describe the machine that measures, and divide its cores."""

import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil
from msgspec import Struct

PACKAGES: Final = ("hamlet-trio", "torch", "numpy", "trio", "hypercorn")


class Machine(Struct, frozen=True, kw_only=True):
    """Describe everything about the machine that figures depend on, and nothing that identifies it."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    versions: dict[str, str]


def this_machine() -> Machine:
    """Describe this machine."""
    return Machine(
        processor=_processor(),
        cores=len(usable_cores()),
        memory_gb=round(psutil.virtual_memory().total / 2**30, 1),
        system=f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}, {platform.machine()}",
        versions={"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
    )


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def usable_cores() -> list[int]:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


class Cores(Struct, frozen=True):
    """Divide the cores: the server under test has one to itself, the load has the others."""

    server: int
    others: tuple[int, ...]


def divide_cores() -> Cores:
    """Give the first core to the server; with only one, everything shares it."""
    first, *rest = usable_cores()
    return Cores(first, tuple(rest) or (first,))


def pin(process: int, cores: Iterable[int]) -> None:
    """Pin a process (0: this one), its threads and its future children to these cores.

    Does nothing on systems that cannot.
    """
    if hasattr(os, "sched_setaffinity"):
        tasks = Path(f"/proc/{process or os.getpid()}/task")
        # A thread that is there already would stay where it is.
        threads = [int(thread.name) for thread in tasks.iterdir()] if tasks.is_dir() else [process]
        for thread in threads:
            os.sched_setaffinity(thread, cores)
