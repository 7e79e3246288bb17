"""The state of training: the run and its progress, and the counters since the start of the server."""

import math
import time
from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

import msgspec
import trio
from msgspec import UNSET, Struct

from hamlet_trio.common.decoding import one_kind_of_error
from hamlet_trio.history.records import EpisodeEnded
from hamlet_trio.logs import Logger
from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.protocol.messages import (
    CheckpointSaved,
    Error,
    PastEvent,
    TrainingComplete,
    TrainingEpisodeStart,
    TrainingFailed,
    TrainingForecast,
    TrainingHistory,
    TrainingMessage,
    TrainingStatus,
    TrainingStopped,
)
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.protocol.sweeps import SweepStatus
from hamlet_trio.protocol.training_messages import RunEvent
from hamlet_trio.training.episode_series import EpisodeSeries
from hamlet_trio.training.forecast import Forecast
from hamlet_trio.training.hub import Hub, HubStatistics
from hamlet_trio.training.orders import StartedReport, TrainerEvent
from hamlet_trio.training.store import RunRecord
from hamlet_trio.training.transitions import Phase

MAX_EVENTS: Final = 200
FORECAST_EVERY: Final = 1.0  # seconds


class RunSnapshot(Struct, frozen=True):
    """The whole state of a run and a sweep, as newcomers are told it; `model` is the last one's file name.

    The version before tells no `sweep`.
    """

    status: TrainingStatus
    history: TrainingHistory
    model: str | None
    sweep: SweepStatus | None = None


FollowedMessage = (
    TrainingStatus
    | TrainingHistory
    | TrainingForecast
    | TrainingEpisodeStart
    | EpisodeComplete
    | RunEvent
    | Error
)
_followed: Final[msgspec.json.Decoder[FollowedMessage]] = msgspec.json.Decoder(FollowedMessage)
_snapshots: Final = msgspec.json.Decoder(RunSnapshot)


def decode_followed(text: str) -> FollowedMessage:
    """Return a message that another instance told of its run.

    Raises `msgspec.DecodeError` for one of a sweep, or that this version does not know.
    """
    with one_kind_of_error():
        return _followed.decode(text)


class TrainingStatistics(Struct, frozen=True):
    """Counters since the start of the server, for the metrics; `steps_per_second` is the run's own speed."""

    runs: int
    restarts: int
    episodes: int
    steps: int
    steps_per_second: float
    errors: Counter[str]
    hub: HubStatistics


