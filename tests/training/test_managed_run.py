"""What a run leaves on the disk: saved at the right time, whole, and enough to go on exactly."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from hamlet_trio.agent.checkpoint import load_checkpoint, save_checkpoint
from hamlet_trio.agent.learner import DQNLearner
from hamlet_trio.agent.learner_config import LearnerConfig
from hamlet_trio.agent.metadata import CheckpointMetadata
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.managed_run import ManagedRun, SaveError, StartError, open_run
from hamlet_trio.training.plan import RunPlan
from hamlet_trio.training.store import RunStore, new_run_id
from tests.training.local_runs import folders


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "data")


class Opener:
    """Opens one run, as its trainers do one after another."""

    def __init__(self, parameters: TrainingParameters, folder: Path) -> None:
        self.run_id = new_run_id()
        self.parameters = parameters
        self._settings = folders(folder)
        self.path = folder / "mine" / "trained_agent.pt"

    def __call__(self, *, resume: bool = False) -> ManagedRun:
        return open_run(RunPlan(self.run_id, self.parameters, resume), self._settings, out=self.path)


@pytest.fixture
def opened(parameters: TrainingParameters, tmp_path: Path) -> Opener:
    return Opener(parameters, tmp_path)


def make_episodes(managed: ManagedRun, count: int) -> None:
    target = managed.run.completed + count
    while managed.run.completed < target:
        managed.step()


def finish(managed: ManagedRun) -> None:
    while not managed.run.finished:
        managed.step()
        if managed.run.episode_step == 0 and managed.save_due:
            managed.save()
    assert managed.end("complete").problem is None


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow past a few bytes, as on a disk without room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_an_autosave_is_due_every_so_many_episodes_but_not_at_the_end(
    parameters: TrainingParameters, tmp_path: Path
) -> None:
    every_third = Opener(msgspec.structs.replace(parameters, checkpoint_every=3), tmp_path)
    managed, due = every_third(), []
    while not managed.run.finished:
        managed.step()
        if managed.save_due:
            due.append(managed.run.completed)
    assert due == [3]


def test_an_autosave_is_due_too_when_many_episodes_end_at_once_and_pass_it(
    parameters: TrainingParameters, tmp_path: Path
) -> None:
    wide = msgspec.structs.replace(parameters, num_envs=4, num_episodes=17, max_steps=3, checkpoint_every=6)
    managed, due = Opener(wide, tmp_path)(), []
    while not managed.run.finished:
        managed.step()
        if managed.save_due:
            due.append(managed.run.completed)
    assert due == [8, 12]
    speeds = [episode.steps_per_second for episode in managed.series.message().episodes]
    assert len(speeds) == 17
    assert len(set(speeds)) == 5  # those that end with one step took the same time


def test_an_episode_is_recorded_with_the_speed_of_learning(opened: Opener) -> None:
    managed = opened()
    make_episodes(managed, 2)
    first, second = managed.series.message().episodes
    assert (first.episode, second.episode) == (1, 2)
    assert first.steps_per_second > 0
    assert first.evaluation is not msgspec.UNSET


def test_a_complete_run_leaves_its_model_and_nothing_to_resume(opened: Opener, store: RunStore) -> None:
    finish(opened())
    checkpoint = load_checkpoint(opened.path)
    assert checkpoint.metadata.episode == 6
    record = store.read(opened.run_id)
    assert (record.state, record.episode, record.model) == ("complete", 6, "trained_agent.pt")
    assert store.read_state(opened.run_id) is None
    assert store.resumable() == []


def test_an_interrupted_run_goes_on_in_the_middle_of_an_episode_to_the_same_file(
    parameters: TrainingParameters, opened: Opener, store: RunStore, tmp_path: Path
) -> None:
    whole = Opener(parameters, tmp_path)
    whole.path = tmp_path / "whole.pt"
    finish(whole())

    managed = opened()
    make_episodes(managed, 2)
    for _ in range(13):
        managed.step()
    assert managed.end("interrupted").problem is None
    assert store.resumable() == [opened.run_id]
    assert load_checkpoint(opened.path).metadata.episode == 2

    resumed = opened(resume=True)
    assert (resumed.run.completed, resumed.run.episode_step) == (2, 13)
    assert [record.episode for record in resumed.series.message().episodes] == [1, 2]
    finish(resumed)
    assert opened.path.read_bytes() == whole.path.read_bytes()


def test_a_run_killed_before_its_first_save_begins_anew_with_the_same_seed(opened: Opener) -> None:
    killed = opened()
    outcomes = [killed.step() for _ in range(30)]
    again = opened(resume=True)
    assert again.run.steps == 0
    assert [again.step()[0] for _ in range(30)] == [outcome for outcome, _ in outcomes]


def test_the_model_from_before_the_run_is_kept_once(opened: Opener, tmp_path: Path) -> None:
    opened.path.parent.mkdir()
    opened.path.write_bytes(b"from before")
    managed = opened()
    make_episodes(managed, 4)
    managed.save()
    resumed = opened(resume=True)
    finish(resumed)
    assert (opened.path.parent / "trained_agent.previous.pt").read_bytes() == b"from before"
    assert sorted(path.name for path in opened.path.parent.iterdir()) == [
        "trained_agent.previous.pt",
        "trained_agent.pt",
    ]


@pytest.mark.parametrize("how", ["stopped", "interrupted"])
def test_a_run_that_learnt_nothing_leaves_the_model_alone(opened: Opener, how: str) -> None:
    opened.path.parent.mkdir()
    opened.path.write_bytes(b"from before")
    managed = opened()
    for _ in range(5):
        managed.step()
    assert managed.end(how).problem is None  # type: ignore[arg-type]
    assert managed.model_saved is None
    assert [path.name for path in opened.path.parent.iterdir()] == ["trained_agent.pt"]
    assert opened.path.read_bytes() == b"from before"


def test_a_stopped_run_leaves_its_model_and_is_over(opened: Opener, store: RunStore) -> None:
    managed = opened()
    make_episodes(managed, 1)
    assert managed.end("stopped").problem is None
    assert load_checkpoint(opened.path).metadata.episode == 1
    assert store.read(opened.run_id).state == "stopped"
    assert store.resumable() == []


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file size there")
def test_on_a_full_disk_what_was_saved_before_stays_whole(opened: Opener, store: RunStore) -> None:
    managed = opened()
    make_episodes(managed, 4)
    managed.save()
    model, state = opened.path.read_bytes(), store.read_state(opened.run_id)
    make_episodes(managed, 1)
    with full_disk():
        with pytest.raises(SaveError, match="File too large; what was saved before is whole"):
            managed.save()
        assert "File too large" in str(managed.end("interrupted").problem)
        assert "File too large" in str(managed.end("stopped").problem)
    assert opened.path.read_bytes() == model
    assert store.read_state(opened.run_id) == state
    assert [path.name for path in opened.path.parent.iterdir()] == ["trained_agent.pt"]
    assert store.resumable() == [opened.run_id]
    make_episodes(managed, 1)
    assert managed.end("complete").problem is None
    assert load_checkpoint(opened.path).metadata.episode == 6


def test_a_run_that_was_saved_is_opened_again_also_on_a_full_disk(opened: Opener) -> None:
    managed = opened()
    make_episodes(managed, 2)
    managed.save()
    with full_disk():
        again = opened(resume=True)
        with pytest.raises(StartError, match="The run's folder cannot be used: File too large"):
            opened()
    assert again.run.completed == 2


def test_starting_from_a_model_of_other_sizes_survives_a_resume(
    tmp_path: Path, parameters: TrainingParameters
) -> None:
    learner = DQNLearner(LearnerConfig(network_type="dueling", sizes={"features": [16, 16]}), seed=1)
    small = learner.checkpoint(CheckpointMetadata(network_type="dueling"), epsilon=0.5)
    (tmp_path / "models").mkdir()
    save_checkpoint(tmp_path / "models" / "small.pt", small)
    following = Opener(msgspec.structs.replace(parameters, resume_from="small.pt"), tmp_path)
    first = following()
    assert first.run.parameters.network_type == "dueling"
    make_episodes(first, 3)
    first.save()
    (tmp_path / "models" / "small.pt").unlink()
    following.parameters = first.run.parameters
    resumed = following(resume=True)
    assert resumed.run.completed == 3
    finish(resumed)
    assert load_checkpoint(following.path).spec == small.spec


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"nonsense", "not a checkpoint"), (None, "missing.pt")],
    ids=["empty", "foreign", "not there"],
)
def test_a_model_that_cannot_be_started_from_is_named(
    parameters: TrainingParameters, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    (tmp_path / "models").mkdir()
    if content is not None:
        (tmp_path / "models" / "missing.pt").write_bytes(content)
    opened = Opener(msgspec.structs.replace(parameters, resume_from="missing.pt"), tmp_path)
    with pytest.raises(StartError, match=reason):
        opened()


@pytest.mark.parametrize("damage", ["cut", "changed", "foreign"])
def test_a_damaged_state_is_reported_and_not_overwritten(
    opened: Opener, store: RunStore, damage: str
) -> None:
    managed = opened()
    make_episodes(managed, 4)
    managed.save()
    state = store.read_state(opened.run_id)
    assert state is not None
    damaged = {
        "cut": state[: len(state) // 2],
        "changed": state[:1000] + bytes([state[1000] ^ 0xFF]) + state[1001:],
        "foreign": b"something else",
    }[damage]
    store.write_state(opened.run_id, damaged)
    with pytest.raises(StartError, match=f"saved state of run {opened.run_id}"):
        opened(resume=True)


def test_a_run_that_cannot_go_on_keeps_its_last_model(opened: Opener, store: RunStore) -> None:
    managed = opened()
    make_episodes(managed, 4)
    managed.save()
    managed.end("failed", "The loss is no finite number.")
    record = store.read(opened.run_id)
    assert (record.state, record.reason) == ("failed", "The loss is no finite number.")
    assert store.resumable() == []
    assert load_checkpoint(opened.path).metadata.episode == 4
