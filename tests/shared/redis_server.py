"""A real redis-server of one's own, on a free port, that can be stopped, frozen and killed."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.needs import left_out
from tests.patience import PATIENCE
from tests.ports import free_port

PROGRAM = "redis-server"


def require_redis() -> None:
    """Leave a test out where there is no redis-server; fail it where everything must be there."""
    if not shutil.which(PROGRAM):
        left_out("needs redis-server: apt-get install redis-server")


class RedisServer:
    """One server process; it keeps its data over a restart as the shipped configuration does."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [PROGRAM, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction", *self._options]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while self.ask("PING") != b"+PONG\r\n":
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.01)

    def ask(self, *words: str) -> bytes:
        """Send a command, return the beginning of the answer; empty if nobody listens."""
        request = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        try:
            with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as client:
                client.sendall(request.encode())
                return client.recv(65_536)
        except OSError:
            return b""

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, such as SIGSTOP."""
        assert self._process is not None
        self._process.send_signal(number)

    def mend(self) -> None:
        """Have it running, whatever has been done to it."""
        if self._process is None:
            self.start()
        else:
            self.signal(signal.SIGCONT)

    def end(self) -> None:
        """Kill it, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def forget(self) -> None:
        """Remove its data while it does not run."""
        shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)


@contextmanager
def running_redis(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Start a server, and kill it in the end."""
    require_redis()
    server = RedisServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.end()
