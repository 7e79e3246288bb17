"""Compare the Q-values of two forms of one network."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hamlet_trio.agent.networks import Network
from hamlet_trio.world import WorldConfig, Worlds

TOLERANCE: Final = 1e-4
"""The largest difference allowed, absolute where Q-values are below 1 and relative above."""

_ROWS: Final = 256
_SEED: Final = 20260101


class ExchangeError(Exception):
    """A network cannot be exchanged; the message is one sentence that says why and what would do."""


def observations_of(config: WorldConfig, rows: int = _ROWS) -> NDArray[np.float32]:
    """Return observations (rows, observation_size) of agents anywhere in a world, with meters at random."""
    worlds = Worlds(rows, config, seed=_SEED)
    worlds.reset(random_start=True)
    return np.ascontiguousarray(worlds.observe()[:, 0])


def q_values(network: nn.Module, observations: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the Q-values (rows, 5) of observations."""
    with torch.inference_mode():
        values: NDArray[np.float32] = network(torch.from_numpy(observations)).numpy()
    return values


def check_equal(
    network: Network,
    config: WorldConfig,
    other: Callable[[NDArray[np.float32]], NDArray[Any]],
    what: str,
) -> float:
    """Return the largest difference between a network's Q-values and those that `other` gives.

    `other` maps observations (rows, observation_size) to Q-values (rows, 5). Raises `ExchangeError` beyond
    `TOLERANCE`; `what` is the other form's name for the message.
    """
    observations = observations_of(config)
    expected = q_values(network, observations)
    differences = np.abs(other(observations) - expected)
    if not (differences <= TOLERANCE * np.maximum(np.abs(expected), 1)).all():
        raise ExchangeError(
            f"{what} gives other Q-values, by up to {differences.max():.2g}; it was not written."
        )
    return float(differences.max())
