"""How fast a history of a million episodes answers, over the app's own routes."""

import random
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Final

import trio

from bench.history.row import Row
from hamlet_trio.history import EpisodeEnded, HistoryDatabase, RunEnded, RunStarted
from hamlet_trio.history.export import csv_rows
from hamlet_trio.history.queries import EpisodesQuery
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import Settings
from hamlet_trio.web.app import HamletApp, create_app
from hamlet_trio.world import FAILURE_REASONS

_RUNS: Final = 10
_EPISODES: Final = 100_000  # of each run, the most that a run may have
_BATCH: Final = 5000
_TIMES: Final = 20
_REASONS: Final = [reason for reason in FAILURE_REASONS if reason is not None]


def measure(quick: bool) -> list[Row]:
    """Fill a history, then time each request several times."""
    episodes = _EPISODES // 100 if quick else _EPISODES
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        started = time.perf_counter()
        _fill(path, episodes)
        seconds = time.perf_counter() - started
        total = _RUNS * episodes
        rows = [
            Row(f"{total:,} episodes written", f"{total / seconds:,.0f} a second"),
            Row("bytes of an episode", f"{path.stat().st_size / total:.0f}"),
        ]
        return rows + trio.run(_time_all, create_app(Settings(data_dir=folder)), episodes)


def _run_id(number: int) -> str:
    return f"20260101-0000{number:02}-aaaaaa"


def _fill(path: Path, episodes: int) -> None:
    rng = random.Random(7)
    with closing(HistoryDatabase(path)) as log:
        for number in range(_RUNS):
            run_id = _run_id(number)
            parameters = TrainingParameters(seed=number, num_episodes=episodes)
            log.write([RunStarted(run_id=run_id, parameters=parameters, device="cpu", source="server")])
            for first in range(1, episodes + 1, _BATCH):
                batch = range(first, min(first + _BATCH, episodes + 1))
                log.write([_episode(run_id, episode, rng) for episode in batch])
            log.write([RunEnded(run_id=run_id, state="complete")])


def _episode(run_id: str, episode: int, rng: random.Random) -> EpisodeEnded:
    complete = EpisodeComplete(
        episode=episode,
        reward=rng.gauss(0, 50),
        length=rng.randint(50, 500),
        loss=rng.random(),
        epsilon=rng.random(),
        avg_reward_5=rng.gauss(0, 20),
        avg_length_5=rng.uniform(50, 500),
        avg_loss_5=rng.random(),
        buffer_size=10_000,
        failure_reason=rng.choice(_REASONS) if rng.random() < 0.8 else None,
        steps_per_second=rng.uniform(500, 2000),
    )
    return EpisodeEnded(run_id=run_id, complete=complete, agent_id="agent_0")


async def _time_all(app: HamletApp, episodes: int) -> list[Row]:
    run = f"/api/runs/{_run_id(5)}"
    reason = _REASONS[0]
    first_page = "under 50 ms"
    rows = [
        await _time(app, "/api/runs", first_page),
        await _time(app, f"{run}/episodes", first_page),
        await _time(app, f"{run}/episodes?after={episodes - 200}", first_page),
        await _time(app, f"{run}/episodes?reason={reason}&min_episode={episodes // 2}", first_page),
        await _time(app, "/api/failures", first_page),
        await _time(app, f"/api/failures?reason={reason}", first_page),
        await _time(app, f"/api/failures?run={_run_id(5)}", first_page),
        await _time(app, "/api/failure_summary?limit=1000", first_page),
        await _time(app, "/api/failure_summary"),
        await _time(app, run),
    ]
    # Page by page as the route does it; the app's test client does not take an answer of many pieces.
    started = time.perf_counter()
    size = sum(
        len(csv_rows(page)) for page in app.server.history_reader.all_episodes(_run_id(5), EpisodesQuery())
    )
    seconds = time.perf_counter() - started
    return [*rows, Row(f"a run of {episodes:,} episodes as CSV", f"{seconds:.1f} s, {size / 1e6:.0f} MB")]


async def _time(app: HamletApp, path: str, target: str = "") -> Row:
    seconds = []
    client = app.test_client()
    for _ in range(_TIMES):
        started = time.perf_counter()
        response = await client.get(path)
        await response.get_data()
        seconds.append(time.perf_counter() - started)
        assert response.status_code == 200, path
    shown = path.replace(_run_id(5), "RUN")
    return Row(f"GET {shown}", f"{1e3 * median(seconds):.1f} ms, most {1e3 * max(seconds):.1f}", target)
