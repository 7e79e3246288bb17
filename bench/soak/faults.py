"""Inject faults, each once when called; a fault varies by its seed alone."""

import json
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

import trio

from bench import REPOSITORY
from bench.soak.subject import HALF_OPEN, STALLED, Subject
from tests.web.killers import KILLERS, send_killer
from tests.web.wire import BINARY, CLOSE, CONTINUATION, PING, TEXT, Client, frame, handshake

PATHS: Final = ("/ws", "/ws/training")
_GONE = (EOFError, OSError, trio.BrokenResourceError, trio.TooSlowError, AssertionError)

Fault = Callable[[Subject, random.Random], Awaitable[None]]


async def garbage_bytes(subject: Subject, rng: random.Random) -> None:
    """Send bytes that are no request, or half of one."""
    beginnings = (
        b"",
        b"GET / HTTP/1.1\r\n",
        handshake()[:60],
        b"\x16\x03\x01\x02\x00",
        b"PRI * HTTP/2.0\r\n\r\n",
    )
    await _write(subject, [rng.choice(beginnings) + rng.randbytes(rng.randrange(2000))])


async def killer_request(subject: Subject, rng: random.Random) -> None:
    """Send one of the requests that end a bare Hypercorn process."""
    name = rng.choice(list(KILLERS))
    stream = await trio.open_tcp_stream("127.0.0.1", subject.port)
    try:
        await send_killer(Client(stream), name)
    except _GONE:
        pass
    finally:
        await trio.aclose_forcefully(stream)


async def garbage_frames(subject: Subject, rng: random.Random) -> None:
    """Send arbitrary frames (masked or not, fragments, too long) after a valid handshake."""
    frames = []
    for _ in range(rng.randrange(1, 40)):
        opcode = rng.choice((TEXT, TEXT, TEXT, BINARY, CONTINUATION, PING, CLOSE, 3, 11))
        size = rng.choice((0, 1, 20, 125, 126, 3000, 70_000))
        payload = rng.randbytes(size) if rng.random() < 0.5 else _odd_command(rng).encode()
        frames.append(frame(opcode, payload, fin=rng.random() < 0.8, mask=rng.random() < 0.9))
    await _write(subject, frames, path=rng.choice(PATHS))


async def odd_commands(subject: Subject, rng: random.Random) -> None:
    """Send many messages that are nearly commands, faster than allowed."""
    frames = [frame(TEXT, _odd_command(rng).encode()) for _ in range(rng.randrange(50, 1500))]
    await _write(subject, frames, path=rng.choice(PATHS))


async def slow_client(subject: Subject, rng: random.Random) -> None:
    """Play fast and never read."""
    tiny = trio.socket.socket()
    tiny.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await tiny.connect(("127.0.0.1", subject.port))
    stream = trio.SocketStream(tiny)
    try:
        client = Client(stream)
        await client.open_websocket(rng.choice(PATHS))
        await client.send(frame(TEXT, b'{"command":"set_speed","speed":10}'))
        await client.send(frame(TEXT, b'{"command":"set_view","q_values":true}'))
        await client.send(frame(TEXT, b'{"command":"play"}'))
        await trio.sleep(STALLED + rng.uniform(-2, 6))
    except _GONE:
        pass
    finally:
        await trio.aclose_forcefully(stream)


async def trickle(subject: Subject, rng: random.Random) -> None:
    """Send a handshake one byte at a time and stop before its end."""
    stream = await trio.open_tcp_stream("127.0.0.1", subject.port)
    try:
        sent = handshake(rng.choice(PATHS))
        for byte in sent[: rng.randrange(5, len(sent))]:
            await stream.send_all(bytes([byte]))
            await trio.sleep(0.02)
        await trio.sleep(rng.uniform(0, 5))
    except _GONE:
        pass
    finally:
        await trio.aclose_forcefully(stream)


async def trainer_kill(subject: Subject, rng: random.Random) -> None:
    """Kill the trainer with SIGKILL, as a system out of memory does."""
    for trainer in subject.trainers():
        trainer.kill()


async def disk_full(subject: Subject, rng: random.Random) -> None:
    """Fill the disk for some seconds."""
    await trio.to_thread.run_sync(subject.fill_disk)
    try:
        await trio.sleep(rng.uniform(2, 6))
    finally:
        subject.free_disk()


async def clock_jump(subject: Subject, rng: random.Random) -> None:
    """Move the clock by a second, an hour or a year, forwards or back."""
    subject.set_clock(rng.choice((-1, 1)) * rng.choice((1, 3600, 86_400 * 365)))


_VANISHING: Final = """
import socket, sys
from tests.web.wire import TEXT, frame, handshake
clients = []
for path in sys.argv[3:]:
    client = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    client.sendall(handshake(path))
    assert b"101" in client.recv(100)
    client.sendall(frame(TEXT, b'{"command":"play"}'))
    clients.append(client)
print("there", flush=True)
sys.stdin.read()
"""


