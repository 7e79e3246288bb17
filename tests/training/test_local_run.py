"""Training without a server, as the command line does it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from hamlet_trio.agent.checkpoint import load_checkpoint
from hamlet_trio.history import HistoryDatabase, HistoryReader
from hamlet_trio.history.queries import RunsQuery
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.messages import CheckpointSaved
from hamlet_trio.protocol.parameters import Showing, TrainingParameters
from hamlet_trio.recording.folder import RecordingFolder
from hamlet_trio.training.listener import RunListener
from hamlet_trio.training.local_run import DivergedError, RunResult, SaveError, StartError
from hamlet_trio.training.loop import TrainingLoop
from hamlet_trio.training.managed_run import ManagedRun
from hamlet_trio.training.orders import HEARTBEAT, Order, PauseOrder, ResumeOrder
from hamlet_trio.training.run import TrainingRun
from hamlet_trio.training.store import RunStore
from tests.training.local_runs import Listener, after, folders, managed
from tests.training.local_runs import train as train_below


@pytest.fixture
def train(tmp_path: Path) -> Any:
    def train(parameters: TrainingParameters, **options: Any) -> RunResult:
        return train_below(tmp_path, parameters, **{"out": tmp_path / "out.pt", **options})

    return train


def test_a_run_is_made_reported_and_saved(train: Any, parameters: TrainingParameters, tmp_path: Path) -> None:
    listener = Listener()
    result = train(parameters, listener=listener)
    assert [managed.run.parameters for managed in listener.started] == [parameters]
    assert [record.episode for record in listener.episodes] == [1, 2, 3, 4, 5, 6]
    assert listener.saved == [CheckpointSaved("out.pt", 4), CheckpointSaved("out.pt", 6)]
    assert len(listener.steps) == result.steps == sum(episode.length for episode in listener.episodes)
    assert (result.how, result.episodes, result.model) == ("complete", 6, tmp_path / "out.pt")
    assert result.average_reward == listener.episodes[-1].avg_reward_5
    assert load_checkpoint(tmp_path / "out.pt").metadata.episode == 6
    assert RunStore(tmp_path / "data").resumable() == []


def test_a_run_is_kept_in_the_history_however_it_ends(
    train: Any, parameters: TrainingParameters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = HistoryReader(tmp_path / "history.db")
    log = HistoryDatabase(past.path)
    result = train(parameters, history=log, should_stop=after(70))
    kept = past.run(result.run_id)
    assert (kept.state, kept.episodes, kept.model) == ("interrupted", 3, "out.pt")
    resumed = msgspec.structs.replace(TrainingParameters(), resume_from=result.run_id)
    steps = train(resumed, history=log).steps
    kept = past.run(result.run_id)
    assert (kept.state, kept.episodes, kept.steps) == ("complete", 6, steps)
    assert [checkpoint.episode for checkpoint in kept.checkpoints] == [3, 4, 6]

    def diverge(self: TrainingRun) -> None:
        raise DivergedError("The loss is not finite.")

    monkeypatch.setattr(TrainingRun, "step", diverge)
    with pytest.raises(DivergedError):
        train(parameters, history=log, overwrite=True)
    (failed,) = past.runs(RunsQuery(state="failed"))
    assert failed.reason == "The loss is not finite."


def test_episodes_are_recorded_as_in_a_server_and_the_run_is_the_same(
    train: Any, parameters: TrainingParameters, tmp_path: Path
) -> None:
    train(parameters, out=tmp_path / "without.pt")
    folder = RecordingFolder.of(folders(tmp_path))
    result = train(parameters, settings={"record_every": 4})
    assert (tmp_path / "out.pt").read_bytes() == (tmp_path / "without.pt").read_bytes()
    kept = {entry.recording: entry.info for entry in folder.entries()}
    assert {f"{result.run_id}-ep1", f"{result.run_id}-ep5"} <= set(kept)
    for recording, info in kept.items():
        assert info is not None
        assert (info.source, info.run_id) == ("training", result.run_id)
        folder.load(recording).play()
    train(parameters, settings={"record_every": 0}, overwrite=True)
    assert {entry.recording for entry in folder.entries()} == set(kept)
    folder.path.rename(tmp_path / "moved")
    folder.path.write_text("a file, not a folder")
    listener = Listener()
    result = train(parameters, settings={"record_every": 1}, listener=listener, overwrite=True)
    assert (len(listener.problems), result.how) == (1, "complete")


def test_a_seed_is_chosen_where_none_is_given(train: Any, parameters: TrainingParameters) -> None:
    result = train(msgspec.structs.replace(parameters, seed=None, num_episodes=1))
    assert isinstance(result.parameters.seed, int)


def test_stopped_at_any_step_and_resumed_gives_the_same_file(
    train: Any, parameters: TrainingParameters, tmp_path: Path
) -> None:
    train(parameters, out=tmp_path / "whole.pt")
    first = train(parameters, should_stop=after(53))
    assert (first.how, first.episodes, first.steps) == ("interrupted", 2, 53)
    assert load_checkpoint(tmp_path / "out.pt").metadata.episode == 2
    second = train(TrainingParameters(resume_from=first.run_id))
    assert (second.how, second.run_id, second.parameters) == ("complete", first.run_id, parameters)
    assert (tmp_path / "out.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()


def test_a_resumed_run_may_be_given_more_episodes_but_not_fewer(
    train: Any, parameters: TrainingParameters
) -> None:
    first = train(parameters, should_stop=after(30))
    with pytest.raises(StartError, match="can only be raised, from 6; 5 was sent"):
        train(TrainingParameters(resume_from=first.run_id, num_episodes=5))
    assert train(TrainingParameters(resume_from=first.run_id, num_episodes=8)).episodes == 8
    with pytest.raises(StartError, match="is over"):
        train(TrainingParameters(resume_from=first.run_id))


def test_an_unusable_starting_model_is_reported(train: Any, parameters: TrainingParameters) -> None:
    with pytest.raises(StartError, match=r"no_such\.pt"):
        train(msgspec.structs.replace(parameters, resume_from="no_such.pt"))


def test_a_run_that_is_trained_already_is_not_trained_twice(
    train: Any, parameters: TrainingParameters, tmp_path: Path
) -> None:
    first = train(parameters, should_stop=after(30))
    with RunStore(tmp_path / "data").training(first.run_id), pytest.raises(StartError, match="trained right"):
        train(TrainingParameters(resume_from=first.run_id))


def test_a_folder_that_cannot_be_used_is_reported(
    train: Any, parameters: TrainingParameters, tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StartError, match="cannot be used"):
        train(parameters)


def test_an_end_that_cannot_be_saved_is_an_error(
    train: Any, parameters: TrainingParameters, tmp_path: Path
) -> None:
    class Blocking(Listener):
        def on_start(self, managed: ManagedRun) -> None:
            (tmp_path / "blocked").rename(tmp_path / "moved")
            (tmp_path / "blocked").write_text("a file, not a folder")

    listener = Blocking()
    with pytest.raises(SaveError, match="models folder"):
        train(parameters, out=tmp_path / "blocked" / "out.pt", listener=listener)
    assert len(listener.problems) == 1


@pytest.mark.parametrize("out", [".", "file.txt/model.pt"])
def test_a_file_that_cannot_be_saved_is_refused_before_training(train: Any, tmp_path: Path, out: str) -> None:
    (tmp_path / "file.txt").write_text("in the way")
    with pytest.raises(StartError):
        train(TrainingParameters(seed=1), out=tmp_path / out)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("step_delay", [0.0, 60.0])
def test_heartbeats_are_sent_while_training_paused_and_waiting(
    parameters: TrainingParameters, monkeypatch: pytest.MonkeyPatch, step_delay: float
) -> None:
    """Orders and clock are the test's own: each wait for an order takes as long as it may."""
    now, beats = [0.0], [0]
    waits: list[float] = []

    class Beats(RunListener):
        def on_heartbeat(self) -> None:
            beats[0] += 1

        def on_episode(self, complete: EpisodeComplete) -> None:
            now[0] += HEARTBEAT

    class Orders:
        """Pause at once, resume after ten heartbeats, end after twenty."""

        def __init__(self) -> None:
            self.left: list[Order] = [PauseOrder()]

        def has_order(self) -> bool:
            return bool(self.left) or beats[0] >= 20

        def get(self, deadline: float | None = None) -> Order | None:
            if self.left:
                return self.left.pop()
            if beats[0] >= 20:
                return None
            if beats[0] == 10:
                beats[0] += 1
                return ResumeOrder()
            assert deadline is not None
            waits.append(deadline - now[0])
            now[0] = max(now[0], deadline)
            raise TimeoutError

    monkeypatch.setattr("hamlet_trio.training.loop.time", SimpleNamespace(monotonic=lambda: now[0]))
    endless = msgspec.structs.replace(parameters, num_episodes=1000, show_every=1)
    run = managed(TrainingRun(endless, device="cpu"), "20250101-000000-abcdef")
    monkeypatch.setattr(ManagedRun, "end", lambda *_: SimpleNamespace(saved=None))
    TrainingLoop(run, Orders(), [Beats()], showing=Showing("live", 1, step_delay)).run()
    assert beats[0] == 20
    assert max(waits) == HEARTBEAT
    assert run.run.steps > 0