class RunStatus:
    """Own the state of the current run or, between runs, of the last one.

    Only the task of the training service changes it, by the methods under "changes". Everyone else reads
    `status`, `history` and `statistics`, which return messages and figures that never change afterwards.
    """

    def __init__(self, hub: Hub, log: Logger) -> None:
        self._hub: Final = hub
        self._log = log
        self._phase = Phase("idle")
        self._reason: str | None = None
        self._resumable: list[str] = []
        self._run_id: str | None = None
        self._parameters: TrainingParameters | None = None
        self._episode = 0  # the one under way
        self._model: str | None = None  # the file name of the last model saved
        self._charts = EpisodeSeries()
        self._events: deque[PastEvent] = deque(maxlen=MAX_EVENTS)
        self._forecast = Forecast()
        self._next_forecast_at = -math.inf
        self._runs = self._restarts = self._episodes = self._steps = 0
        self._steps_per_second = 0.0
        self._errors: Final[Counter[str]] = Counter()

    # --- what others see -------------------------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        """The state, and whether a pause was accepted."""
        return self._phase

    @property
    def is_training(self) -> bool:
        """Whether a run is on, in whatever state."""
        return self._phase.is_training

    @property
    def reason(self) -> str | None:
        """Why the state is what it is, if anything is to be said of that."""
        return self._reason

    @property
    def run_id(self) -> str | None:
        """The run's id."""
        return self._run_id

    @property
    def parameters(self) -> TrainingParameters | None:
        """The parameters in force."""
        return self._parameters

    @property
    def last_episode(self) -> int:
        """The number of the last episode that ended; 0 before the first one."""
        return 0 if self._charts.latest is None else self._charts.latest.episode

    @property
    def model(self) -> str | None:
        """The file name of the last model that the run saved."""
        return self._model

    def status(self) -> TrainingStatus:
        """Return the state as a message."""
        return TrainingStatus(
            is_training=self.is_training,
            current_episode=self._episode,
            total_episodes=self._parameters.num_episodes if self._parameters else 0,
            state=self._phase.state,
            parameters=self._parameters,
            viewers=self._hub.viewers,
            run_id=self._run_id,
            reason=self._reason,
            resumable=[name for name in self._resumable if not (self.is_training and name == self._run_id)],
        )

    def history(self) -> list[TrainingMessage]:
        """Return what a newcomer is told of the run so far, or of the last one; nothing before the first."""
        return [] if self._run_id is None else [self._past(), *self._forecasts()]

    def _past(self) -> TrainingHistory:
        return msgspec.structs.replace(self._charts.message(), events=list(self._events))

    def _forecasts(self) -> list[TrainingForecast]:
        if self._parameters is None or not self.is_training:
            return []
        seconds = self._forecast.seconds_left(self._parameters)
        return [] if seconds is None else [TrainingForecast(round(seconds, 1))]

    def statistics(self) -> TrainingStatistics:
        """Return the counters for the metrics."""
        return TrainingStatistics(
            runs=self._runs,
            restarts=self._restarts,
            episodes=self._episodes,
            steps=self._steps,
            steps_per_second=self._steps_per_second if self._phase.state == "running" else 0.0,
            errors=self._errors.copy(),
            hub=self._hub.statistics(),
        )

    def snapshot(self, sweep: SweepStatus | None) -> bytes:
        """Return the state of the run, and of a sweep, for instances that have not heard of it."""
        return msgspec.json.encode(RunSnapshot(self.status(), self._past(), self._model, sweep))

    # --- changes ---------------------------------------------------------------------------------------

    def begin(self, run_id: str, parameters: TrainingParameters) -> None:
        """Begin a run and tell everyone that it is starting."""
        self._run_id = run_id
        self._parameters = parameters
        self._episode = 0
        self._model = None
        self._charts.clear()
        self._forecast.clear()
        self._runs += 1
        self.change(Phase("starting"))

    def change(self, phase: Phase, reason: str | None = None) -> None:
        """Enter a phase, and tell everyone if its state is new or has a reason."""
        is_news = phase.state != self._phase.state or reason is not None
        self._phase = phase
        if is_news:
            self._reason = reason
            self._log.info("training_state", state=phase.state, reason=reason, run_id=self._run_id)
            self._hub.broadcast(self.status())

    def tell(self, event: RunEvent) -> None:
        """Tell everyone what happened, and those who come later."""
        self._remember(event)
        self._hub.broadcast(event)

    def _remember(self, event: RunEvent) -> None:
        self._events.append(PastEvent(time.time(), event))

    def note(self, content: TrainerEvent | StartedReport) -> None:
        """Take note of what the trainer told."""
        match content:
            case StartedReport():
                self._parameters = content.parameters
                self._set_episode(content.episode + 1)
            case EpisodeComplete():
                self._charts.append(content)
                self._forecast.append(content)
                self._set_episode(content.episode + 1)
                self._episodes += 1
                self._steps += content.length
                self._steps_per_second = content.steps_per_second
                if trio.current_time() >= self._next_forecast_at:
                    self._tell_forecast()
            case TrainingEpisodeStart(episode=episode):
                self._set_episode(episode)
            case CheckpointSaved(model=model):
                self._model = model
                self._remember(content)
            case TrainingHistory():
                self._charts.replace(content)
                self._forecast.clear()
                for record in content.episodes:
                    self._forecast.append(record)
            case Error(code=code):
                self._errors[code] += 1

    def note_missed(self, episodes: Iterable[EpisodeEnded]) -> None:
        """Tell everyone of those episodes that the instance before had no time to tell."""
        for complete in (episode.complete for episode in episodes):
            if complete.episode > self.last_episode:
                self.note(complete)
                self._hub.broadcast(complete)

    def conclude(self, record: RunRecord, path: str) -> None:
        """Tell everyone how a run ended whose instance was gone before it could."""
        self._model = record.model
        if record.state == "complete":
            # Without an episode there is no mean.
            last = self._charts.latest
            reward, length = (0.0, 0.0) if last is None else (last.avg_reward_5, last.avg_length_5)
            self.tell(TrainingComplete(path, reward, length, record.model))
            self.change(Phase("idle"))
        elif record.state == "failed":
            reason = record.reason or "The run failed."
            saved = None if record.model is None else path
            self.tell(TrainingFailed(reason, saved, restart=False, model=record.model))
            self.change(Phase("failed"), reason)
        else:
            reason = "The run was stopped on request."
            saved = None if record.model is None else path
            self.tell(TrainingStopped(reason, saved, record.model))
            self.change(Phase("idle"))

    # --- of a run that another instance trains ---------------------------------------------------------

    def follow(self, text: str, at: float) -> FollowedMessage:
        """Take note of a message that another instance told at this time, and return it; count nothing.

        Raises `msgspec.DecodeError` for one that this version does not know.
        """
        message = decode_followed(text)
        match message:
            case TrainingStatus():
                self._follow_status(message)
            case TrainingForecast() | Error():
                pass  # newcomers are told this instance's own forecast, and no error
            case EpisodeComplete():
                self._charts.append(message)
                self._forecast.append(message)
                self._set_episode(message.episode + 1)
            case TrainingHistory() | TrainingEpisodeStart():
                self.note(message)
            case _:
                if isinstance(message, CheckpointSaved):
                    self._model = message.model
                self._events.append(PastEvent(at, message))
        return message

    def _follow_status(self, status: TrainingStatus) -> None:
        is_another = status.is_training and not (self.is_training and status.run_id == self._run_id)
        if is_another:
            self._charts.clear()
            self._forecast.clear()
            self._model = None
        self._phase = Phase(status.state, pause_requested=status.state == "paused")
        self._reason, self._run_id, self._parameters = status.reason, status.run_id, status.parameters
        self._resumable, self._episode = status.resumable, status.current_episode
        self._steps_per_second = 0.0  # it is trained elsewhere

    def restore(self, snapshot: bytes) -> SweepStatus | None:
        """Take over the state that another instance told, and return that of its sweep.

        Raises `msgspec.DecodeError`.
        """
        with one_kind_of_error():
            known = _snapshots.decode(snapshot)
        self._follow_status(known.status)
        self.note(known.history)
        self._events.clear()
        if known.history.events is not UNSET:
            self._events.extend(known.history.events)
        self._model = known.model
        return known.sweep

    # --- of a run that is trained here -----------------------------------------------------------------

    def set_parameters(self, parameters: TrainingParameters) -> None:
        """Put parameters in force that were changed while the run is on, and tell everyone."""
        self._parameters = parameters
        self._hub.broadcast(self.status())
        self._tell_forecast()

    def _tell_forecast(self) -> None:
        self._next_forecast_at = trio.current_time() + FORECAST_EVERY
        for forecast in self._forecasts():
            self._hub.broadcast(forecast)

    def note_restart(self, reason: str) -> None:
        """Count a restart of the trainer, and tell everyone that the run is starting again."""
        self._restarts += 1
        self.change(self._phase._replace(state="starting"), reason)

    def note_model(self, name: str | None) -> None:
        """Take note of the model that a run saved at its end, if any."""
        self._model = name or self._model

    def note_resumable(self, run_ids: list[str]) -> bool:
        """Take note of which interrupted runs can be resumed.

        Everyone is told of a change between two runs at once, and of one in a run at its end. Returns
        whether everyone was told.
        """
        is_news = run_ids != self._resumable and not self.is_training
        self._resumable = run_ids
        if is_news:
            self._hub.broadcast(self.status())
        return is_news

    def count_error(self, code: str) -> None:
        """Count an error that was answered."""
        self._errors[code] += 1

    def _set_episode(self, episode: int) -> None:
        if self._parameters is not None:  # else a newcomer among instances has not heard of the run
            self._episode = min(episode, self._parameters.num_episodes)
