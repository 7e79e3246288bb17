"""What the server knows of the current run, or of the last one."""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import Struct

from hamlet_trio.connection import ErrorCounts
from hamlet_trio.protocol.messages import (
    CheckpointSaved,
    EpisodeComplete,
    Error,
    TrainingEpisodeStart,
    TrainingHistory,
)
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.history import History

MAX_FAILURES: Final = 1000
AGENT_ID: Final = "agent_0"

TrainerEvent = EpisodeComplete | CheckpointSaved | TrainingEpisodeStart | TrainingHistory | Error
_events: Final[msgspec.json.Decoder[TrainerEvent]] = msgspec.json.Decoder(TrainerEvent)


class Failure(Struct, frozen=True):
    """One episode that ended because a meter failed. `timestamp` is ISO 8601, UTC."""

    id: int
    timestamp: str
    episode: int
    agent_id: str
    reason: str


@dataclass
class RunProgress:
    """One run as far as its trainer has told.

    `parameters` are those in force; `episode` is the one under way; `model` the name of the last model saved.
    """

    run_id: str
    parameters: TrainingParameters
    wants_paused: bool = False
    begun: bool = False
    restarts: int = 0
    episode: int = 0
    model: str | None = None
    history: History = field(default_factory=History)

    @property
    def model_saved(self) -> str | None:
        """The last saved model as messages name it."""
        return None if self.model is None else model_path(self.model)


def model_path(name: str) -> str:
    """A model's name as the messages at the end of a run give it (a form that is kept)."""
    return f"models/{name}"


class Chronicle:
    """Reads the trainer's events: keeps the run's charts, the failures of all runs, and the counters."""

    def __init__(self) -> None:
        self.failures: Final[deque[Failure]] = deque(maxlen=MAX_FAILURES)
        self.episodes = 0
        self.steps = 0
        self.steps_per_second = 0.0
        self.restarts = 0
        self.errors: Final = ErrorCounts()
        self._failure_count = 0

    def read(self, payload: bytes, run: RunProgress) -> None:
        """Take note of one event. Raises `msgspec.DecodeError` if it is none."""
        match _events.decode(payload):
            case EpisodeComplete() as record:
                self._note(record, run)
            case TrainingEpisodeStart(episode=episode):
                run.episode = episode
            case CheckpointSaved(model=model):
                run.model = model
            case TrainingHistory() as message:
                run.history.replace(message)
            case Error(code=code):
                self.errors.count(code)  # itself it is for the viewers alone

    def _note(self, record: EpisodeComplete, run: RunProgress) -> None:
        run.history.append(record)
        run.episode = min(record.episode + 1, run.parameters.num_episodes)
        self.episodes += 1
        self.steps += record.length
        self.steps_per_second = record.steps_per_second
        if record.failure_reason is not None:
            self._failure_count += 1
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            self.failures.append(
                Failure(self._failure_count, now, record.episode, AGENT_ID, record.failure_reason)
            )
