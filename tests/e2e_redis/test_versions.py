"""An earlier version and this one, over one data folder and one Redis, as during a rolling restart."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import trio

from hamlet_trio.history import HistoryReader
from hamlet_trio.history.queries import EpisodesQuery
from tests.e2e.conftest import ROOT
from tests.e2e_redis.conftest import Pair
from tests.e2e_redis.pupil import Pupil, doors, plays
from tests.e2e_redis.test_takeover import RUN, Watch, pause_and_resume, trains, viewing
from tests.needs import left_out
from tests.shared.redis_server import running_redis
from tests.training.support import plain

EARLIER = "271ba95e3186"
"""A commit whose instances share sessions, rooms and the run."""


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The sources of the earlier version."""
    archive = tmp_path / "earlier.tar"
    made = subprocess.run(
        ["git", "archive", "--output", archive, EARLIER, "hamlet_trio", "demo_metaserver.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        left_out(f"needs the repository with its history: {made.stderr.strip()}")
    folder = tmp_path / "earlier"
    shutil.unpack_archive(archive, folder)
    return folder


@pytest.fixture
def mixed(models: Path, earlier: Path, tmp_path: Path) -> Iterator[Pair]:
    """The earlier version and this one."""
    shutil.copytree(models, tmp_path / "models")
    (tmp_path / "redis").mkdir()
    with running_redis(tmp_path / "redis") as redis:
        pair = Pair(tmp_path / "models", tmp_path / "data", redis, older=earlier)
        yield pair
        pair.end()


@pytest.mark.long
async def test_two_versions_share_the_run_and_the_sessions(mixed: Pair) -> None:
    async with viewing(mixed.ports[0])() as starter:
        await starter.send("start_training", **plain(RUN, num_episodes=100_000))
        run_id = (await starter.expect("training_started"))["run_id"]
    pupils = [Pupil(doors(mixed.ports, number), partial(plays, speed=2)) for number in (0, 1)]
    heard: list[int] = []
    async with trio.open_nursery() as playing:
        for pupil in pupils:
            playing.start_soon(pupil.live)
        # It was started at the earlier version: that one ends, and then the new one.
        for victim in (0, 1):
            assert await trains(mixed.redis, mixed) == victim
            watches = [Watch(), Watch()]
            async with trio.open_nursery() as nursery:
                for port, watch in zip(mixed.ports, watches, strict=True):
                    await nursery.start(watch.live, viewing(port))
                    await watch.until(lambda watch=watch: "state_update" in watch.kinds())  # type: ignore[misc]
                await pause_and_resume(watches)
                for pupil in pupils:
                    await pupil.until(lambda one: one.number >= 8)
                mixed.servers[victim].signal(signal.SIGKILL)
                await trio.to_thread.run_sync(mixed.servers[victim].wait)
                watch = watches[1 - victim]
                await watch.until(lambda watch=watch: "training_failed" in watch.kinds())  # type: ignore[misc]
                await watch.until_more(2)
                await pupils[victim].until(lambda one: bool(one.resumed))
                nursery.cancel_scope.cancel()
            heard.append(len(watch.episodes()))
            assert watch.episodes() == list(range(watch.episodes()[0], watch.episodes()[0] + heard[-1]))
            await trio.to_thread.run_sync(mixed.mend)
        playing.cancel_scope.cancel()
    last = Watch()
    async with trio.open_nursery() as nursery:
        await nursery.start(last.live, viewing(mixed.ports[1]))
        await last.order("stop", "training_stopped")
        await last.until(lambda: last.is_over)
    recorded = HistoryReader(mixed.data / "history.db").episodes(run_id, EpisodesQuery(limit=1000))
    assert [one.episode for one in recorded] == list(range(1, len(recorded) + 1))
    for pupil in pupils:
        assert pupil.begun_anew == []
        pupil.check()
