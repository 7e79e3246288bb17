"""The base class of what turns steps into the transitions to learn from."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hamlet_trio.agent.replay_buffer import Transitions


class StepAccumulator(ABC):
    """Turn single steps of several streams into transitions; a stream is one agent's sequence of steps."""

    @abstractmethod
    def push(
        self,
        *,
        streams: NDArray[np.integer],
        observations: NDArray[np.float32],
        actions: NDArray[np.integer],
        rewards: NDArray[np.floating],
        next_observations: NDArray[np.float32],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> Transitions:
        """Add one step of each of k distinct streams and return the transitions that it completes."""

    @abstractmethod
    def _arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that hold the state, by name."""

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of everything, as tensors."""
        return {name: torch.from_numpy(array.copy()) for name, array in self._arrays().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly from a `state_dict` of an accumulator made with the same arguments."""
        for name, array in self._arrays().items():
            array[...] = state[name].numpy()
