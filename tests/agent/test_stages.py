"""The stage of a model: what it can do, not how long it trained."""

from typing import Any

import pytest

from hamlet_trio.agent.metadata import CheckpointMetadata
from hamlet_trio.agent.stages import stage_of


def judged(usual: float | None, random: float | None = None, **others: Any) -> str | None:
    """Return the stage of a model that survived this many steps on average, from either start."""
    lengths = [
        None if steps is None else {"mean_length": steps, "mean_return": 1.0} for steps in (usual, random)
    ]
    metadata = CheckpointMetadata(
        network_type="qnetwork", evaluation=lengths[0], evaluation_random=lengths[1], **others
    )
    return stage_of(metadata)


@pytest.mark.parametrize(
    ("usual", "random", "stage"),
    [
        (0.0, None, "beginner"),
        (124.9, 500.0, "beginner"),
        (125.0, None, "improving"),
        (499.9, 500.0, "improving"),
        (500.0, None, "skilled"),
        (500.0, 374.9, "skilled"),
        (500.0, 375.0, "expert"),
        (None, 500.0, None),
    ],
)
def test_a_stage_follows_from_survival(usual: float | None, random: float | None, stage: str | None) -> None:
    assert judged(usual, random, world={"max_steps": 500}) == stage


def test_episodes_do_not_count() -> None:
    assert judged(500, 500, episode=1) == "expert"
    assert judged(20, 20, episode=100_000) == "beginner"


def test_a_full_life_is_what_the_world_allows() -> None:
    assert judged(80, 70, world={"max_steps": 80}) == "expert"
    assert judged(500, 400, world={"max_steps": 100_000}) == "expert"
    assert judged(80, 70, world={"max_steps": "many"}) == "beginner"


def test_figures_of_another_program_are_no_figures() -> None:
    for odd in ({}, {"mean_length": "500"}, {"mean_length": True}):
        assert stage_of(CheckpointMetadata(network_type="qnetwork", evaluation=odd)) is None
