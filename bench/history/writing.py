"""What keeping costs the trainer: the same run with and without it, in turns, the fastest of each compared.

Seconds are the processor's, of the process that learns: this is what the learner has less of, and it does not
depend on what else the machine does. On the command line that process writes the history itself, between two
steps; in the server another one does, so that nothing is left to measure but the sharing of the machine.
"""

import tempfile
import time
from pathlib import Path
from typing import Final

import torch

from bench.history.row import Row
from hamlet_trio.history import HistoryLog
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.driver import train_to_file
from hamlet_trio.training.recipe import DEFAULT_RECIPE, PLAIN_RECIPE, Recipe

_PAIRS: Final = 5


def measure(quick: bool) -> list[Row]:
    """Two learners: the default one, and a plain one whose short episodes end as often as they can."""
    torch.set_num_threads(1)
    default = TrainingParameters(num_episodes=2 if quick else 8, seed=1)
    plain = TrainingParameters(
        num_episodes=20 if quick else 150, seed=1, network_type="qnetwork", max_steps=20
    )
    pairs = 1 if quick else _PAIRS
    return [
        _compare("default learner, episodes of up to 500 steps", default, DEFAULT_RECIPE, pairs),
        _compare("plain learner, episodes of 20 steps", plain, PLAIN_RECIPE, pairs),
    ]


def _compare(what: str, parameters: TrainingParameters, recipe: Recipe, pairs: int) -> Row:
    with_it: list[float] = []
    without: list[float] = []
    _speed(parameters, recipe, keep=True)  # the first run pays for what is loaded and compiled
    for _ in range(pairs):
        without.append(_speed(parameters, recipe, keep=False))
        with_it.append(_speed(parameters, recipe, keep=True))
    # The fastest: what slows a run down beyond its own work is the other work of the machine.
    loss = 1 - max(with_it) / max(without)
    speeds = f"{max(without):,.0f} to {max(with_it):,.0f} steps/s"
    return Row(f"{what}: {speeds}", f"{100 * loss:.1f} % slower", "under 2 %")


def _speed(parameters: TrainingParameters, recipe: Recipe, *, keep: bool) -> float:
    """Steps for each second of the processor."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = time.process_time()
        result = train_to_file(
            parameters,
            folder / "model.pt",
            data_dir=folder / "data",
            models_dir=folder,
            device="cpu",
            recipe=recipe,
            history=HistoryLog(folder / "history.db") if keep else None,
        )
        return result.steps / (time.process_time() - started)
