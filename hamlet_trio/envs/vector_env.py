"""The native vector environment of Gymnasium: N worlds stepped as arrays, not one by one."""

from collections.abc import Sequence
from typing import Any, Final

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from hamlet_trio.envs.env_common import (
    WorldLike,
    check_options,
    check_random_start,
    check_seeds,
    find_config,
    observation_limits,
    random_start_option,
    with_fields,
)
from hamlet_trio.envs.gymnasium_env import NO_LIMIT, portable_spec, single_agent
from hamlet_trio.envs.rendering import FPS, RENDER_MODES, Renderer
from hamlet_trio.world import ACTIONS, FAILURE_REASONS, METERS, RewardName, WorldConfig, Worlds
from hamlet_trio.world.checks import check_count

Observations = NDArray[np.float32]
Step = tuple[Observations, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]

_REASONS: Final = np.array(FAILURE_REASONS, dtype=object)


class HamletVectorEnv(VectorEnv[Observations, NDArray[np.int64], NDArray[Any]]):
    """Many worlds of Hamlet-v0 at once; `gymnasium.make_vec("hamlet_trio:Hamlet-v0", N)` makes one.

    Spaces, rewards, ends and render modes are those of HamletEnv; the window of mode `human` shows world 0.
    Infos are arrays with a mask each, as those of Gymnasium's vector environments: `meters` by name (N,)
    float64, `position` (N, 2) int64, `failure_reason` (N,) objects.

    Autoreset: `NEXT_STEP` (default) begins a world's next episode with the step after its last one, whose
    action is ignored; `SAME_STEP` begins it at once, and puts the last observation and info into `final_obs`
    and `final_info`; with `DISABLED` the option `reset_mask` of `reset` chooses the worlds.
    """

    def __init__(
        self,
        num_envs: int = 1,
        config: WorldLike | None = None,
        *,
        reward: RewardName | None = None,
        max_steps: int | None = None,
        max_episode_steps: int | None = None,
        random_start: bool = False,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    ) -> None:
        """Make the environments; arguments and errors are those of HamletEnv.

        `max_episode_steps` is Gymnasium's limit, of which and `max_steps` the smaller one counts.
        """
        check_count("num_envs", num_envs)
        self._found = find_config(config)
        made = single_agent(with_fields(self._found, reward=reward, max_steps=max_steps))
        if max_episode_steps is not None:
            limit = NO_LIMIT
            if max_episode_steps != -1:  # which means none, as for `gymnasium.make`
                check_count("max_episode_steps", max_episode_steps)
                limit = max_episode_steps
            if max_steps is not None or config is not None:
                limit = min(made.max_steps, limit)
            made = with_fields(made, max_steps=limit)
        self._mode = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": list(RENDER_MODES), "render_fps": FPS, "autoreset_mode": self._mode}
        self.num_envs = num_envs
        self.render_mode = render_mode
        self._spec: EnvSpec | None = None
        self._random_start = self._now_random = check_random_start(random_start)
        self._worlds = Worlds(num_envs, made)
        self._renderer = Renderer(render_mode, self._worlds)
        low, high = observation_limits(made)
        self.single_observation_space = gymnasium.spaces.Box(low, high, dtype=np.float32)
        self.single_action_space = gymnasium.spaces.Discrete(len(ACTIONS))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    @property
    def config(self) -> WorldConfig:
        """The configuration of the worlds."""
        return self._worlds.config

    @property
    def spec(self) -> EnvSpec | None:
        """What the environment was made from, with its world as fields that JSON can hold."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = portable_spec(spec, self._found)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin an episode in every world, or in those of the option `reset_mask`, (N,) bool.

        World i gets the seed `seed + i`, or `seed[i]`; a world without one goes on with its random numbers.

        Raises:
            ValueError: for an unknown option or a wrong one, for a seed that is no whole number, and for
                seeds of another number.
        """
        check_options(options, also=("reset_mask",))
        self._now_random = random_start_option(options, self._random_start)
        mask = _mask(options, self.num_envs)
        for index, one in enumerate(check_seeds(seed, self.num_envs)):
            if one is not None and mask[index]:
                self._worlds.reset([index], seeds=[one])
        self._begin(np.flatnonzero(mask))
        self._renderer.show()
        return self._worlds.observe()[:, 0], self._infos(mask)

    def step(self, actions: ArrayLike) -> Step:
        """Take one step in every world.

        Returns observations (N, size) float32, rewards (N,) float64, terminations and truncations (N,) bool,
        and infos. As with Gymnasium's `TimeLimit`, a life that ends at the last step is truncated too.

        Raises:
            ValueError: for actions of another number, or other than 0 to 4.
            EpisodeOverError: with autoreset `DISABLED`, when a world has to be reset first.
        """
        given = np.asarray(actions)
        if given.shape != (self.num_envs,):
            raise ValueError(f"actions has the shape {given.shape}; allowed: ({self.num_envs},)")
        if self._mode is AutoresetMode.NEXT_STEP and self._worlds.over.any():
            return self._step_and_begin(given)
        result = self._worlds.step(given)
        self._renderer.note(given, result)
        rewards, ended = result.rewards[:, 0], result.terminated[:, 0]
        cut = self._worlds.steps >= self._worlds.config.max_steps
        infos: dict[str, Any] = {}
        over = ended | cut
        if self._mode is AutoresetMode.SAME_STEP and over.any():
            infos |= {"final_obs": self._worlds.observe()[:, 0], "_final_obs": over}
            infos["final_obs"][~over] = 0
            infos |= {"final_info": self._infos(over), "_final_info": over}
            self._begin(np.flatnonzero(over))
        self._renderer.show()
        return self._worlds.observe()[:, 0], rewards, ended, cut, infos | self._infos(np.ones_like(over))

    def _step_and_begin(self, actions: NDArray[Any]) -> Step:
        """Begin the next episode of worlds whose last one is over, and step the others."""
        over = self._worlds.over.copy()
        rewards = np.zeros(self.num_envs)
        ended, cut = np.zeros_like(over), np.zeros_like(over)
        stepping = np.flatnonzero(~over)
        if stepping.size:
            result = self._worlds.step(actions[stepping], stepping)
            rewards[stepping] = result.rewards[:, 0]
            ended[stepping] = result.terminated[:, 0]
            cut[stepping] = self._worlds.steps[stepping] >= self._worlds.config.max_steps
            self._renderer.note(actions[stepping], result, stepping)
        self._begin(np.flatnonzero(over))
        self._renderer.show()
        return self._worlds.observe()[:, 0], rewards, ended, cut, self._infos(np.ones_like(over))

    def render(self) -> tuple[Any, ...] | None:
        """Return a tuple of each world as its render mode says, or None without one."""
        if self.render_mode is None:
            return None
        return tuple(self._renderer.render(world) for world in range(self.num_envs))

    def close_extras(self, **_: Any) -> None:
        """Close the window, if there is one."""
        self._renderer.close()

    def _begin(self, worlds: NDArray[np.intp]) -> None:
        self._worlds.reset(worlds, random_start=self._now_random)
        self._renderer.begin(worlds)

    def _infos(self, mask: NDArray[np.bool_]) -> dict[str, Any]:
        """Return the infos of the worlds of a mask, as Gymnasium writes those of several environments."""
        meters: dict[str, NDArray[Any]] = {}
        for index, name in enumerate(METERS):
            meters[name] = np.where(mask, self._worlds.meters[:, 0, index], 0.0)
            meters[f"_{name}"] = mask
        reasons = _REASONS[self._worlds.failure[:, 0]]
        positions = np.where(mask[:, None], self._worlds.positions[:, 0], 0)
        return {
            "meters": meters,
            "_meters": mask,
            "failure_reason": np.where(mask, reasons, np.array(None)),
            "_failure_reason": mask,
            "position": positions,
            "_position": mask,
        }


def _mask(options: dict[str, Any] | None, num_envs: int) -> NDArray[np.bool_]:
    mask = (options or {}).get("reset_mask")
    if mask is None:
        return np.ones(num_envs, dtype=np.bool_)
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (num_envs,):
        raise ValueError(f"options.reset_mask is {mask!r}; allowed: a boolean array of {num_envs} values")
    if not mask.any():
        raise ValueError("options.reset_mask chooses no world; allowed: at least one that is true")
    return mask
