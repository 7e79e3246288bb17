"""The Gymnasium environment: one world with one agent."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from hamlet_trio.world.checks import ConfigError
from hamlet_trio.world.config import ACTIONS, RewardName, WorldConfig
from hamlet_trio.world.env_common import (
    RENDER_MODES,
    agent_info,
    check_render_mode,
    draw,
    make_config,
    observation_limits,
    random_start_option,
)
from hamlet_trio.world.worlds import Worlds


class HamletEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """Hamlet-v0: a small survival world.

    Observation: Box, float32 (2 + 6 + width * height,): x / (width - 1), y / (height - 1), the normalised
    energy, hygiene, satiation, money, mood and social, then the grid row by row (affordances 1 to 8, the
    agent 9).
    Actions: Discrete(5), up, down, left, right, interact.
    Reward: `shaped` (default) or `survival`, see WorldConfig.
    Termination: a meter ran out. Truncation: `max_steps` reached.
    Info: `meters` (raw, by name), `failure_reason` (str or None), `position` (x, y).
    Reset options: `random_start` (bool): start anywhere, with random meters.
    """

    # Gymnasium declares it on instances, so it cannot be a ClassVar.
    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 10}  # noqa: RUF012

    def __init__(
        self,
        config: WorldConfig | None = None,
        *,
        reward: RewardName | None = None,
        max_steps: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Make the environment; `reward` and `max_steps`, where given, go before those of `config`.

        Raises:
            ConfigError: for a world that cannot be, or one of several agents: those are for `parallel_env`.
            ValueError: for an unknown render mode.
        """
        made = make_config(config, reward=reward, max_steps=max_steps)
        if made.num_agents != 1:
            raise ConfigError(
                "num_agents", made.num_agents, "1 (hamlet_trio.world.parallel_env has several agents)"
            )
        check_render_mode(render_mode)
        self.render_mode = render_mode
        self._worlds = Worlds(1, made)
        low, high = observation_limits(made)
        self.observation_space = gymnasium.spaces.Box(low, high, dtype=np.float32)
        self.action_space = gymnasium.spaces.Discrete(len(ACTIONS))

    @property
    def config(self) -> WorldConfig:
        """The configuration of the world."""
        return self._worlds.config

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode; a seed restarts the random numbers.

        Raises:
            ValueError: when the option `random_start` is not a boolean.
        """
        random_start = random_start_option(options)
        super().reset(seed=seed)
        self._worlds.reset(seeds=None if seed is None else [seed], random_start=random_start)
        return self._worlds.observe()[0, 0], dict(agent_info(self._worlds, 0))

    def step(self, action: np.int64 | int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Take one step.

        Raises:
            EpisodeOverError: when the episode is over.
            ValueError: for an action other than 0 to 4.
        """
        result = self._worlds.step(np.array([action]))
        return (
            self._worlds.observe()[0, 0],
            result.rewards.item(),
            result.terminated.item(),
            result.truncated.item(),
            {**agent_info(self._worlds, 0)},
        )

    def render(self) -> str | None:
        """Return the world as text in the render mode `ansi`, else nothing."""
        return draw(self._worlds) if self.render_mode == "ansi" else None
