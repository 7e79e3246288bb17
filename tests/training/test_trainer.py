"""The trainer process by itself: what it shows to whom, and what it does when its server is gone."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.link import Message, MessageKind, PipeReader, pack
from hamlet_trio.training.orders import (
    BeginOrder,
    EndedReport,
    HeartbeatReport,
    Order,
    Report,
    StartedReport,
    SyncOrder,
    decode_report,
    encode_control,
)
from hamlet_trio.training.store import RunStore, new_run_id
from hamlet_trio.training.trainer_process import COMMAND
from tests.patience import PATIENCE
from tests.training.local_runs import folders


class Trainer:
    """A trainer process, with its pipes in our hands."""

    def __init__(self, folder: Path, parameters: TrainingParameters, *, watched: bool) -> None:
        self.run_id = new_run_id()
        self.messages: list[Message] = []
        self.process = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self.process.stdout is not None
        self._reader = PipeReader(self.process.stdout.fileno())
        self.order(
            BeginOrder(
                run_id=self.run_id,
                parameters=parameters,
                file=None,
                settings=folders(folder, record_every=2),
                resume=False,
                paused=False,
                watched=watched,
            )
        )

    def order(self, order: Order) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(pack(MessageKind.CONTROL, encode_control(order)))
        self.process.stdin.flush()

    def read(self) -> Message | None:
        message = self._reader.receive()
        if message is not None:
            self.messages.append(message)
        return message

    def frames(self) -> list[Any]:
        return [msgspec.json.decode(m.payload) for m in self.messages if m.kind is MessageKind.FRAME]

    def events(self, kind: str) -> list[Any]:
        events = [msgspec.json.decode(m.payload) for m in self.messages if m.kind is MessageKind.EVENT]
        return [event for event in events if event["type"] == kind]

    def reports(self) -> list[Report]:
        reports = [decode_report(m.payload) for m in self.messages if m.kind is MessageKind.CONTROL]
        return [report for report in reports if not isinstance(report, HeartbeatReport)]

    def close(self) -> None:
        """What the death of its server does to all its pipes."""
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def trainers() -> Iterator[list[Trainer]]:
    started: list[Trainer] = []
    yield started
    for trainer in started:
        trainer.process.kill()
        trainer.process.wait()
        trainer.close()


@pytest.mark.long
def test_without_viewers_the_run_goes_on_and_no_frames_are_built(
    trainers: list[Trainer], tmp_path: Path, parameters: TrainingParameters
) -> None:
    shown = msgspec.structs.replace(parameters, show_every=1)
    trainers.append(trainer := Trainer(tmp_path, shown, watched=False))
    while trainer.read():
        pass
    assert trainer.process.wait() == 0
    assert trainer.frames() == []
    assert [event["episode"] for event in trainer.events("episode_start")] == [1, 2, 3, 4, 5, 6]
    assert len(trainer.events("episode_complete")) == 6
    started, ended = trainer.reports()
    assert isinstance(started, StartedReport)
    assert isinstance(ended, EndedReport)
    assert (ended.how, ended.model_saved) == ("complete", f"run-{trainer.run_id}-ep6.pt")


def test_frames_are_of_shown_episodes_from_step_one_while_somebody_watches(
    trainers: list[Trainer], tmp_path: Path, parameters: TrainingParameters
) -> None:
    slow = msgspec.structs.replace(parameters, show_every=3, step_delay=0.02)
    trainers.append(trainer := Trainer(tmp_path, slow, watched=True))
    while not trainer.events("episode_complete"):
        trainer.read()
    trainer.order(SyncOrder(watched=False, recorded=0))
    while trainer.read():
        pass
    frames = trainer.frames()
    first = [frame for frame in frames if frame["episode"] == 1]
    assert [frame["step"] for frame in first] == list(range(1, 21))
    assert [frame["done"] for frame in first] == [False] * 19 + [True]
    assert first[-1]["cumulative_reward"] == trainer.events("episode_complete")[0]["reward"]
    assert {frame["episode"] for frame in frames} <= {1, 4}
    assert len(frames) < 40  # nobody watched the end of episode 4
    assert [event["episode"] for event in trainer.events("episode_start")] == [1, 4]
    assert [event["episode"] for event in trainer.events("episode_complete")] == [1, 2, 3, 4, 5, 6]


def test_of_several_worlds_the_first_is_shown_and_the_episodes_of_all_are_told(
    trainers: list[Trainer], tmp_path: Path, parameters: TrainingParameters
) -> None:
    wide = msgspec.structs.replace(parameters, num_envs=3, num_episodes=7, max_steps=5, show_every=4)
    trainers.append(trainer := Trainer(tmp_path, wide, watched=True))
    while trainer.read():
        pass
    assert trainer.process.wait() == 0
    assert [event["episode"] for event in trainer.events("episode_complete")] == list(range(1, 8))
    assert [event["episode"] for event in trainer.events("episode_start")] == [1, 7]
    frames = trainer.frames()
    assert [(frame["episode"], frame["step"]) for frame in frames] == [
        *((1, step) for step in range(1, 6)),
        *((7, step) for step in range(1, 6)),
    ]


def test_a_server_that_is_killed_leaves_no_trainer_and_a_run_to_resume(
    trainers: list[Trainer], tmp_path: Path, parameters: TrainingParameters
) -> None:
    endless = msgspec.structs.replace(parameters, num_episodes=100_000, checkpoint_every=100_000)
    trainers.append(trainer := Trainer(tmp_path, endless, watched=False))
    while len(trainer.events("episode_complete")) < 8:
        trainer.read()
    trainer.close()
    trainer.process.wait(timeout=PATIENCE)
    store = RunStore(tmp_path / "data")
    assert store.resumable() == [trainer.run_id]
    assert store.read(trainer.run_id).episode >= 8


@pytest.mark.long
def test_a_server_that_is_killed_before_the_run_began_leaves_nothing(
    trainers: list[Trainer], tmp_path: Path, parameters: TrainingParameters
) -> None:
    trainers.append(trainer := Trainer(tmp_path, parameters, watched=False))
    trainer.close()
    trainer.process.wait(timeout=PATIENCE)
    assert RunStore(tmp_path / "data").resumable() == []
    assert not (tmp_path / "models").exists()
