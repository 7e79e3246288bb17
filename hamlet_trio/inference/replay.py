"""An episode played out in memory, to be shown step by step and continued from any of its steps."""

from collections import Counter
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hamlet_trio.inference.life import life_of
from hamlet_trio.protocol.frame_parts import OptionValue
from hamlet_trio.protocol.frames import (
    FrameBuilder,
    PolicyView,
    ShownOutputs,
    WorldSnapshot,
    heat_map_of,
)
from hamlet_trio.protocol.messages import Life, ReplayStarted, StateUpdate
from hamlet_trio.recording.capture import RecordingPolicy, policy_outputs
from hamlet_trio.recording.file import Recording
from hamlet_trio.recording.info import Marker
from hamlet_trio.recording.markers import find_markers
from hamlet_trio.recording.trajectory import Trajectory, play, state_after
from hamlet_trio.world import METERS, WorldConfig, WorldState

_MONEY: Final = METERS.index("money")
_MOOD: Final = METERS.index("mood")


class PlayedEpisode(Struct, frozen=True, kw_only=True):
    """An episode as played so far: in a world of `config`, from `start`, by `actions` (one byte each)."""

    config: WorldConfig
    start: WorldState
    actions: bytes
    episode: int
    model_name: str | None


class Replay:
    """An episode of N steps: the frame of each, and the state to continue from.

    Memory: the trajectory without its observations, about 160 kB for 500 steps, at most 3.5 MB.

    Attributes:
        recording: its id; None for a session's own episode.
        played: its start, actions, number and model.
    """

    def __init__(
        self,
        played: PlayedEpisode,
        trajectory: Trajectory,
        *,
        recording: str | None,
        markers: tuple[Marker, ...],
        q_values: NDArray[np.float32] | None,
        attention: NDArray[np.float32] | None,
        options: tuple[str, ...],
        option_values: NDArray[np.float32] | None,
        visits_before: dict[str, int],
    ) -> None:
        """`options` are the places of `option_values`, `visits_before` the visits before the episode."""
        self.played: Final = played
        self.recording: Final = recording
        self._trajectory = msgspec.structs.replace(trajectory, observations=trajectory.observations[:0])
        self._returns = trajectory.returns()
        self._markers = markers
        self._q_values = q_values
        self._attention = attention
        self._options = options
        self._option_values = option_values
        self._frames = FrameBuilder(trajectory.config)
        height, cells = trajectory.config.height, trajectory.config.width * trajectory.config.height
        self._keys = [f"{cell // height},{cell % height}" for cell in range(cells)]
        self._visits_before = np.array([visits_before.get(key, 0) for key in self._keys])
        self._cells = trajectory.positions @ np.array([height, 1])

    @classmethod
    def of_recording(cls, recording: Recording) -> "Replay":
        """Play a recording out and return its replay; raises `RecordingError` as `Recording.play` does."""
        info = recording.info
        return cls(
            PlayedEpisode(
                config=recording.config,
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
            options=recording.options,
            option_values=recording.option_values,
            visits_before={},
        )

    @classmethod
    def of_episode(cls, played: PlayedEpisode, policy: RecordingPolicy, visits: dict[str, int]) -> "Replay":
        """Play a session's own episode out and return its replay.

        `visits` are its heat map's, this episode's included, so that frames show it as they did before.
        """
        trajectory = play(played.config, played.start, played.actions)
        outputs = policy_outputs(policy, trajectory)
        before = Counter(visits)
        before.subtract(f"{x},{y}" for x, y in trajectory.positions.tolist())
        return cls(
            played,
            trajectory,
            recording=None,
            markers=find_markers(trajectory),
            q_values=outputs.q_values,
            attention=outputs.attention,
            options=outputs.options,
            option_values=outputs.option_values,
            visits_before={cell: count for cell, count in before.items() if count > 0},
        )

    @property
    def steps(self) -> int:
        """N, the number of the last step."""
        return self._trajectory.steps

    def can_branch_in(self, config: WorldConfig) -> bool:
        """Return whether a world of this configuration has the same rules; its step limit may differ."""
        own = self._trajectory.config
        return msgspec.structs.replace(own, max_steps=config.max_steps) == config

    def is_over_at(self, step: int, max_steps: int) -> bool:
        """Return whether the episode ended with this step, or would under a limit of `max_steps`."""
        has_ended = step == self.steps and self._trajectory.terminated
        return has_ended or self.played.start.steps + step >= max_steps

    def announcement(self, config: WorldConfig) -> ReplayStarted:
        """Return the message that announces it in a session whose world has this configuration."""
        return ReplayStarted(
            recording=self.recording,
            model_name=self.played.model_name,
            episode=self.played.episode,
            steps=self.steps,
            markers=self._markers,
            can_branch=self.can_branch_in(config),
        )

    def frame(self, step: int, view: PolicyView) -> StateUpdate:
        """Return the frame of a step, with those outputs of `view` that the replay has."""
        return self._frames.session_frame(
            self._snapshot(step),
            episode=self.played.episode,
            step=step,
            total_reward=float(self._returns[step]),
            heat_map=heat_map_of(self.visits_at(step)),
            view=view,
        )

    def outputs_at(self, step: int) -> ShownOutputs:
        """Return the policy's outputs at a step, from which the next action was chosen."""
        if step >= self.steps:
            return ShownOutputs()
        return ShownOutputs(
            None if self._q_values is None else self._q_values[step].tolist(),
            None if self._attention is None else self._attention[step].tolist(),
            None
            if self._option_values is None
            else list(map(OptionValue, self._options, self._option_values[step].tolist())),
        )

    def state_at(self, step: int) -> WorldState:
        """Return the world's state after a step that did not end the episode, bit for bit."""
        return state_after(self._trajectory, self.played.start, step)

    def life(self) -> Life:
        """Return the whole episode in columns; looking for a death's last chance takes up to a second."""
        return life_of(
            self._trajectory,
            self.played.start,
            episode=self.played.episode,
            model_name=self.played.model_name,
            recording=self.recording,
            markers=self._markers,
        )

    def return_at(self, step: int) -> float:
        """Return the return of the steps up to this one."""
        return float(self._returns[step])

    def visits_at(self, step: int) -> dict[str, int]:
        """Return the visits of each visited cell up to a step."""
        counts = self._visits_before + np.bincount(self._cells[: step + 1], minlength=len(self._keys))
        return {self._keys[cell]: int(counts[cell]) for cell in counts.nonzero()[0]}

    def _snapshot(self, step: int) -> WorldSnapshot:
        played = self._trajectory
        x, y = played.positions[step].tolist()
        raw = played.meters[step]
        # What the action was chosen from; at step 0, where there was none, the first observation.
        outputs = self.outputs_at(max(step - 1, 0))
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
            *outputs,
        )


def played_life(played: PlayedEpisode) -> Life:
    """Play a session's own episode out and return it in columns; takes as long as `Replay.life`."""
    trajectory = play(played.config, played.start, played.actions)
    return life_of(
        trajectory,
        played.start,
        episode=played.episode,
        model_name=played.model_name,
        recording=None,
        markers=find_markers(trajectory),
    )
