"""Several agents in each world of a run: who acts, and what each one has gained in its episode."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hamlet_trio.agent.learner import DQNLearner
from hamlet_trio.common.agents import AGENT_IDS, AgentResult
from hamlet_trio.recording.trajectory import waits
from hamlet_trio.world import FAILURE_REASONS, StepResult, Worlds


class AgentStep(Struct, frozen=True):
    """One step of one of several agents in the first world.

    Attributes:
        action: None for an agent that had failed before.
        total, steps: its return and its steps so far.
        waiting_for: number of the agent that an affordance served in its place, or -1.
    """

    action: int | None
    reward: float
    total: float
    steps: int
    waiting_for: int


class Company:
    """Count the return and the steps of each of A agents in N worlds, in their episodes under way.

    Attributes:
        acting: (N, A) bool, who was alive before the last step, and so took part in it.
        totals: (N, A) float64, the returns so far.
    """

    def __init__(self, worlds: Worlds) -> None:
        self._worlds = worlds
        shape = (worlds.num_worlds, worlds.num_agents)
        self.acting: NDArray[np.bool_] = np.ones(shape, dtype=np.bool_)
        self.totals: NDArray[np.float64] = np.zeros(shape)
        self._steps = np.zeros(shape, dtype=np.int64)

    def begin(self, worlds: NDArray[np.intp]) -> None:
        """Begin episodes in these worlds."""
        self.totals[worlds] = 0.0
        self._steps[worlds] = 0

    def step(
        self,
        learner: DQNLearner,
        chosen: NDArray[np.int64],
        observations: NDArray[np.float32],
        next_observations: NDArray[np.float32],
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], tuple[AgentStep, ...]]:
        """Make one step in every world, and let the learner remember that of each agent that is alive.

        `chosen` are the N * A actions, `observations` what they were chosen from, (N * A, m). What is seen
        after the step is written to `next_observations`. Returns the actions carried out, 0 for agents that
        had failed; the mean reward in each world, (N,); and the steps in the first world.
        """
        worlds = self._worlds
        actions = np.where(worlds.alive, chosen.reshape(self.acting.shape), 0)
        result = self.advance(actions)
        streams = np.flatnonzero(self.acting)
        worlds.observe(out=next_observations.reshape(*self.acting.shape, -1))
        learner.remember(
            observations=observations[streams],
            actions=actions.ravel()[streams],
            rewards=result.rewards.ravel()[streams],
            next_observations=next_observations[streams],
            terminated=result.terminated.ravel()[streams],
            truncated=result.truncated.ravel()[streams],
            streams=streams,
        )
        return actions.ravel(), result.rewards.mean(axis=1), self.first_world(actions, result)

    def advance(self, actions: NDArray[np.integer]) -> StepResult:
        """Make one step in every world and count it; `actions` are (N, A), any for agents that had failed."""
        self.acting = self._worlds.alive.copy()
        result = self._worlds.step(actions)
        self.totals += result.rewards
        self._steps += self.acting
        return result

    def results(self, world: int) -> dict[str, AgentResult]:
        """Return how the episode in a world went for each agent, by id."""
        rows = zip(
            AGENT_IDS,
            self._steps[world].tolist(),
            self.totals[world].tolist(),
            self._worlds.failure[world].tolist(),
            strict=False,
        )
        return {
            agent_id: AgentResult(steps, total, FAILURE_REASONS[code])
            for agent_id, steps, total, code in rows
        }

    def first_world(self, actions: NDArray[np.integer], result: StepResult) -> tuple[AgentStep, ...]:
        """Return the step of each agent in the first world; `actions` (N, A) are those of all."""
        agents = self._worlds.num_agents
        acting, waiting = self.acting[0].tolist(), [-1] * agents
        if self._worlds.config.contention:
            waiting = waits(self._worlds.positions[0], actions[0], result.interacted[0], self.acting[0])
        return tuple(
            AgentStep(
                int(actions[0, agent]) if acting[agent] else None,
                float(result.rewards[0, agent]),
                float(self.totals[0, agent]),
                int(self._steps[0, agent]),
                waiting[agent],
            )
            for agent in range(agents)
        )

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of everything, as plain values."""
        return {"totals": self.totals.tolist(), "steps": self._steps.tolist()}

    def load_state_dict(self, state: dict[str, Sequence[Any]]) -> None:
        """Go on exactly from where `state_dict` was taken, for as many worlds and agents."""
        self.totals[:] = state["totals"]
        self._steps[:] = state["steps"]
