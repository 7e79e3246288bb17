"""Render a run's frames: what `/ws/training` shows of one step."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hamlet_trio.common.agents import AgentResult, first_failure
from hamlet_trio.protocol.frames import AgentSnapshot, FrameBuilder, WorldSnapshot, heat_map_of
from hamlet_trio.protocol.messages import TrainingStateUpdate
from hamlet_trio.training.company import AgentStep
from hamlet_trio.training.episodes import StepOutcome
from hamlet_trio.world import FAILURE_REASONS, METERS, WorldConfig, Worlds

_MONEY, _MOOD = METERS.index("money"), METERS.index("mood")


def run_heat_map(visits: NDArray[np.int64]) -> dict[str, float]:
    """Return the heat map of a run's visits, (height, width)."""
    rows, columns = (indices.tolist() for indices in visits.nonzero())
    return heat_map_of({f"{x},{y}": int(visits[y, x]) for y, x in zip(rows, columns, strict=True)})


class FrameRenderer:
    """Render frames of worlds of one configuration, from the first of them."""

    def __init__(self, config: WorldConfig) -> None:
        self._frames = FrameBuilder(config)

    def render(self, worlds: Worlds, outcome: StepOutcome, heat_map: dict[str, float]) -> TrainingStateUpdate:
        """Return the frame of the step that these worlds just made."""
        x, y = worlds.positions[0, 0].tolist()
        raw = worlds.meters[0, 0].tolist()
        failure = FAILURE_REASONS[int(worlds.failure[0, 0])] if outcome.done else None
        terminated, agents = outcome.done and not worlds.alive[0].any(), outcome.agents
        if agents and outcome.done:
            failure = first_failure(_results(worlds, agents))
        snapshot = WorldSnapshot(
            x,
            y,
            worlds.normalised()[0, 0].tolist(),
            raw[_MONEY],
            raw[_MOOD],
            outcome.action,
            outcome.reward,
            terminated=terminated,
            truncated=outcome.done and not terminated,
            failure_reason=failure,
            company=_company(worlds, agents),
        )
        return self._frames.training_frame(
            snapshot,
            episode=outcome.episode,
            step=outcome.step,
            total_reward=outcome.total,
            heat_map=heat_map,
            epsilon=outcome.epsilon,
            totals=[agent.total for agent in agents],
        )


def _results(worlds: Worlds, agents: Sequence[AgentStep]) -> list[AgentResult]:
    failures = worlds.failure[0].tolist()
    return [
        AgentResult(agent.steps, agent.total, FAILURE_REASONS[code])
        for agent, code in zip(agents, failures, strict=True)
    ]


def _company(worlds: Worlds, agents: Sequence[AgentStep]) -> tuple[AgentSnapshot, ...]:
    """Return the agents of the first world, where there are several."""
    if not agents:
        return ()
    rows = zip(
        agents,
        worlds.positions[0].tolist(),
        worlds.normalised([0])[0].tolist(),
        worlds.meters[0].tolist(),
        worlds.failure[0].tolist(),
        strict=True,
    )
    return tuple(
        AgentSnapshot(
            x,
            y,
            meters,
            raw[_MONEY],
            raw[_MOOD],
            agent.action,
            agent.reward,
            None,
            FAILURE_REASONS[failure],
            agent.waiting_for,
        )
        for agent, (x, y), meters, raw, failure in rows
    )
