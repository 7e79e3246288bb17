"""What is counted of each of several agents over an episode."""

from collections.abc import Sequence

from hamlet_trio.common.agents import AGENT_IDS, AgentResult, first_failure
from hamlet_trio.protocol.frames import AgentSnapshot


class AgentTally:
    """The return, the steps and the failure of each of A agents in the episode so far.

    Attributes:
        totals: the returns.
    """

    def __init__(self, num_agents: int) -> None:
        self.totals = [0.0] * num_agents
        self._steps = [0] * num_agents
        self._failures: list[str | None] = [None] * num_agents

    def add(self, company: Sequence[AgentSnapshot]) -> None:
        """Count a step."""
        for index, agent in enumerate(company):
            if agent.action is not None:
                self.totals[index] += agent.reward
                self._steps[index] += 1
                self._failures[index] = agent.failure_reason

    def replace(self, results: Sequence[AgentResult]) -> None:
        """Continue from these results."""
        self.totals = [result.total_reward for result in results]
        self._steps = [result.steps for result in results]
        self._failures = [result.failure_reason for result in results]

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps of each agent."""
        return tuple(self._steps)

    @property
    def results(self) -> dict[str, AgentResult]:
        """How the episode went so far for each agent, by id."""
        rows = zip(AGENT_IDS, self._steps, self.totals, self._failures, strict=False)
        return {agent_id: AgentResult(steps, total, failure) for agent_id, steps, total, failure in rows}

    @property
    def first_failure(self) -> str | None:
        """Why the first agent failed that did."""
        return first_failure(self.results.values())

    def has_ended(self, agent: int) -> bool:
        """Return whether an agent has failed."""
        return self._failures[agent] is not None
