"""An episode played out: every state that its actions lead to from its start."""

import hashlib
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hamlet_trio.common.agents import AGENT_IDS, AgentResult
from hamlet_trio.world import (
    FAILURE_REASONS,
    INTERACT,
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
    """One agent in an episode of N steps. Row 0 is its start, row k the agent after step k.

    An agent among others may fail before the episode ends; from then on its rows stay as they are, and its
    actions and rewards are 0.

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
        terminated, truncated: how the episode ended for the agent, where it did.
        failure_reason: why, for one that terminated.
        lived: steps until the agent failed, else N.
        waiting_for: (N + 1,) int8, the number of the agent that an affordance served in its place, or -1.
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
    lived: int
    waiting_for: NDArray[np.int8]

    @property
    def steps(self) -> int:
        """N, the number of steps."""
        return len(self.actions) - 1

    @property
    def over(self) -> bool:
        """Whether the episode ended for the agent, rather than being cut off."""
        return self.terminated or self.truncated

    def returns(self) -> NDArray[np.float64]:
        """Return the return after each step, (N + 1,) float64; added up in order, as a session does."""
        return np.cumsum(self.rewards)

    def digest(self) -> str:
        """Return the digest of the episode of one agent, as `digest_of`."""
        return digest_of((self,))


def digest_of(trajectories: Sequence[Trajectory]) -> str:
    """Return a SHA-256 of all cells, raw meters and rewards of an episode's agents.

    Episodes of equal digest are equal.
    """
    sums = hashlib.sha256()
    for name, kind in (("positions", "<i8"), ("meters", "<f8"), ("rewards", "<f8")):
        values = np.stack([getattr(one, name) for one in trajectories], axis=1)
        sums.update(values.astype(kind).tobytes())
    return sums.hexdigest()


def results_of(trajectories: Sequence[Trajectory]) -> dict[str, AgentResult]:
    """Return how an episode went for each of its agents, by id."""
    return {
        agent_id: AgentResult(one.lived, float(one.rewards.sum()), one.failure_reason)
        for agent_id, one in zip(AGENT_IDS, trajectories, strict=False)
    }


def failure_at(trajectory: Trajectory, step: int) -> int:
    """Return the code in FAILURE_REASONS of the failure that had ended the agent by a step; 0 for none."""
    if not trajectory.terminated or step < trajectory.lived:
        return 0
    return FAILURE_REASONS.index(trajectory.failure_reason)


def state_after(trajectory: Trajectory, start: WorldState, step: int) -> WorldState:
    """Return the state of a world of one agent, as `state_of_company`."""
    return state_of_company((trajectory,), start, step)


def state_of_company(trajectories: Sequence[Trajectory], start: WorldState, step: int) -> WorldState:
    """Return the world's state, bit for bit, after a step that did not end the episode begun at `start`."""
    meters = (one.meters[step].tolist() for one in trajectories)
    return WorldState(
        positions=tuple((x, y) for x, y in (one.positions[step].tolist() for one in trajectories)),
        meters=tuple((e, h, f, c, m, s) for e, h, f, c, m, s in meters),
        failures=tuple(failure_at(one, step) for one in trajectories),
        steps=start.steps + step,
        random=start.random,
    )


def play(config: WorldConfig, start: WorldState, actions: bytes | Sequence[int]) -> Trajectory:
    """Play `actions` (0 to 4 each) from `start`, in a world of one agent; raises as `play_company` does."""
    if config.num_agents != 1:
        raise ValueError(f"the world has {config.num_agents} agents; an episode of one agent can be played")
    (trajectory,) = play_company(config, start, actions)
    return trajectory


def play_company(
    config: WorldConfig, start: WorldState, actions: bytes | Sequence[int]
) -> tuple[Trajectory, ...]:
    """Play the actions of A agents, A for each step, from `start`; return the trajectory of each agent.

    Those of agents that have failed are ignored. Raises `ValueError` for a start that such a world cannot be
    in, an unknown action, actions that are not A a step, and actions after the end of the episode.
    """
    agents = config.num_agents
    worlds = Worlds(1, config)
    worlds.set_state(0, start)
    count, rest = divmod(len(actions), agents)
    if rest:
        raise ValueError(f"there are {len(actions)} actions; allowed: {agents} for each step")
    given = np.frombuffer(bytes(actions), dtype=np.uint8).reshape(count, agents)
    shape = (count + 1, agents)
    positions = np.zeros((*shape, 2), dtype=np.int64)
    meters = np.zeros((*shape, len(METERS)))
    normalised = np.zeros((*shape, len(METERS)))
    rewards = np.zeros(shape)
    components = np.zeros((*shape, _PARTS))
    interacted = np.full(shape, -1, dtype=np.int8)
    waiting = np.full(shape, -1, dtype=np.int8)
    alive = np.zeros(shape, dtype=np.bool_)
    observations = np.zeros((count, agents, config.observation_size), dtype=np.float32)

    def store(row: int) -> None:
        positions[row] = worlds.positions[0]
        meters[row] = worlds.meters[0]
        normalised[row] = worlds.normalised()[0]
        alive[row] = worlds.alive[0]

    store(0)
    truncated = np.zeros(agents, dtype=np.bool_)
    for index, row in enumerate(given):
        worlds.observe(out=observations[index][None])
        result = _step(worlds, row)
        assert result.components is not None  # they were asked for
        store(index + 1)
        rewards[index + 1] = result.rewards[0]
        components[index + 1] = np.stack([part[0] for part in result.components], axis=1)
        interacted[index + 1] = result.interacted[0]
        truncated = result.truncated[0]
        if config.contention and agents > 1:
            waiting[index + 1] = waits(positions[index + 1], row, result.interacted[0], alive[index])
    kept = np.zeros(shape, dtype=np.uint8)
    kept[1:] = np.where(alive[:-1], given, 0)
    failures = worlds.failure[0].tolist()
    return tuple(
        Trajectory(
            config=config,
            positions=positions[:, agent],
            meters=meters[:, agent],
            normalised=normalised[:, agent],
            actions=kept[:, agent],
            rewards=rewards[:, agent],
            components=components[:, agent],
            interacted=interacted[:, agent],
            observations=observations[:, agent],
            terminated=failures[agent] != 0,
            truncated=bool(truncated[agent]),
            failure_reason=FAILURE_REASONS[failures[agent]],
            lived=int(alive[:-1, agent].sum()),
            waiting_for=waiting[:, agent],
        )
        for agent in range(agents)
    )


def waits(
    positions: NDArray[np.int64],
    actions: NDArray[np.integer],
    interacted: NDArray[np.int8],
    acting: NDArray[np.bool_],
) -> list[int]:
    """Return for each of A agents which other one an affordance served in its place in a step, or -1.

    `positions` (A, 2), `actions` (A,), `interacted` (A,) and `acting` (A,) are those of a step in a world
    with contention.
    """
    cells = [tuple(cell) for cell in positions.tolist()]
    served = {cell: agent for agent, cell in enumerate(cells) if interacted[agent] >= 0}
    return [
        served.get(cell, -1) if acting[agent] and actions[agent] == INTERACT and interacted[agent] < 0 else -1
        for agent, cell in enumerate(cells)
    ]


def _step(worlds: Worlds, actions: NDArray[np.uint8]) -> StepResult:
    try:
        return worlds.step(actions[None], components=True)
    except EpisodeOverError:
        raise ValueError("there are actions after the end of the episode") from None
