"""Which episodes of a run are recorded, that they are the very ones, and that the run does not notice."""

import errno
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from hamlet_trio.agent.run_state import encode_run_state
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.recording.file import Recording
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.recording.info import RecordingInfo
from hamlet_trio.training.listener import RunListener
from hamlet_trio.training.recorder import FIRST_COMPARED, Recorder
from hamlet_trio.training.run import TrainingRun
from tests.training.local_runs import Listener, managed

RUN = "20250101-000000-abcdef"
PARAMETERS = TrainingParameters(num_episodes=14, seed=3, max_steps=12, network_type="qnetwork")


def folder_of(path: Path) -> RecordingFolder:
    return RecordingFolder(path / "recordings", kept=200)


def train(
    folder: RecordingFolder | None,
    every: int = 1,
    *,
    parameters: TrainingParameters = PARAMETERS,
    past: Sequence[EpisodeComplete] = (),
) -> tuple[TrainingRun, list[EpisodeComplete], list[str]]:
    """A whole run, recorded where a folder is given: itself, its episodes, and what the recorder reported."""
    run, listener = TrainingRun(parameters, device="cpu"), Listener()
    recorder = Recorder(folder, every=every, reporter=listener) if folder else RunListener()
    recorder.on_start(managed(run, RUN, past))
    episodes: list[EpisodeComplete] = []
    while not run.finished:
        outcome = run.step()
        recorder.on_step(outcome, watched=False)
        episodes += outcome.records
    return run, episodes, listener.problems


def kept(folder: RecordingFolder) -> dict[int, RecordingInfo]:
    """What is in the folder, by episode."""
    return {entry.info.episode: entry.info for entry in folder.entries() if entry.info}


def test_the_run_is_the_same_bit_for_bit(tmp_path: Path) -> None:
    recorded, _, problems = train(folder_of(tmp_path))
    alone, _, _ = train(None)
    assert problems == []
    assert len(kept(folder_of(tmp_path))) == 14
    assert encode_run_state(recorded.state_dict()) == encode_run_state(alone.state_dict())


def test_remarkable_episodes_are_kept_and_are_the_very_ones(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    _, episodes, _ = train(folder, 5)
    found = kept(folder)
    best, worst = float("-inf"), float("inf")
    for episode in episodes:
        expected = ["every_nth"] if episode.episode % 5 == 1 else []
        if episode.episode >= FIRST_COMPARED:
            expected += ["best_so_far"] if episode.reward > best else []
            expected += ["worst_so_far"] if episode.reward < worst else []
        best, worst = max(best, episode.reward), min(worst, episode.reward)
        info = found.get(episode.episode)
        assert (list(info.reasons) if info else []) == expected
        if info:
            assert (info.recording, info.run_id) == (f"{RUN}-ep{episode.episode}", RUN)
            assert (info.steps, info.ended) == (episode.length, "max_steps")
            played = folder.load(info.recording).play()
            assert played.returns()[-1] == info.episode_return == pytest.approx(episode.reward)
            assert info.q_values


def test_the_first_death_of_each_kind_is_kept(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    _, episodes, _ = train(
        folder,
        100_000,
        parameters=msgspec.structs.replace(PARAMETERS, max_steps=500, num_episodes=4),
    )
    first: dict[str, int] = {}
    for episode in episodes:
        if episode.failure_reason:
            first.setdefault(episode.failure_reason, episode.episode)
    assert first
    found = kept(folder)
    assert {number for number, info in found.items() if "first_death" in info.reasons} == set(first.values())


def test_a_resumed_run_has_its_earlier_episodes(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    run, past, _ = train(None)
    better = [msgspec.structs.replace(episode, reward=1e9) for episode in past]
    worse = [msgspec.structs.replace(episode, reward=-1e9) for episode in past]
    train(folder, 100_000, past=better + worse)
    assert list(kept(folder)) == [1]
    assert run.finished


def test_an_episode_whose_beginning_was_not_seen_is_not_kept(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    run = TrainingRun(PARAMETERS, device="cpu")
    run.step()
    recorder = Recorder(folder, every=1, reporter=RunListener())
    recorder.on_start(managed(run, RUN))
    while not (outcome := run.step()).done:
        recorder.on_step(outcome, watched=False)
    recorder.on_step(outcome, watched=False)
    assert kept(folder) == {}


def test_none_are_kept_where_every_is_0(tmp_path: Path) -> None:
    train(folder_of(tmp_path), 0)
    assert kept(folder_of(tmp_path)) == {}


def test_a_full_disk_is_reported_once_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: RecordingFolder, recording: Recording) -> RecordingInfo:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RecordingFolder, "save", full)
    run, _, problems = train(folder_of(tmp_path))
    assert run.finished
    assert problems == ["A recording could not be saved: No space left on device."]
