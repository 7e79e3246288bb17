"""An episode played out: every state that its actions lead to from its start."""

import hashlib
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hamlet_trio.world import (
    FAILURE_REASONS,
    METERS,
    EpisodeOverError,
    RewardComponents,
    StepResult,
    WorldConfig,
    Worlds,
    WorldState,
)

_PARTS = len(RewardComponents._fields)


class Trajectory(Struct, frozen=True, kw_only=True):
    """An episode of N steps in a world of one agent. Row 0 is its start, row k the world after step k.

    Attributes:
        config: the world's.
        positions: (N + 1, 2) int64, x and y.
        meters: (N + 1, 6) float64, raw, in the order of METERS.
        normalised: (N + 1, 6) float64, the same as parts of 1.
        actions: (N + 1,) uint8, what was done in the step; 0 in row 0.
        rewards: (N + 1,) float64; 0 in row 0.
        components: (N + 1, 5) float64, what the rewards are made of, in the order of RewardComponents.
        interacted: (N + 1,) int8, the index in `config.affordances` of what was used, or -1.
        observations: (N, observation_size) float32, what each action was chosen from.
        terminated, truncated: how the last step ended the episode, where it did.
        failure_reason: why, for one that terminated.
    """

    config: WorldConfig
    positions: NDArray[np.int64]
    meters: NDArray[np.float64]
    normalised: NDArray[np.float64]
    actions: NDArray[np.uint8]
    rewards: NDArray[np.float64]
    components: NDArray[np.float64]
    interacted: NDArray[np.int8]
    observations: NDArray[np.float32]
    terminated: bool
    truncated: bool
    failure_reason: str | None

    @property
    def steps(self) -> int:
        """N, the number of steps."""
        return len(self.actions) - 1

    @property
    def over(self) -> bool:
        """Whether the episode ended with the last step, rather than being cut off."""
        return self.terminated or self.truncated

    def returns(self) -> NDArray[np.float64]:
        """Return the return after each step, (N + 1,) float64; added up in order, as a session does."""
        return np.cumsum(self.rewards)

    def digest(self) -> str:
        """Return a SHA-256 of all cells, raw meters and rewards; trajectories of equal digest are equal."""
        sums = hashlib.sha256()
        for values in (self.positions.astype("<i8"), self.meters.astype("<f8"), self.rewards.astype("<f8")):
            sums.update(values.tobytes())
        return sums.hexdigest()


def state_after(trajectory: Trajectory, start: WorldState, step: int) -> WorldState:
    """Return the world's state, bit for bit, after a step that did not end the episode begun at `start`."""
    x, y = trajectory.positions[step].tolist()
    energy, hygiene, satiation, money, mood, social = trajectory.meters[step].tolist()
    return WorldState(
        positions=((x, y),),
        meters=((energy, hygiene, satiation, money, mood, social),),
        failures=(0,),
        steps=start.steps + step,
        random=start.random,
    )


def play(config: WorldConfig, start: WorldState, actions: bytes | Sequence[int]) -> Trajectory:
    """Play `actions` (0 to 4 each) from `start`, in a world of one agent.

    Raises `ValueError` for a start that such a world cannot be in, an unknown action, and actions after the
    end of the episode.
    """
    if config.num_agents != 1:
        raise ValueError(f"the world has {config.num_agents} agents; an episode of one agent can be played")
    worlds = Worlds(1, config)
    worlds.set_state(0, start)
    count = len(actions)
    positions = np.zeros((count + 1, 2), dtype=np.int64)
    meters = np.zeros((count + 1, len(METERS)))
    normalised = np.zeros((count + 1, len(METERS)))
    rewards = np.zeros(count + 1)
    components = np.zeros((count + 1, _PARTS))
    interacted = np.full(count + 1, -1, dtype=np.int8)
    observations = np.zeros((count, config.observation_size), dtype=np.float32)
    terminated = truncated = False

    def store(row: int) -> None:
        positions[row] = worlds.positions[0, 0]
        meters[row] = worlds.meters[0, 0]
        normalised[row] = worlds.normalised()[0, 0]

    store(0)
    for index, action in enumerate(actions):
        worlds.observe(out=observations[index].reshape(1, 1, -1))
        result = _step(worlds, action)
        assert result.components is not None  # they were asked for
        store(index + 1)
        rewards[index + 1] = result.rewards[0, 0]
        components[index + 1] = np.concatenate(result.components, axis=1)[0]
        interacted[index + 1] = result.interacted[0, 0]
        terminated, truncated = bool(result.terminated[0, 0]), bool(result.truncated[0, 0])
    return Trajectory(
        config=config,
        positions=positions,
        meters=meters,
        normalised=normalised,
        actions=np.array([0, *actions], dtype=np.uint8),
        rewards=rewards,
        components=components,
        interacted=interacted,
        observations=observations,
        terminated=terminated,
        truncated=truncated,
        failure_reason=FAILURE_REASONS[int(worlds.failure[0, 0])],
    )


def _step(worlds: Worlds, action: int) -> StepResult:
    try:
        return worlds.step([action], components=True)
    except EpisodeOverError:
        raise ValueError("there are actions after the end of the episode") from None
