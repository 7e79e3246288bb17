"""An episode that is over or left, to be looked at step by step."""

from collections import Counter
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hamlet_trio.inference.engine_messages import PolicyView, WorldSnapshot
from hamlet_trio.inference.frames import FrameMaker, HeatMap
from hamlet_trio.protocol.messages import ReplayStarted, StateUpdate
from hamlet_trio.recording.file import Recording
from hamlet_trio.recording.info import Marker
from hamlet_trio.recording.making import RecordingPolicy, think
from hamlet_trio.recording.markers import find_markers
from hamlet_trio.recording.trajectory import Trajectory, play
from hamlet_trio.world import METERS, WorldConfig, WorldState

_MONEY: Final = METERS.index("money")
_MOOD: Final = METERS.index("mood")


class Played(Struct, frozen=True, kw_only=True):
    """An episode as it was played so far: from `start`, by `actions` (one byte each)."""

    start: WorldState
    actions: bytes
    episode: int
    model_name: str | None


class Replay:
    """An episode of N steps, any of whose frames can be had, and any of whose states can be gone on from.

    Holds its trajectory without the observations: about 160 kB for 500 steps, at most 3.5 MB.

    Attributes:
        recording: its id; None for a session's own episode.
        played: how it began, what was done, its number and the model.
    """

    def __init__(
        self,
        played: Played,
        trajectory: Trajectory,
        *,
        recording: str | None,
        markers: tuple[Marker, ...],
        q_values: NDArray[np.float32] | None,
        attention: NDArray[np.float32] | None,
        visits_before: dict[str, int],
    ) -> None:
        """`visits_before` are those that the heat map had when the episode began."""
        self.played: Final = played
        self.recording: Final = recording
        self._trajectory = msgspec.structs.replace(trajectory, observations=trajectory.observations[:0])
        self._returns = trajectory.returns()
        self._markers = markers
        self._q_values = q_values
        self._attention = attention
        self._frames = FrameMaker(trajectory.config)
        self._visits_before = visits_before
        self._heat_map = HeatMap(trajectory.config)
        self._heat_map_step = -1

    @classmethod
    def of(cls, recording: Recording) -> "Replay":
        """The tape of a recording, played out. Raises `RecordingError` as `Recording.play` does."""
        info = recording.info
        return cls(
            Played(
                start=recording.start,
                actions=recording.actions.tobytes(),
                episode=info.episode,
                model_name=info.model,
            ),
            recording.play(),
            recording=info.recording,
            markers=info.markers,
            q_values=recording.q_values,
            attention=recording.attention,
            visits_before={},
        )

    @classmethod
    def rewound(
        cls, config: WorldConfig, played: Played, policy: RecordingPolicy, visits: dict[str, int]
    ) -> "Replay":
        """The tape of a session's own episode.

        `visits` are those of its heat map, this episode's among them: frames show it as they did before.
        """
        trajectory = play(config, played.start, played.actions)
        thoughts = think(policy, trajectory)
        before = Counter(visits)
        before.subtract(f"{x},{y}" for x, y in trajectory.positions.tolist())
        return cls(
            played,
            trajectory,
            recording=None,
            markers=find_markers(trajectory),
            q_values=thoughts.q_values,
            attention=thoughts.attention,
            visits_before={cell: count for cell, count in before.items() if count > 0},
        )

    @property
    def steps(self) -> int:
        """N, which is its last step."""
        return self._trajectory.steps

    def can_go_on_in(self, config: WorldConfig) -> bool:
        """Whether a world of this configuration has the same rules; its step limit may be another."""
        own = self._trajectory.config
        return msgspec.structs.replace(own, max_steps=config.max_steps) == config

    def is_over_at(self, step: int, max_steps: int) -> bool:
        """Whether the episode ended with this step, or would where `max_steps` are allowed."""
        has_ended = step == self.steps and self._trajectory.terminated
        return has_ended or self.played.start.steps + step >= max_steps

    def announcement(self, config: WorldConfig) -> ReplayStarted:
        """What a client is told of it, in a session whose worlds are made from `config`."""
        return ReplayStarted(
            recording=self.recording,
            model_name=self.played.model_name,
            episode=self.played.episode,
            steps=self.steps,
            markers=self._markers,
            can_branch=self.can_go_on_in(config),
        )

    def frame(self, step: int, thoughts: PolicyView) -> StateUpdate:
        """The frame of a step, with those of `thoughts` that the tape has."""
        return self._frames.make(
            self._moment(step),
            episode=self.played.episode,
            step=step,
            total_reward=float(self._returns[step]),
            heat_map=self.heat_map_at(step),
            thoughts=thoughts,
        )

    def thoughts_at(self, step: int) -> tuple[list[float] | None, list[list[float]] | None]:
        """Q-values and attention of what is seen at a step: what the next action was chosen from."""
        if step >= self.steps:
            return None, None
        return (
            None if self._q_values is None else self._q_values[step].tolist(),
            None if self._attention is None else self._attention[step].tolist(),
        )

    def state_at(self, step: int) -> WorldState:
        """The world's state after a step that ended nothing, bit for bit."""
        played = self._trajectory
        x, y = played.positions[step].tolist()
        energy, hygiene, satiation, money, mood, social = played.meters[step].tolist()
        start = self.played.start
        return WorldState(
            positions=((x, y),),
            meters=((energy, hygiene, satiation, money, mood, social),),
            failures=(0,),
            steps=start.steps + step,
            random=start.random,
        )

    def return_at(self, step: int) -> float:
        """The return of the steps up to this one."""
        return float(self._returns[step])

    def heat_map_at(self, step: int) -> HeatMap:
        """The heat map with the visits up to a step; good until another step is asked for."""
        if step < self._heat_map_step or self._heat_map_step < 0:
            self._heat_map.replace(self._visits_before)
            self._heat_map_step = -1
        for x, y in self._trajectory.positions[self._heat_map_step + 1 : step + 1].tolist():
            self._heat_map.visit(x, y)
        self._heat_map_step = step
        return self._heat_map

    def _moment(self, step: int) -> WorldSnapshot:
        played = self._trajectory
        x, y = played.positions[step].tolist()
        raw = played.meters[step]
        # What the action was chosen from; at step 0, where there was none, the first observation.
        q_values, attention = self.thoughts_at(max(step - 1, 0))
        is_last = step == self.steps
        return WorldSnapshot(
            x,
            y,
            played.normalised[step].tolist(),
            float(raw[_MONEY]),
            float(raw[_MOOD]),
            int(played.actions[step]),
            float(played.rewards[step]),
            played.components[step].tolist() if step else None,
            is_last and played.terminated,
            is_last and played.truncated,
            played.failure_reason if is_last and played.terminated else None,
            q_values,
            attention,
        )
