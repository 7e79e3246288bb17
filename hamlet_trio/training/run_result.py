"""The outcome of a run."""

from pathlib import Path

from msgspec import Struct

from hamlet_trio.history.records import Ending
from hamlet_trio.protocol.messages import CheckpointSaved
from hamlet_trio.protocol.parameters import TrainingParameters


class RunResult(Struct, frozen=True, kw_only=True):
    """Represent how a run ended. An interrupted one can go on: `resume_from` its `run_id`.

    `saved` is the checkpoint with which it ended, if any. `model` is the file saved, None if nothing was
    learnt yet; the means are over the last five episodes. `problem` says why the last save failed, or why the
    run failed.
    """

    how: Ending
    run_id: str
    parameters: TrainingParameters
    episodes: int
    steps: int
    average_reward: float
    average_length: float
    model: Path | None
    saved: CheckpointSaved | None = None
    problem: str | None = None
