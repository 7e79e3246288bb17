"""A classroom's network out of namespaces: a server that is also the router, and two pupils."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.needs import left_out


def ip(*arguments: str) -> None:
    """Carry out an `ip` command; raises `OSError` or `CalledProcessError` where that is not possible."""
    subprocess.run(["ip", *arguments], capture_output=True, check=True)


class Network:
    """One or two segments, the server in each of them, and two pupils on cables of their own."""

    def __init__(self, *, segments: int, routed: bool) -> None:
        name = f"h{os.getpid()}"
        self.server: Final = f"{name}s"
        self.pupils: Final = {"pupil-a": f"{name}a", "pupil-b": f"{name}b"}
        self._segments = segments
        self._routed = routed

    def begin(self) -> None:
        """Make it; raises as `ip` does."""
        for space in (self.server, *self.pupils.values()):
            ip("netns", "add", space)
            ip("-n", space, "link", "set", "lo", "up")
        self.do(self.server, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        for number in range(self._segments):
            ip("-n", self.server, "link", "add", f"br{number}", "type", "bridge")
            ip("-n", self.server, "addr", "add", f"{self.address(number)}/24", "dev", f"br{number}")
            ip("-n", self.server, "link", "set", f"br{number}", "up")
        for number, (pupil, space) in enumerate(self.pupils.items()):
            segment = min(number, self._segments - 1)
            ip(
                "-n",
                self.server,
                "link",
                "add",
                pupil,
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                space,
            )
            ip("-n", self.server, "link", "set", pupil, "master", f"br{segment}", "up")
            ip("-n", space, "addr", "add", f"10.213.{8 + segment}.{10 + number}/24", "dev", "eth0")
            ip("-n", space, "link", "set", "eth0", "up")
            if self._routed:
                ip("-n", space, "route", "add", "default", "via", self.address(segment))

    def end(self) -> None:
        """Remove it, as far as it was made."""
        for space in (self.server, *self.pupils.values()):
            with suppress(subprocess.CalledProcessError):
                ip("netns", "del", space)

    def address(self, segment: int) -> str:
        """Return the server's address in a segment."""
        return f"10.213.{8 + segment}.1"

    def seen_by(self, pupil: str) -> str:
        """Return the server's address in the segment of a pupil."""
        return self.address(min(list(self.pupils).index(pupil), self._segments - 1))

    def part(self, *, apart: bool) -> None:
        """Cut the pupils off from each other, not from the server, or join them again."""
        for pupil in self.pupils:
            ip(
                "-n",
                self.server,
                "link",
                "set",
                pupil,
                "type",
                "bridge_slave",
                "isolated",
                "on" if apart else "off",
            )

    def do(self, space: str, *command: str) -> None:
        """Run a command in a namespace."""
        subprocess.run(["ip", "netns", "exec", space, *command], capture_output=True, check=True)

    def wrapped(self, pupil: str, program: str, folder: Path) -> Path:
        """Return a program that is another one, in a pupil's namespace."""
        wrapper = folder / f"chromium-{pupil}"
        wrapper.write_text(f'#!/bin/sh\nexec ip netns exec {self.pupils[pupil]} {program} "$@"\n')
        wrapper.chmod(0o755)
        return wrapper


@contextmanager
def network(*, segments: int = 1, routed: bool = True) -> Iterator[Network]:
    """Make a network, and remove it in the end; without root on Linux the test is left out."""
    made = Network(segments=segments, routed=routed)
    try:
        try:
            made.begin()
        except (OSError, subprocess.CalledProcessError) as error:
            left_out(f"needs root on Linux, with iproute2, to make network namespaces: {error}")
        yield made
    finally:
        made.end()
