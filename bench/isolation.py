"""Do playing sessions notice a training run? Frame gaps without and with one, in one run of one server.

Sessions play at speed 1 (10 frames a second); the training run uses the whole of another core, shows nothing
and has no delay. Beside the frames, `GET /` is asked four times a second. The load generator is this process.
"""

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

import trio
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from trio_websocket import WebSocketConnection, open_websocket_url

from bench import REPOSITORY
from bench.server import running_server


class Measurement:
    """Gaps between a session's frames and latencies of `GET /`, in milliseconds, while `recording`."""

    def __init__(self) -> None:
        self.recording = False
        self.gaps: list[float] = []
        self.frames = 0
        self.latencies: list[float] = []


async def watch(url: str, measurement: Measurement) -> None:
    """Play one session and note the gaps between its frames; waits between episodes do not count."""
    async with open_websocket_url(url) as socket:
        await socket.send_message(json.dumps({"command": "play"}))
        last: float | None = None
        while True:
            message = json.loads(await socket.get_message())
            now = time.perf_counter()
            if message["type"] == "state_update":
                if measurement.recording:
                    measurement.frames += 1
                    if last is not None:
                        measurement.gaps.append((now - last) * 1e3)
                last = None if message["done"] else now


async def ask_status(port: int, measurement: Measurement) -> None:
    """Ask `GET /` four times a second, each over a new connection."""
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    while True:
        started = time.perf_counter()
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(request)
            while await stream.receive_some():
                pass
        if measurement.recording:
            measurement.latencies.append((time.perf_counter() - started) * 1e3)
        await trio.sleep(0.25)


async def wait_for(socket: WebSocketConnection, kind: str) -> None:
    """Read until a message of this type."""
    while json.loads(await socket.get_message())["type"] != kind:
        pass


async def measure(port: int, sessions: int, seconds: float) -> dict[str, Measurement]:
    """Measure the same sessions first without, then with a training run."""
    base = f"ws://127.0.0.1:{port}"
    measurements = {"without training": Measurement(), "with training": Measurement()}
    for name, measurement in measurements.items():
        async with trio.open_nursery() as nursery, open_websocket_url(base + "/ws/training") as trainer:
            if name == "with training":
                start = {"command": "start_training", "num_episodes": 100_000, "show_every": 100_000}
                await trainer.send_message(json.dumps(start | {"step_delay": 0}))
                for _ in range(20):
                    await wait_for(trainer, "episode_complete")
                nursery.start_soon(wait_for, trainer, "never")
            for _ in range(sessions):
                nursery.start_soon(watch, base + "/ws", measurement)
            nursery.start_soon(ask_status, port, measurement)
            await trio.sleep(3)
            measurement.recording = True
            with Progress(transient=True) as progress:
                task = progress.add_task(name, total=seconds)
                for _ in range(int(seconds)):
                    await trio.sleep(1)
                    progress.advance(task)
            measurement.recording = False
            nursery.cancel_scope.cancel()
    return measurements


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main(arguments: list[str]) -> None:
    """Print the table and write bench/results/isolation.json."""
    parser = argparse.ArgumentParser(prog="python -m bench isolation", description=__doc__)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20, help="length of each of the two measurements")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as models, running_server(models_dir=models) as port:
        measurements = trio.run(measure, port, options.sessions, options.seconds)
    table = Table(
        title=f"{options.sessions} playing sessions, {options.seconds:g} s each, {platform.machine()}"
    )
    for column in ("", "frames/s a session", "gap p50", "gap p99", "longest gap", "GET / p50", "GET / max"):
        table.add_column(column, justify="left" if column == "" else "right")
    rows = {}
    for name, m in measurements.items():
        rows[name] = {
            "frames_per_second": m.frames / options.seconds / options.sessions,
            "gap_p50_ms": percentile(m.gaps, 0.5),
            "gap_p99_ms": percentile(m.gaps, 0.99),
            "gap_max_ms": max(m.gaps),
            "status_p50_ms": percentile(m.latencies, 0.5),
            "status_max_ms": max(m.latencies),
        }
        values = list(rows[name].values())
        table.add_row(name, f"{values[0]:.2f}", *(f"{value:.1f} ms" for value in values[1:]))
    Console().print(table)
    ratio = rows["with training"]["gap_p99_ms"] / rows["without training"]["gap_p99_ms"]
    print(f"p99 with training / without: {ratio:.2f}")
    results = REPOSITORY / "bench" / "results"
    results.mkdir(exist_ok=True)
    Path(results / "isolation.json").write_text(json.dumps(rows, indent=2) + "\n")