def test_a_file_that_is_there_is_replaced_only_on_request(
    train: Any, parameters: TrainingParameters, tmp_path: Path
) -> None:
    (tmp_path / "out.pt").write_bytes(b"from before")
    with pytest.raises(StartError, match=r"out\.pt is there already; name another file, or add --overwrite"):
        train(parameters)
    (tmp_path / "checkpoint_ep3.pt").write_bytes(b"from before")
    with pytest.raises(StartError, match=r"checkpoint_ep3\.pt is there already"):
        train(parameters, out=tmp_path / "mine.pt", snapshots={3})
    assert not (tmp_path / "data" / "runs").exists()
    train(parameters, overwrite=True)
    assert (tmp_path / "out.previous.pt").read_bytes() == b"from before"


def test_two_trainings_cannot_write_one_file(
    train: Any, parameters: TrainingParameters, tmp_path: Path
) -> None:
    class Second(Listener):
        def on_start(self, managed: ManagedRun) -> None:
            with pytest.raises(StartError, match="Another run saves its model as"):
                train(parameters)
            super().on_start(managed)

    listener = Second()
    assert train(parameters, listener=listener).how == "complete"
    assert listener.started
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out.pt"]


@pytest.mark.parametrize("snapshots", [{0}, {7}, {2, 700}])
def test_snapshots_of_episodes_that_are_not_made_are_refused(
    train: Any, parameters: TrainingParameters, snapshots: set[int]
) -> None:
    with pytest.raises(StartError, match="this run makes the episodes 1 to 6"):
        train(parameters, snapshots=snapshots)


def test_snapshots_are_kept_beside_the_model_in_a_folder_that_is_made(
    train: Any, parameters: TrainingParameters, tmp_path: Path
) -> None:
    listener = Listener()
    train(parameters, out=tmp_path / "new" / "mine.pt", snapshots={2, 3}, listener=listener)
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["checkpoint_ep2.pt", "checkpoint_ep3.pt", "mine.pt"]
    assert listener.problems == []
    run_id = train(parameters, out=None, snapshots={2}).run_id
    own = sorted(path.name for path in (tmp_path / "data" / "models").iterdir())
    assert own == [f"run-{run_id}-ep2.pt", f"run-{run_id}-ep6.pt", "trained_agent.pt"]
