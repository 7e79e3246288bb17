"""Choosing at random now and then."""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hamlet_trio.world import ACTIONS, RandomState


class EpsilonGreedy:
    """With probability epsilon a uniformly random action, else the greedy one.

    Sutton and Barto 2018, section 2.2. A call draws as many random numbers for one epsilon as for another, so
    that the sequence drawn depends on the seed and the rows alone.
    """

    def __init__(self, seed: int | np.random.SeedSequence) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def draw(self, rows: int, epsilon: float) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Which rows explore, bool [rows], and a random action for every row, int64 [rows]."""
        explores = self._generator.random(rows) < epsilon
        return explores, self._generator.integers(len(ACTIONS), size=rows)

    def state_dict(self) -> dict[str, Any]:
        """The state of the generator as plain values."""
        state: dict[str, Any] = msgspec.to_builtins(RandomState.of(self._generator))
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly from where `state_dict` was taken."""
        self._generator = msgspec.convert(state, RandomState).generator()
