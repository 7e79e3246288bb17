"""What the history keeps of a run in the server, against the real trainer process."""

import os
from contextlib import closing
from pathlib import Path

import pytest
import trio

from hamlet_trio.history import HistoryDatabase, HistoryReader, RunStarted, history_path
from hamlet_trio.history.queries import EpisodesQuery
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import Settings
from hamlet_trio.training.store import RunStore
from tests.training.support import Client, Serving, plain


@pytest.fixture
def past(settings: Settings) -> HistoryReader:
    return HistoryReader(history_path(settings))


async def test_a_viewer_hears_of_an_episode_when_it_is_kept(
    serving: Serving, settings: Settings, parameters: TrainingParameters, past: HistoryReader
) -> None:
    async with serving(settings) as server:
        client = await server.connect()
        await client.send("start_training", **plain(parameters))
        run_id = (await client.until("training_started"))["run_id"]
        while (message := await client.read())["type"] != "training_complete":
            if message["type"] == "episode_complete":
                kept = past.episodes(run_id, EpisodesQuery(min_episode=message["episode"], limit=1))[0]
                nested = ("type", "evaluation", "evaluation_random")
                told = {name: value for name, value in message.items() if name not in nested}
                assert {name: getattr(kept, name) for name in told} == told
        run = past.run(run_id)
    assert (run.state, run.reason, run.episodes, run.model) == (
        "complete",
        None,
        6,
        f"run-{run.run_id}-ep6.pt",
    )
    assert (run.source, run.device, run.seed) == ("server", "cpu", 7)
    assert run.parameters == plain(parameters)
    assert [kept.episode for kept in run.checkpoints] == [4, 6]


@pytest.mark.long
async def test_how_a_run_ended_is_kept_and_a_resumed_one_is_the_same_run(
    serving: Serving, settings: Settings, parameters: TrainingParameters, past: HistoryReader
) -> None:
    async with serving(settings) as server:
        client = await server.connect()
        await client.send("start_training", **plain(parameters, num_episodes=100_000))
        run_id = (await client.until("training_started"))["run_id"]
        await client.until("episode_complete", episode=3)
    assert past.run(run_id).state == "interrupted"
    async with serving(settings) as server:
        client = await server.connect()
        await client.send("start_training", resume_from=run_id)
        await client.until("training_started")
        resumed = past.run(run_id)
        assert (resumed.state, resumed.ended) == ("running", None)
        await client.send("stop")
        await client.until("training_stopped")
    stopped = past.run(run_id)
    assert stopped.state == "stopped"
    assert stopped.episodes >= 3


async def test_a_run_of_a_killed_server_is_called_interrupted_at_the_next_start(
    serving: Serving, settings: Settings, parameters: TrainingParameters, past: HistoryReader
) -> None:
    dead, alive = "20260101-000000-aaaaaa", "20260101-000000-bbbbbb"
    with closing(HistoryDatabase(history_path(settings))) as log:
        log.write(
            [
                RunStarted(run_id=name, parameters=parameters, device="cpu", source="command_line")
                for name in (dead, alive)
            ]
        )
    with RunStore(Path(settings.data_dir)).training(alive):
        async with serving(settings):
            assert past.run(dead).state == "interrupted"
            assert past.run(alive).state == "running"


async def test_a_killed_run_of_the_command_line_is_called_interrupted_at_the_next_run(
    client: Client, settings: Settings, parameters: TrainingParameters, past: HistoryReader
) -> None:
    dead = "20260101-000000-aaaaaa"
    with closing(HistoryDatabase(history_path(settings))) as log:
        log.write([RunStarted(run_id=dead, parameters=parameters, device="cpu", source="command_line")])
    await client.send("start_training", **plain(parameters))
    await client.until("training_started")
    assert past.run(dead).state == "interrupted"
    await client.until("training_complete")


@pytest.mark.skipif(os.name == "nt", reason="a folder in the way is another error there")
@pytest.mark.long
async def test_a_failing_history_is_reported_once_and_the_run_goes_on(
    serving: Serving, settings: Settings, parameters: TrainingParameters, past: HistoryReader
) -> None:
    await trio.Path(history_path(settings)).mkdir(parents=True)
    async with serving(settings) as server:
        client = await server.connect()
        await client.send("start_training", **plain(parameters))
        await client.until("training_complete")
        errors = [message for message in client.seen if message["type"] == "error"]
        assert [error["code"] for error in errors] == ["history_failed"]
        assert "history.db cannot be written" in errors[0]["message"]
        assert [m["episode"] for m in client.seen if m["type"] == "episode_complete"] == [1, 2, 3, 4, 5, 6]
        assert server.history.statistics().waiting == 10  # the run's begin and end, two saves, six episodes


@pytest.mark.long
async def test_runs_go_on_beside_a_history_with_a_damaged_schema(
    serving: Serving, settings: Settings, parameters: TrainingParameters
) -> None:
    path = history_path(settings)
    with closing(HistoryDatabase(path)) as database:
        database.write([])
    data = path.read_bytes()
    at = data.index(b"CREATE INDEX failures_by_episode")
    path.write_bytes(data[: at + 3] + b"\xee" + data[at + 4 :])
    async with serving(settings) as server:
        client = await server.connect()
        await client.send("status")
        assert (await client.until("training_status"))["state"] == "idle"
        await client.send("start_training", **plain(parameters))
        assert (
            "history.db cannot be written" in (await client.until("error", code="history_failed"))["message"]
        )
        await client.until("training_complete")
