"""Send requests about recordings and films, and find the processes that make films.

Pauses are real time, so that they pass while a virtual clock stands still.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any, Final

import psutil
import trio

from hamlet_trio.web.app import HamletApp

ENDLESS: Final = (
    sys.executable,
    "-c",
    """
import json, signal, sys, time
terminated = []
signal.signal(signal.SIGTERM, lambda *_: terminated.append(1))
print('{"made": 1, "of": 9}', flush=True)
while not terminated:
    time.sleep(0.01)
open(json.loads(sys.argv[1])["out"], "w").close()
""",
)
"""In place of the film service's command: reports one frame, and finishes only once it is terminated."""


async def pause() -> None:
    """Let a little real time pass."""
    await trio.to_thread.run_sync(time.sleep, 0.02)


async def ask(app: HamletApp, method: str, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
    """Send a request; return the status and the JSON of the answer."""
    response = await getattr(app.test_client(), method.lower())(path, headers=headers)
    data = await response.get_data()
    return response.status_code, json.loads(data) if data else {}


async def until_ready(app: HamletApp, path: str) -> dict[str, Any]:
    """Ask about a film until it is ready or has failed; return that answer."""
    while True:
        status, film = await ask(app, "GET", path)
        assert status == 200
        if film["state"] not in ("waiting", "making"):
            return film
        assert 0 <= film["made"] <= film["of"]
        await pause()


async def until_made(app: HamletApp, path: str, frames: int = 1) -> None:
    """Ask about a film until so many frames are made."""
    while (await ask(app, "GET", path))[1]["made"] < frames:
        await pause()


def film_processes(folder: Path) -> list[psutil.Process]:
    """Return the processes that make films for a server over this folder, including encoders."""
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if any(str(folder) in part for part in _command_line(process))
    ]


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


async def until_no_process(folder: Path) -> None:
    """Wait until no process makes films for a server over this folder."""
    while film_processes(folder):
        await pause()


async def until_entries(count: int, films: Path) -> None:
    """Wait until the folder of films has so many entries; they are removed after their processes end."""
    while len(list(films.iterdir())) != count:  # noqa: ASYNC240 (a folder of the test)
        await pause()
