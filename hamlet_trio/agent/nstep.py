"""n-step returns: transitions that span several steps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hamlet_trio.agent.replay_buffer import Transitions
from hamlet_trio.agent.step_accumulator import StepAccumulator


class NStepAccumulator(StepAccumulator):
    """Turn single steps of several streams into n-step transitions; Sutton and Barto 2018, section 7.1.

    A stream is one agent's sequence of steps. A transition is complete once it spans `n` steps, or fewer when
    its episode ends; it then bootstraps if the episode was truncated, and not if it terminated.
    """

    def __init__(self, n: int, gamma: float, num_streams: int, observation_size: int) -> None:
        self._n = n
        self._gamma = gamma
        self._observations = np.zeros((num_streams, n, observation_size), dtype=np.float32)
        self._actions = np.zeros((num_streams, n), dtype=np.int64)
        self._returns = np.zeros((num_streams, n))
        # Steps spanned so far; 0 marks a free slot. Slots are used in turn, so the next one is always free:
        # its transition began n steps ago.
        self._steps = np.zeros((num_streams, n), dtype=np.int64)
        self._cursor = np.zeros(num_streams, dtype=np.int64)
        self._ages = np.arange(n)

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
        """Add one step of each of k distinct streams and return the transitions that it completes.

        All arrays have k rows. Within a stream the oldest transition comes first.
        """
        slots = self._cursor[streams]
        self._cursor[streams] = (slots + 1) % self._n
        self._observations[streams, slots] = observations
        self._actions[streams, slots] = actions
        self._returns[streams, slots] = 0.0
        # A fancy index copies, so the (k, n) tables are changed and written back.
        steps = self._steps[streams]
        steps[np.arange(len(streams)), slots] = 0
        begun = steps > 0
        begun[np.arange(len(streams)), slots] = True
        returns = self._returns[streams]
        returns += np.where(begun, self._gamma**steps * np.asarray(rewards)[:, None], 0.0)
        steps += begun
        ended = np.asarray(terminated) | np.asarray(truncated)
        finished = begun & ((steps == self._n) | ended[:, None])
        # Column j of `order` is the j-th oldest slot: the one after the newest is the oldest.
        order = (slots[:, None] + 1 + self._ages) % self._n
        rows, columns = np.nonzero(np.take_along_axis(finished, order, axis=1))
        chosen = order[rows, columns]
        whose = np.asarray(streams)[rows]
        result = Transitions(
            observations=self._observations[whose, chosen],
            actions=self._actions[whose, chosen],
            rewards=returns[rows, chosen],
            next_observations=np.asarray(next_observations)[rows],
            terminated=np.asarray(terminated)[rows],
            steps=steps[rows, chosen],
        )
        steps[finished] = 0
        self._steps[streams] = steps
        self._returns[streams] = returns
        return result

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "observations": self._observations,
            "actions": self._actions,
            "returns": self._returns,
            "steps": self._steps,
            "cursor": self._cursor,
        }
