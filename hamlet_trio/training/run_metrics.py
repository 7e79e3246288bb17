"""What the server knows of the current run, or of the last one."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import msgspec

from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.messages import CheckpointSaved, Error, TrainingEpisodeStart, TrainingHistory
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.episode_series import EpisodeSeries

TrainerEvent = EpisodeComplete | CheckpointSaved | TrainingEpisodeStart | TrainingHistory | Error
_events: Final[msgspec.json.Decoder[TrainerEvent]] = msgspec.json.Decoder(TrainerEvent)


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
    history: EpisodeSeries = field(default_factory=EpisodeSeries)

    @property
    def model_saved(self) -> str | None:
        """The last saved model as messages name it."""
        return None if self.model is None else model_path(self.model)


def model_path(name: str) -> str:
    """A model's name as the messages at the end of a run give it (a form that is kept)."""
    return f"models/{name}"


def read_event(payload: bytes) -> TrainerEvent:
    """An event of the trainer. Raises `msgspec.DecodeError` if it is none."""
    return _events.decode(payload)


class RunMetrics:
    """Takes note of the trainer's events: keeps the run's charts up to date, and the counters."""

    def __init__(self) -> None:
        self.episodes = 0
        self.steps = 0
        self.steps_per_second = 0.0
        self.restarts = 0
        self.errors: Final[Counter[str]] = Counter()

    def note(self, event: TrainerEvent, run: RunProgress) -> None:
        """Take note of one event."""
        match event:
            case EpisodeComplete() as record:
                self._note_episode(record, run)
            case TrainingEpisodeStart(episode=episode):
                run.episode = episode
            case CheckpointSaved(model=model):
                run.model = model
            case TrainingHistory() as message:
                run.history.replace(message)
            case Error(code=code):
                self.errors[code] += 1  # itself it is for the viewers alone

    def _note_episode(self, record: EpisodeComplete, run: RunProgress) -> None:
        run.history.append(record)
        run.episode = min(record.episode + 1, run.parameters.num_episodes)
        self.episodes += 1
        self.steps += record.length
        self.steps_per_second = record.steps_per_second
