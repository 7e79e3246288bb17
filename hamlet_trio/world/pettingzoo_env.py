"""The PettingZoo environment: one world with several agents that act at the same time."""

from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from hamlet_trio.world.config import ACTIONS, RewardName, WorldConfig
from hamlet_trio.world.env_common import (
    RENDER_MODES,
    AgentInfo,
    agent_info,
    check_render_mode,
    draw,
    make_config,
    observation_limits,
    random_start_option,
)
from hamlet_trio.world.worlds import Worlds

Observation = NDArray[np.float32]


class HamletParallelEnv(ParallelEnv[str, Observation, int]):  # type: ignore[misc] # pettingzoo is untyped
    """Agents `agent_0`, `agent_1`, ... in one world.

    Spaces, rewards and infos are those of HamletEnv; in an agent's grid the other live agents are 10 besides.
    An agent leaves `agents` when it ends; the others go on. `max_steps` truncates all that are left.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "name": "hamlet_v0",
        "render_modes": list(RENDER_MODES),
        "render_fps": 10,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        config: WorldConfig | None = None,
        *,
        num_agents: int | None = None,
        reward: RewardName | None = None,
        max_steps: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Make the environment; the other arguments, where given, go before those of `config`.

        Raises:
            ConfigError: for a world that cannot be.
            ValueError: for an unknown render mode.
        """
        made = make_config(config, reward=reward, max_steps=max_steps, num_agents=num_agents)
        check_render_mode(render_mode)
        self.render_mode = render_mode
        self.possible_agents = [f"agent_{index}" for index in range(made.num_agents)]
        self.agents: list[str] = []
        self._index = {agent: index for index, agent in enumerate(self.possible_agents)}
        self._worlds = Worlds(1, made)
        low, high = observation_limits(made)
        self.observation_spaces = {
            agent: gymnasium.spaces.Box(low, high, dtype=np.float32) for agent in self.possible_agents
        }
        self.action_spaces = {
            agent: gymnasium.spaces.Discrete(len(ACTIONS)) for agent in self.possible_agents
        }

    @property
    def config(self) -> WorldConfig:
        """The configuration of the world."""
        return self._worlds.config

    def observation_space(self, agent: str) -> gymnasium.spaces.Box:
        """Return the space of an agent's observations, the same object each time."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.spaces.Discrete:
        """Return the space of an agent's actions, the same object each time."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, AgentInfo]]:
        """Begin an episode with all agents; a seed restarts the random numbers.

        Raises:
            ValueError: when the option `random_start` is not a boolean.
        """
        random_start = random_start_option(options)
        self._worlds.reset(seeds=None if seed is None else [seed], random_start=random_start)
        self.agents = list(self.possible_agents)
        return self._observations(self.agents), self._infos(self.agents)

    def step(
        self, actions: dict[str, int]
    ) -> tuple[
        dict[str, Observation],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, AgentInfo],
    ]:
        """Take one step with an action for each of `agents`; the results are of those.

        Raises:
            EpisodeOverError: when no agent is left.
            ValueError: for a missing agent, one that is not there, or an action other than 0 to 4.
        """
        acting = self.agents
        if actions.keys() != set(acting):
            allowed = ", ".join(acting) or "none: reset first"
            given = ", ".join(actions) or "nobody"
            raise ValueError(f"actions is of {given}; allowed: one each of {allowed}")
        row = [actions.get(agent, 0) for agent in self.possible_agents]
        result = self._worlds.step([row])
        rewards, ended, cut = result.rewards[0], result.terminated[0], result.truncated[0]
        index = self._index
        self.agents = [agent for agent in acting if not (ended[index[agent]] or cut[index[agent]])]
        return (
            self._observations(acting),
            {agent: float(rewards[index[agent]]) for agent in acting},
            {agent: bool(ended[index[agent]]) for agent in acting},
            {agent: bool(cut[index[agent]]) for agent in acting},
            self._infos(acting),
        )

    def render(self) -> str | None:
        """Return the world as text in the render mode `ansi`, else nothing."""
        return draw(self._worlds) if self.render_mode == "ansi" else None

    def close(self) -> None:
        """Do nothing: there are no resources to release."""

    def _observations(self, agents: list[str]) -> dict[str, Observation]:
        seen = self._worlds.observe()[0]
        return {agent: seen[self._index[agent]] for agent in agents}

    def _infos(self, agents: list[str]) -> dict[str, AgentInfo]:
        return {agent: agent_info(self._worlds, self._index[agent]) for agent in agents}
