"""Writers that are killed at random moments: run as a program, it prints how many histories were sound.

Each writer is a process made by fork, which takes a few milliseconds; this program must not have used Trio,
threads or SQLite before it forks.
"""

import os
import random
import select
import signal
import sqlite3
import sys
import time
from pathlib import Path

import trio

from hamlet_trio.history import HistoryReader, HistoryWriter
from hamlet_trio.history.queries import EpisodesQuery
from hamlet_trio.settings import Settings
from tests.history.support import ended, started

LONGEST = 0.02  # seconds a writer lives after its first episode was acknowledged


async def write(settings: Settings, run_id: str, acknowledge: int) -> None:
    """Keep episode after episode, and tell each one's number once it is kept."""
    writer = HistoryWriter(settings)
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        await writer.write(started(run_id))
        for first in range(1, 2_000_000, 3):
            batch = range(first, first + 3)
            await writer.write(*(ended(run_id, episode) for episode in batch))
            assert writer.problem is None
            os.write(acknowledge, b"".join(episode.to_bytes(4, "big") for episode in batch))


def kill_one(settings: Settings, run_id: str, life: float) -> int:
    """Start a writer, kill it some time after it has begun; the last episode it acknowledged."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        trio.run(write, settings, run_id, writing)
    os.close(writing)
    told = os.read(reading, 4)
    deadline = time.monotonic() + life
    while (left := deadline - time.monotonic()) > 0 and select.select([reading], [], [], left)[0]:
        told += os.read(reading, 65536)
    os.kill(child, signal.SIGKILL)
    while data := os.read(reading, 65536):
        told += data
    os.waitpid(child, 0)
    os.close(reading)
    return int.from_bytes(told[len(told) // 4 * 4 - 4 :][:4], "big")


def main(folder: str, kills: int, seed: int) -> None:
    """Kill that many writers of one history; after each the history must open clean and lack nothing."""
    rng = random.Random(seed)
    settings = Settings(data_dir=folder)
    path = Path(folder) / "history.db"
    total = 0
    for number in range(kills):
        run_id = f"run{number:03}"
        last = kill_one(settings, run_id, rng.uniform(0, LONGEST))
        # A reader first: it has to find its way past what the dead writer left.
        kept = HistoryReader(path)
        found = [episode.episode for page in kept.all_episodes(run_id, EpisodesQuery()) for episode in page]
        assert found[:last] == list(range(1, last + 1)), f"{run_id}: {last} acknowledged, kept {found[-1:]}"
        with sqlite3.connect(path) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check").fetchone()
        connection.close()
        assert verdict == "ok", verdict
        total += last
    print(f"{kills} kills, {total} episodes")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
