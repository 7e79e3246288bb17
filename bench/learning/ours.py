"""Runs of this project's own learner."""

from time import perf_counter, process_time
from typing import Any

from msgspec import UNSET

from bench.learning.playing import RANDOM_STARTS, play_greedily
from bench.learning.results import Point, Result, versions
from hamlet_trio.agent.policy import Policy
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.recipe import Recipe
from hamlet_trio.training.run import TrainingRun


def train(
    configuration: str, episodes: int, seed: int, *, recipe: Recipe, settings: dict[str, Any]
) -> Result:
    """Train once, on the processor and without a server, as `hamlet train` does."""
    parameters = TrainingParameters(num_episodes=episodes, seed=seed, **settings)
    began, began_cpu = perf_counter(), process_time()
    run = TrainingRun(parameters, recipe=recipe, device="cpu")
    curve: list[Point] = []
    while not run.finished:
        curve += [
            Point(
                episode=record.episode,
                steps=run.steps,
                survival=record.evaluation.mean_length,
                episode_return=record.evaluation.mean_return,
            )
            for record in run.step().records
            if record.evaluation is not UNSET
        ]
    wall, cpu = perf_counter() - began, process_time() - began_cpu
    policy = Policy(run.checkpoint().network)
    usual, anywhere, many = play_greedily(lambda observations: policy.act(observations).actions)
    return Result(
        configuration=configuration,
        episodes=episodes,
        seed=seed,
        steps=run.steps,
        updates=run.updates,
        survival=usual.survival,
        episode_return=usual.episode_return,
        random_start_survival=anywhere.survival,
        random_starts=RANDOM_STARTS,
        random_start_completed=anywhere.completed,
        many_starts_survival=many.survival,
        curve=curve,
        wall_seconds=wall,
        cpu_seconds=cpu,
        versions=versions(),
    )
