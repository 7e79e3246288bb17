"""Runs, recordings and models as a server's past, made by the code that makes them in a run."""

from contextlib import closing
from pathlib import Path
from typing import Any, Final

from msgspec import structs

from hamlet_trio.history import HistoryDatabase, RunEnded
from hamlet_trio.history.records import CheckpointStored
from hamlet_trio.protocol.episode import EvaluationSummary
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.recording.file import encode
from tests.history.support import ended, started
from tests.recording.support import record

EPISODES: Final = 40
ONE, TWO, OTHER = "20260101-100000-aaaaaa", "20260102-100000-bbbbbb", "20260103-100000-cccccc"
NEAR: Final = {"title": "Paid for being near", "shaped": {"proximity_scale": 20}}


def model_of(run_id: str) -> str:
    """Return the name of the run's model."""
    return f"run-{run_id}-ep{EPISODES}.pt"


def write_past(data: Path, model: Path) -> None:
    """Write three runs, each of which saved `model`: two seeds of one configuration, one in another world."""
    runs = {
        ONE: TrainingParameters(num_episodes=EPISODES, seed=1),
        TWO: TrainingParameters(num_episodes=EPISODES, seed=2),
        OTHER: TrainingParameters(num_episodes=EPISODES, seed=1, gamma=0.9, world=NEAR),
    }
    (data / "models").mkdir(parents=True)
    with closing(HistoryDatabase(data / "history.db")) as database:
        for pace, (run_id, parameters) in enumerate(runs.items(), start=1):
            day = f"2026-01-0{pace}T10"
            database.write([started(run_id, parameters=parameters, at=f"{day}:00:00.000+00:00")])
            for episode in range(1, EPISODES + 1):
                length = 10 * pace * episode
                told: dict[str, Any] = {
                    "length": length,
                    "failure_reason": "bankrupt" if episode % 4 else None,
                }
                if episode % 10 == 0:
                    told["evaluation"] = EvaluationSummary(float(length), length - 50.0, 1)
                    told["evaluation_random"] = EvaluationSummary(length / 2, 1.0, 30)
                one = ended(run_id, episode, **told)
                database.write([structs.replace(one, at=f"{day}:{episode:02}:00.000+00:00")])
            database.write(
                [
                    CheckpointStored(run_id=run_id, model=model_of(run_id), episode=EPISODES),
                    RunEnded(run_id=run_id, state="complete", model=model_of(run_id)),
                ]
            )
            (data / "models" / model_of(run_id)).write_bytes(model.read_bytes())
    write_recording(data, OTHER, episode=39)


def write_recording(data: Path, run_id: str, *, episode: int) -> str:
    """Write a recording of random actions as this episode of a run, to its end; return its id."""
    recording = record(source="training", episode=episode, run_id=run_id, reasons=["worst_so_far"])
    folder = data / "recordings"
    folder.mkdir(exist_ok=True)
    (folder / f"{recording.info.recording}.rec").write_bytes(encode(recording))
    return recording.info.recording
