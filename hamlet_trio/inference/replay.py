"""An episode played out in memory, to be shown step by step and continued from any of its steps."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from msgspec import UNSET, Struct

from hamlet_trio.common.agents import AGENT_IDS, AgentResult, first_failure
from hamlet_trio.inference.life import life_of
from hamlet_trio.protocol.frame_parts import OptionValue
from hamlet_trio.protocol.frames import (
    AgentSnapshot,
    FrameBuilder,
    PolicyView,
    ShownOutputs,
    WorldSnapshot,
    heat_map_of,
)
from hamlet_trio.protocol.messages import Life, ReplayStarted, StateUpdate
from hamlet_trio.recording.capture import RecordingPolicies, outputs_of_all
from hamlet_trio.recording.file import PolicyOutputs, Recording
from hamlet_trio.recording.info import Marker
from hamlet_trio.recording.markers import find_markers
from hamlet_trio.recording.trajectory import (
    Trajectory,
    failure_at,
    play_company,
    results_of,
    state_of_company,
)
from hamlet_trio.world import FAILURE_REASONS, METERS, WorldConfig, WorldState

_MONEY: Final = METERS.index("money")
_MOOD: Final = METERS.index("mood")


class PlayedEpisode(Struct, frozen=True, kw_only=True):
    """An episode as played so far: in a world of `config`, from `start`, by `actions`, a byte each.

    With several agents there is one of each for every step.
    """

    config: WorldConfig
    start: WorldState
    actions: bytes
    episode: int
    model_name: str | None


class Replay:
    """An episode of N steps: the frame of each, and the state to continue from.

    Memory: the trajectories without their observations, about 160 kB for 500 steps of one agent, at most
    3.5 MB of all.

    Attributes:
        recording: its id; None for a session's own episode.
        played: its start, actions, number and model.
    """

    def __init__(
        self,
        played: PlayedEpisode,
        trajectories: Sequence[Trajectory],
        *,
        recording: str | None,
        markers: tuple[Marker, ...],
        outputs: Sequence[PolicyOutputs],
        visits_before: dict[str, int],
    ) -> None:
        """`trajectories` and `outputs` are of each agent, `visits_before` the visits before the episode."""
        self.played: Final = played
        self.recording: Final = recording
        self._agents = [
            msgspec.structs.replace(one, observations=one.observations[:0]) for one in trajectories
        ]
        self._trajectory = self._agents[0]
        self._returns = [one.returns() for one in trajectories]
        self._first_failure = first_failure(results_of(trajectories).values())
        self._markers = markers
        self._outputs = outputs
        config = played.config
        self._frames = FrameBuilder(config)
        height, cells = config.height, config.width * config.height
        self._keys = [f"{cell // height},{cell % height}" for cell in range(cells)]
        self._visits_before = np.array([visits_before.get(key, 0) for key in self._keys])
        self._cells = [one.positions @ np.array([height, 1]) for one in trajectories]

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
            recording.play_company(),
            recording=info.recording,
            markers=info.markers,
            outputs=recording.outputs,
            visits_before={},
        )

    @classmethod
    def of_episode(cls, played: PlayedEpisode, policy: RecordingPolicies, visits: dict[str, int]) -> "Replay":
        """Play a session's own episode out and return its replay.

        `visits` are its heat map's, this episode's included, so that frames show it as they did before.
        """
        trajectories = play_company(played.config, played.start, played.actions)
        before = Counter(visits)
        for one in trajectories:
            before.subtract(f"{x},{y}" for x, y in one.positions[: one.lived + 1].tolist())
        return cls(
            played,
            trajectories,
            recording=None,
            markers=find_markers(*trajectories),
            outputs=outputs_of_all(policy, trajectories),
            visits_before={cell: count for cell, count in before.items() if count > 0},
        )

    @property
    def steps(self) -> int:
        """N, the number of the last step."""
        return self._trajectory.steps

    @property
    def num_agents(self) -> int:
        """The number of its agents."""
        return len(self._agents)

    @property
    def config(self) -> WorldConfig:
        """The configuration of its world."""
        return self.played.config

    def can_branch_in(self, config: WorldConfig) -> bool:
        """Return whether a world of this configuration has the same rules; its step limit may differ."""
        own = self._trajectory.config
        return msgspec.structs.replace(own, max_steps=config.max_steps) == config

    def is_over_at(self, step: int, max_steps: int) -> bool:
        """Return whether the episode ended with this step, or would under a limit of `max_steps`."""
        has_ended = all(one.terminated and step >= one.lived for one in self._agents)
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
            num_agents=self.num_agents,
            q_value_range=self._q_value_range(),
        )

    def _q_value_range(self) -> list[float] | None:
        """Return the lowest and the highest Q-value of the first agent, if the replay has any."""
        values = self._outputs[0].q_values
        return None if values is None or not values.size else [float(values.min()), float(values.max())]

    def frame(self, step: int, view: PolicyView) -> StateUpdate:
        """Return the frame of a step, with those outputs of `view` that the replay has."""
        return self.frame_of_visits(step, view, self.visits_at(step))

    def frame_of_visits(self, step: int, view: PolicyView, visits: Mapping[str, int]) -> StateUpdate:
        """Return the frame of a step, where the visits up to it are known."""
        return self._frames.session_frame(
            self.snapshot(step, view),
            episode=self.played.episode,
            step=step,
            total_reward=float(self._returns[0][step]),
            heat_map=heat_map_of(visits),
            view=view,
            totals=[float(returns[step]) for returns in self._returns],
            first_failure=self._first_failure,
        )

    def outputs_at(self, step: int, agent: int = 0) -> ShownOutputs:
        """Return the outputs of an agent's policy at a step, from which its next action was chosen."""
        if agent >= len(self._agents) or step >= self._agents[agent].lived:
            return ShownOutputs()
        outputs = self._outputs[agent]
        return ShownOutputs(
            None if outputs.q_values is None else outputs.q_values[step].tolist(),
            None if outputs.attention is None else outputs.attention[step].tolist(),
            None
            if outputs.option_values is None
            else list(map(OptionValue, outputs.options, outputs.option_values[step].tolist())),
        )

    def state_at(self, step: int) -> WorldState:
        """Return the world's state after a step that did not end the episode, bit for bit."""
        return state_of_company(self._agents, self.played.start, step)

    def life(self, agent: int = 0) -> Life:
        """Return the whole episode of an agent in columns; a death's last chance takes up to a second."""
        return _life(self._agents, self.played, self._markers, agent, self.recording)

    def results_at(self, step: int) -> list[AgentResult]:
        """Return how it went for each agent up to a step."""
        return [
            AgentResult(
                min(step, one.lived),
                float(returns[step]),
                FAILURE_REASONS[failure_at(one, step)],
            )
            for one, returns in zip(self._agents, self._returns, strict=True)
        ]

    def visits_at(self, step: int) -> dict[str, int]:
        """Return the visits of each visited cell up to a step."""
        counts = self._visits_before
        for one, cells in zip(self._agents, self._cells, strict=True):
            counts = counts + np.bincount(cells[: min(step, one.lived) + 1], minlength=len(self._keys))
        return {self._keys[cell]: int(counts[cell]) for cell in counts.nonzero()[0]}

    def snapshot(self, step: int, view: PolicyView) -> WorldSnapshot:
        """Return the world after a step, with those outputs of `view` that the replay has."""
        played = self._trajectory
        x, y = played.positions[step].tolist()
        raw = played.meters[step]
        # What the action was chosen from; at step 0, where there was none, the first observation.
        outputs = self.outputs_at(max(step - 1, 0), view.agent)
        is_last, several = step == self.steps, len(self._agents) > 1
        truncated = is_last and any(one.truncated for one in self._agents)
        return WorldSnapshot(
            x,
            y,
            played.normalised[step].tolist(),
            float(raw[_MONEY]),
            float(raw[_MOOD]),
            int(played.actions[step]),
            float(played.rewards[step]),
            played.components[step].tolist() if step else None,
            is_last and all(one.terminated for one in self._agents),
            truncated,
            played.failure_reason if is_last and played.terminated and not several else None,
            *outputs,
            tuple(self._agent_snapshot(one, step) for one in self._agents) if several else (),
            raw.tolist(),
        )

    def _agent_snapshot(self, agent: Trajectory, step: int) -> AgentSnapshot:
        x, y = agent.positions[step].tolist()
        raw = agent.meters[step]
        acted = 0 < step <= agent.lived
        return AgentSnapshot(
            x,
            y,
            agent.normalised[step].tolist(),
            float(raw[_MONEY]),
            float(raw[_MOOD]),
            int(agent.actions[step]) if acted else None,
            float(agent.rewards[step]),
            agent.components[step].tolist() if acted else None,
            FAILURE_REASONS[failure_at(agent, step)],
            int(agent.waiting_for[step]),
            raw.tolist(),
        )


def played_life(played: PlayedEpisode, agent: int = 0) -> Life:
    """Play a session's own episode out and return it in columns; takes as long as `Replay.life`."""
    trajectories = play_company(played.config, played.start, played.actions)
    return _life(trajectories, played, find_markers(*trajectories), agent, None)


def _life(
    trajectories: Sequence[Trajectory],
    played: PlayedEpisode,
    markers: tuple[Marker, ...],
    agent: int,
    recording: str | None,
) -> Life:
    """Return the life of one agent; of the first one where there are not so many."""
    agent = agent if agent < len(trajectories) else 0
    several = len(trajectories) > 1
    return life_of(
        trajectories[agent],
        played.start,
        episode=played.episode,
        model_name=played.model_name,
        recording=recording,
        markers=tuple(mark for mark in markers if not several or mark.agent == AGENT_IDS[agent]),
        agent=AGENT_IDS[agent] if several else UNSET,
    )
