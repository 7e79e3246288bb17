"""What a network prepares of observations, once for each."""

from collections import deque
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from hamlet_trio.agent.networks import Network

_KEPT: Final = 2


class Preparing:
    """`Network.prepare` for acting and remembering, which ask for the same observations one after the other.

    What is seen after a step is what the next one begins with, so the last two answers are kept.
    """

    def __init__(self, network: Network, device: torch.device) -> None:
        self._network = network
        self._device = device
        self._kept: deque[tuple[bytes, NDArray[np.float32]]] = deque(maxlen=_KEPT)

    def __call__(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """The prepared rows of observations (n, observation_size); not to be written to."""
        key = observations.tobytes()
        for known, prepared in self._kept:
            if known == key:
                return prepared
        with torch.inference_mode():
            rows = self._network.prepare(torch.from_numpy(observations).to(self._device)).cpu().numpy()
        self._kept.append((key, rows))
        return rows