class Link:
    """Represent a network link to a namespace of its own, which can be cut."""

    server_address: Final = "10.213.9.1"

    def __init__(self) -> None:
        self.name = f"hsoak{os.getpid()}"
        self._here, self._there = f"sa{os.getpid()}", f"sb{os.getpid()}"
        self._busy = trio.Lock()

    def make(self) -> bool:
        """Make the link; return whether that worked, which takes root and Linux."""
        inside = ("netns", "exec", self.name, "ip")
        steps = [
            ("netns", "add", self.name),
            ("link", "add", self._here, "type", "veth", "peer", "name", self._there),
            ("link", "set", self._there, "netns", self.name),
            ("addr", "add", f"{self.server_address}/30", "dev", self._here),
            ("link", "set", self._here, "up"),
            (*inside, "addr", "add", "10.213.9.2/30", "dev", self._there),
            (*inside, "link", "set", self._there, "up"),
        ]
        return shutil.which("ip") is not None and all(_ip(*step) for step in steps)

    def remove(self) -> None:
        """Remove the link."""
        _ip("link", "del", self._here)
        _ip("netns", "del", self.name)

    async def half_open(self, subject: Subject, rng: random.Random) -> None:
        """Cut the link of clients of both endpoints, so that they vanish without a word."""
        paths = [rng.choice(PATHS) for _ in range(rng.randrange(1, 6))]
        command = ["ip", "netns", "exec", self.name, sys.executable, "-c", _VANISHING]
        async with self._busy:
            process = await trio.lowlevel.open_process(
                [*command, self.server_address, str(subject.port), *paths],
                cwd=REPOSITORY,
                env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            inside = ("netns", "exec", self.name, "ip", "link", "set", self._there)
            try:
                assert process.stdout is not None
                await process.stdout.receive_some()
                await trio.to_thread.run_sync(_ip, *inside, "down")
                await trio.sleep(HALF_OPEN + rng.uniform(0, 4))
            finally:
                process.kill()
                with trio.CancelScope(shield=True):
                    await process.wait()
                _ip(*inside, "up")
                for pipe in (process.stdin, process.stdout):
                    if pipe is not None:
                        await trio.aclose_forcefully(pipe)


def _ip(*arguments: str) -> bool:
    done = subprocess.run(["ip", *arguments], capture_output=True, check=False)  # noqa: S603, S607
    return done.returncode == 0


@contextmanager
def injectable(subject: Subject) -> Iterator[dict[str, tuple[Fault, float]]]:
    """Return every fault that this machine allows, with its rate a minute; the others are in `left_out`."""
    faults: dict[str, tuple[Fault, float]] = {
        "garbage bytes": (garbage_bytes, 20),
        "killer request": (killer_request, 12),
        "garbage frames": (garbage_frames, 20),
        "odd commands": (odd_commands, 10),
        "slow client": (slow_client, 10),
        "trickled handshake": (trickle, 10),
        "trainer kill": (trainer_kill, 4),
        "disk full": (disk_full, 3),
        "clock jump": (clock_jump, 6),
    }
    link = Link()
    made = link.make()
    if made:
        faults["half-open clients"] = (link.half_open, 6)
    else:
        subject.left_out["half-open clients"] = "a network namespace can only be made as root, on Linux"
    try:
        yield {name: fault for name, fault in faults.items() if name not in subject.left_out}
    finally:
        link.remove()


def _odd_command(rng: random.Random) -> str:
    """Return JSON that is nearly a command."""
    # No command that would stop the class's run: those are not errors but orders, which anybody may give.
    commands = ("play", "step", "reset", "set_speed", "load_model", "act", "take_control", "dance", "", 7)
    values: tuple[object, ...] = (
        None,
        True,
        -1,
        1e308,
        10**30,
        "",
        "../../etc/passwd",
        "x" * 300,
        [],
        {},
        "\ud800",
    )
    message: dict[str, object] = {"command": rng.choice(commands)}
    for name in ("speed", "model", "action", "q_values", "type", "extra"):
        if rng.random() < 0.4:
            message[name] = rng.choice(values)
    text = json.dumps(message)
    return (
        text if rng.random() < 0.8 else text[: rng.randrange(len(text))] + rng.choice(("", "NaN", "}", "\0"))
    )


async def _write(subject: Subject, parts: list[bytes], *, path: str | None = None) -> None:
    """Write the data, read for a moment and disconnect; the server may close at any time."""
    stream = await trio.open_tcp_stream("127.0.0.1", subject.port)
    try:
        client = Client(stream)
        if path is not None:
            await client.open_websocket(path)
        with trio.move_on_after(3):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.read_eof)
                for part in parts:
                    await client.send(part)
    except* _GONE:
        pass
    finally:
        await trio.aclose_forcefully(stream)
