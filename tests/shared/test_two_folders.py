"""Instances with a data folder each, as on two machines: all of them keep the history of the run."""

from pathlib import Path

import pytest
import trio
from msgspec.structs import replace

from hamlet_trio.history import HistoryReader, RunDetails, StoredEpisode, UnknownRunError, history_path
from hamlet_trio.history.queries import EpisodesQuery
from hamlet_trio.settings import Settings
from tests.patience import PATIENCE
from tests.shared.test_one_run import SHORT, an_instance, joined
from tests.training.support import ENDLESS, model_of


@pytest.fixture
def folders(settings: Settings, tmp_path: Path) -> tuple[Settings, Settings]:
    """The settings of two instances that have nothing but Redis and the models in common."""
    return settings, replace(settings, data_dir=str(tmp_path / "other"))


def kept(settings: Settings, run_id: str) -> tuple[RunDetails, list[StoredEpisode]]:
    """What the history of an instance has of a run."""
    reader = HistoryReader(history_path(settings))
    return reader.run(run_id), reader.episodes(run_id, EpisodesQuery(limit=1000))


async def ended(settings: Settings, run_id: str, state: str) -> None:
    """Wait until the history of this instance has the end of a run."""
    with trio.fail_after(PATIENCE):
        while True:
            try:
                if kept(settings, run_id)[0].state == state:
                    return
            except UnknownRunError:
                pass
            await trio.sleep(0.05)


async def test_whoever_follows_keeps_the_run_in_a_history_of_its_own(
    folders: tuple[Settings, Settings],
) -> None:
    own, other = folders
    async with an_instance(own) as first:
        here = await joined(first)
        await here.send("start_training", **(SHORT | ENDLESS | {"checkpoint_every": 3}))
        run_id = (await here.until("training_started"))["run_id"]
        await here.until("checkpoint_saved")
        # It comes late, and reads what was told before.
        async with an_instance(other) as second:
            there = await joined(second)
            await there.until("checkpoint_saved")
            await there.send("stop")
            await there.until("training_stopped")
            await ended(other, run_id, "stopped")
    (run, episodes), (followed, copies) = kept(own, run_id), kept(other, run_id)
    assert [episode.episode for episode in copies] == list(range(1, len(episodes) + 1))
    assert [replace(one, ended="") for one in copies] == [replace(one, ended="") for one in episodes]
    assert followed.checkpoints
    names = ("source", "network_type", "seed", "device", "episodes", "model", "parameters", "failures")
    assert [getattr(followed, name) for name in names] == [getattr(run, name) for name in names]


@pytest.mark.long
async def test_a_run_is_taken_over_where_the_folders_of_runs_and_models_are_shared(
    folders: tuple[Settings, Settings],
) -> None:
    own, other = folders
    _share_runs_and_models(own, other)
    async with an_instance(other):
        async with an_instance(own) as first:
            here = await joined(first)
            await here.send("start_training", num_episodes=6, show_every=1, step_delay=0.05, **SHORT)
            run_id = (await here.until("training_started"))["run_id"]
            await here.until("episode_complete")
        await ended(other, run_id, "complete")
    run, episodes = kept(other, run_id)
    assert [episode.episode for episode in episodes] == list(range(1, 7))
    assert run.model is not None
    assert (Path(other.data_dir) / "models" / run.model).exists()
    assert model_of(other).exists()


def _share_runs_and_models(own: Settings, other: Settings) -> None:
    Path(other.data_dir).mkdir()
    for name in ("runs", "models"):  # on two machines, a network file system is mounted there
        shared = Path(own.data_dir, name)
        shared.mkdir(parents=True)
        Path(other.data_dir, name).symlink_to(shared)
