"""Steps arrays and reference side by side and compares everything that can be seen."""

import numpy as np
from numpy.typing import NDArray

from hamlet_trio.world import FAILURE_REASONS, METERS, StepResult, WorldConfig, Worlds
from tests.world.reference import Outcome, ReferenceWorld

PARTS = ("meters", "interaction", "proximity", "hunger", "ending")


def references_of(worlds: Worlds) -> list[ReferenceWorld]:
    """A reference for each world, in its present positions and with its present meters."""
    references = []
    for index in range(worlds.num_worlds):
        starts = [(x, y) for x, y in worlds.positions[index].tolist()]
        reference = ReferenceWorld(worlds.config, starts)
        for agent, values in zip(reference.agents, worlds.meters[index].tolist(), strict=True):
            agent.meters = dict(zip(METERS, values, strict=True))
        references.append(reference)
    return references


def compare_outcomes(config: WorldConfig, result: StepResult, row: int, expected: list[Outcome]) -> None:
    """Row `row` of a step's result against what the reference says."""
    names = [affordance.name for affordance in config.affordances]
    assert result.components is not None
    for agent, outcome in enumerate(expected):
        assert abs(result.rewards[row, agent] - outcome.reward) < 1e-9
        assert result.terminated[row, agent] == outcome.terminated
        assert result.truncated[row, agent] == outcome.truncated
        used = int(result.interacted[row, agent])
        assert (names[used] if used >= 0 else None) == outcome.used
        for part, values in zip(PARTS, result.components, strict=True):
            assert abs(values[row, agent] - outcome.parts[part]) < 1e-9, part


def compare_state(worlds: Worlds, index: int, reference: ReferenceWorld) -> None:
    """World `index` against the reference: meters to the last bit."""
    observed: NDArray[np.float32] = worlds.observe([index])[0]
    assert worlds.steps[index] == reference.steps
    assert worlds.over[index] == reference.over
    for number, agent in enumerate(reference.agents):
        assert worlds.positions[index, number].tolist() == [agent.x, agent.y]
        assert worlds.meters[index, number].tolist() == [agent.meters[meter] for meter in METERS]
        assert worlds.normalised([index])[0, number].tolist() == [agent.normal(meter) for meter in METERS]
        assert FAILURE_REASONS[int(worlds.failure[index, number])] == agent.failure_reason
        assert worlds.alive[index, number] == (agent.failure_reason is None)
        expected = np.array(reference.observation(number), dtype=np.float32)
        np.testing.assert_array_equal(observed[number], expected)
