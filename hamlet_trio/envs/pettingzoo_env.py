"""The PettingZoo environment: one world with several agents that act at the same time."""

from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from hamlet_trio.envs.env_common import (
    AgentInfo,
    WorldLike,
    agent_info,
    check_random_start,
    check_seed,
    find_config,
    observation_limits,
    random_start_option,
    with_fields,
)
from hamlet_trio.envs.rendering import FPS, RENDER_MODES, Renderer
from hamlet_trio.world import ACTIONS, RewardName, WorldConfig, Worlds

Observation = NDArray[np.float32]


class HamletParallelEnv(ParallelEnv[str, Observation, int]):  # type: ignore[misc] # pettingzoo is untyped
    """Agents `agent_0`, `agent_1`, ... in one world.

    Spaces, rewards and infos are those of HamletEnv; in an agent's grid the other live agents are 10 besides.
    An agent leaves `agents` when it ends; the others go on. `max_steps` truncates all that are left.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "name": "hamlet_v0",
        "render_modes": list(RENDER_MODES),
        "render_fps": FPS,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        config: WorldLike | None = None,
        *,
        num_agents: int | None = None,
        reward: RewardName | None = None,
        max_steps: int | None = None,
        random_start: bool = False,
        render_mode: str | None = None,
    ) -> None:
        """Make the environment; arguments and errors are those of HamletEnv.

        `num_agents`, where given, goes before that of `config`. A picture shows the first agent's meters.
        """
        made = with_fields(find_config(config), reward=reward, max_steps=max_steps, num_agents=num_agents)
        self._random_start = check_random_start(random_start)
        self.render_mode = render_mode
        self.possible_agents = [f"agent_{index}" for index in range(made.num_agents)]
        self.agents: list[str] = []
        self._index = {agent: index for index, agent in enumerate(self.possible_agents)}
        self._worlds = Worlds(1, made)
        self._renderer = Renderer(render_mode, self._worlds)
        low, high = observation_limits(made)
        self.observation_spaces = {
            agent: gymnasium.spaces.Box(low, high, dtype=np.float32) for agent in self.possible_agents
        }
        size = made.num_agents
        self.state_space = gymnasium.spaces.Box(np.tile(low, size), np.tile(high, size), dtype=np.float32)
        self.action_spaces = {
            agent: gymnasium.spaces.Discrete(len(ACTIONS)) for agent in self.possible_agents
        }

    def __repr__(self) -> str:
        return f"<HamletParallelEnv: {self._worlds!r}>"

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

        Unknown options are ignored, as PettingZoo's API test demands.

        Raises:
            TypeError: when the options are no dict.
            ValueError: for a seed that is no whole number, or an option `random_start` that is not a boolean.
        """
        random_start = random_start_option(options, self._random_start)
        seed = check_seed(seed)
        self._worlds.reset(seeds=None if seed is None else [seed], random_start=random_start)
        self.agents = list(self.possible_agents)
        self._renderer.begin()
        self._renderer.show()
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

        When no agent is left, no actions are answered by empty results.

        Raises:
            ValueError: for a missing agent, one that is not there, or an action other than 0 to 4.
        """
        acting = self.agents
        if actions.keys() != set(acting):
            allowed = ", ".join(acting) or "none: reset first"
            given = ", ".join(actions) or "nobody"
            raise ValueError(f"actions is of {given}; allowed: one each of {allowed}")
        if not acting:
            return {}, {}, {}, {}, {}
        row = [actions.get(agent, 0) for agent in self.possible_agents]
        result = self._worlds.step([row])
        if self.render_mode is not None:
            self._renderer.note([row[0]], result)
            self._renderer.show()
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

    def state(self) -> Observation:
        """Return the observations of all agents, one after the other, (A * size,) float32."""
        observations: Observation = self._worlds.observe()[0].ravel()
        return observations

    def render(self) -> NDArray[np.uint8] | str | None:
        """Return the world as its render mode says: pixels, text, or nothing."""
        return self._renderer.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        self._renderer.close()

    def _observations(self, agents: list[str]) -> dict[str, Observation]:
        seen = self._worlds.observe()[0]
        return {agent: seen[self._index[agent]] for agent in agents}

    def _infos(self, agents: list[str]) -> dict[str, AgentInfo]:
        return {agent: agent_info(self._worlds, self._index[agent]) for agent in agents}
