"""The Gymnasium environment: one world with one agent."""

from typing import Any, Final

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray

from hamlet_trio.envs.env_common import (
    WorldLike,
    agent_info,
    check_options,
    check_random_start,
    find_config,
    observation_limits,
    plain,
    portable,
    random_start_option,
    with_fields,
)
from hamlet_trio.envs.rendering import FPS, RENDER_MODES, Renderer
from hamlet_trio.world import ACTIONS, ConfigError, RewardName, WorldConfig, Worlds

NO_LIMIT: Final = 10**9
"""`max_steps` of a world whose episodes Gymnasium cuts."""


class HamletEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """Hamlet-v0: a small survival world.

    Observation: Box, float32 (2 + 6 + width * height,): x / (width - 1), y / (height - 1), the normalised
    energy, hygiene, satiation, money, mood and social, then the grid row by row (affordances 1 to 8, the
    agent 9).
    Actions: Discrete(5), up, down, left, right, interact.
    Reward: `shaped` (default) or `survival`, see WorldConfig.
    Termination: a meter ran out. Truncation: the step limit was reached. Through `gymnasium.make` that is
    `max_episode_steps`, 500 unless given; `max_steps`, or that of `config`, can make episodes shorter.
    Info: `meters` (raw, by name), `failure_reason` (str or None), `position` (x, y).
    Reset options: `random_start` (bool): start anywhere, with random meters; others are refused.
    Render modes: `rgb_array` (540, 960, 3) uint8, `human` (a window), `ansi` (text).
    """

    # Gymnasium declares it on instances, so it cannot be a ClassVar.
    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": FPS}  # noqa: RUF012

    def __init__(
        self,
        config: WorldLike | None = None,
        *,
        reward: RewardName | None = None,
        max_steps: int | None = None,
        random_start: bool = False,
        render_mode: str | None = None,
    ) -> None:
        """Make the environment.

        Args:
            config: the world: a WorldConfig, a world's name, a world file, or the fields that it changes.
            reward: where given, in place of that of `config`.
            max_steps: likewise.
            random_start: whether episodes start anywhere unless the options of `reset` say otherwise.
            render_mode: `human`, `rgb_array`, `ansi` or None.

        Raises:
            ConfigError: for a world that is not allowed, or has several agents: those are for `parallel_env`.
            WorldError, UnknownWorldError, OSError: as `find_config`.
            ValueError: for an unknown render mode, or when `random_start` is not a boolean.
            ModuleNotFoundError: where a render mode needs an extra that is not installed.
        """
        self._has_limit = max_steps is not None or config is not None
        self._random_start = check_random_start(random_start)
        self.render_mode = render_mode
        self._spec: EnvSpec | None = None
        self._found = find_config(config)
        self._set_up(single_agent(with_fields(self._found, reward=reward, max_steps=max_steps)))
        self.action_space = gymnasium.spaces.Discrete(len(ACTIONS))
        low, high = observation_limits(self.config)
        self.observation_space = gymnasium.spaces.Box(low, high, dtype=np.float32)

    def _set_up(self, config: WorldConfig) -> None:
        self._worlds = Worlds(1, config)
        self._renderer = Renderer(self.render_mode, self._worlds)

    @property
    def config(self) -> WorldConfig:
        """The configuration of the world."""
        return self._worlds.config

    @property
    def spec(self) -> EnvSpec | None:
        """What the environment was made from, with its world as fields that JSON can hold."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = portable_spec(spec, self._found)
        if spec is not None and not self._has_limit:
            # `gymnasium.make` adds the limit, that of the registration or another one.
            self._set_up(with_fields(self.config, max_steps=NO_LIMIT))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode; a seed restarts the random numbers.

        Raises:
            ValueError: for an unknown option, or when `random_start` is not a boolean.
        """
        check_options(options)
        random_start = random_start_option(options, self._random_start)
        super().reset(seed=seed)
        self._worlds.reset(seeds=None if seed is None else [seed], random_start=random_start)
        self._renderer.begin()
        self._renderer.show()
        return self._worlds.observe()[0, 0], dict(agent_info(self._worlds, 0))

    def step(self, action: np.int64 | int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Take one step.

        Raises:
            EpisodeOverError: when the episode is over.
            ValueError: for an action other than 0 to 4.
        """
        actions = np.array([action])
        result = self._worlds.step(actions)
        if self.render_mode is not None:
            self._renderer.note(actions, result)
            self._renderer.show()
        return (
            self._worlds.observe()[0, 0],
            result.rewards.item(),
            result.terminated.item(),
            bool(self._worlds.steps[0] >= self.config.max_steps),
            {**agent_info(self._worlds, 0)},
        )

    def render(self) -> NDArray[np.uint8] | str | None:
        """Return the world as its render mode says: pixels, text, or nothing."""
        return self._renderer.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        self._renderer.close()


def single_agent(config: WorldConfig) -> WorldConfig:
    """Return the configuration, which must be of one agent. Raises `ConfigError`."""
    if config.num_agents != 1:
        allowed = "1 (hamlet_trio.world.parallel_env has several agents)"
        raise ConfigError("num_agents", config.num_agents, allowed)
    return config


def portable_spec(spec: EnvSpec | None, found: WorldConfig) -> EnvSpec | None:
    """Return the spec with arguments as JSON can hold them, and the world that was `found` as its fields."""
    if spec is not None:
        if "config" in spec.kwargs:
            spec.kwargs["config"] = portable(spec.kwargs["config"], found)
        spec.kwargs = plain(spec.kwargs)
    return spec
