"""The replay buffer: transitions to learn from, sampled uniformly."""

from typing import Any, NamedTuple

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from hamlet_trio.world import RandomState


class Transitions(NamedTuple):
    """n transitions to store; the arrays are copied.

    Attributes:
        observations, next_observations: (n, o) float32, raw or preprocessed by the network; the latter are
            those `steps` steps later.
        actions: (n,) integer.
        rewards: (n,) float, the discounted sum of `steps` rewards.
        terminated: (n,) bool. A truncated episode is not terminated: its value is bootstrapped.
        steps: (n,) integer, the number of steps that the transition spans; 1 without n-step returns.
    """

    observations: NDArray[np.float32]
    actions: NDArray[np.integer]
    rewards: NDArray[np.floating]
    next_observations: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    steps: NDArray[np.integer]

    def last(self, most: int) -> "Transitions":
        """Return the last of them, at most so many."""
        if len(self.actions) <= most:
            return self
        return Transitions(
            self.observations[-most:],
            self.actions[-most:],
            self.rewards[-most:],
            self.next_observations[-most:],
            self.terminated[-most:],
            self.steps[-most:],
        )


class TransitionBatch(NamedTuple):
    """b sampled transitions, as in `Transitions`; the buffer's own arrays, valid until its next sample."""

    observations: NDArray[np.float32]
    actions: NDArray[np.int64]
    rewards: NDArray[np.float32]
    next_observations: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    steps: NDArray[np.int64]


class ReplayBuffer:
    """The newest transitions, each as likely to be sampled as any other; Mnih et al. 2015, section "Methods".

    All arrays are allocated once; the operating system provides their pages as they fill. A transition takes
    8 * observation_size + 21 bytes: 10,000 of them take 6 MB in the default world, and 8 MB as preprocessed
    by `egocentric`.
    """

    def __init__(self, capacity: int, observation_size: int, seed: int | np.random.SeedSequence) -> None:
        self._capacity = capacity
        self._observations = np.zeros((capacity, observation_size), dtype=np.float32)
        self._next_observations = np.zeros((capacity, observation_size), dtype=np.float32)
        self._actions = np.zeros(capacity, dtype=np.int64)
        self._rewards = np.zeros(capacity, dtype=np.float32)
        self._terminated = np.zeros(capacity, dtype=np.bool_)
        self._steps = np.zeros(capacity, dtype=np.int64)
        self._position = 0
        self._size = 0
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._batch = self._allocate(0)

    @property
    def capacity(self) -> int:
        """The largest number of transitions kept."""
        return self._capacity

    def __len__(self) -> int:
        return self._size

    def add(self, transitions: Transitions) -> None:
        """Store n transitions, at most as many as the capacity, in place of the oldest."""
        count = len(transitions.actions)
        if count > self._capacity:
            raise ValueError(f"{count} transitions at once do not fit a replay buffer of {self._capacity}.")
        end = self._position + count
        rows: slice | NDArray[np.int64]
        # A slice saves an index array in all but the few calls that wrap around the end.
        rows = (
            slice(self._position, end)
            if end <= self._capacity
            else np.arange(self._position, end) % self._capacity
        )
        self._observations[rows] = transitions.observations
        self._actions[rows] = transitions.actions
        self._rewards[rows] = transitions.rewards
        self._next_observations[rows] = transitions.next_observations
        self._terminated[rows] = transitions.terminated
        self._steps[rows] = transitions.steps
        self._position = end % self._capacity
        self._size = min(self._size + count, self._capacity)

    def sample(self, batch_size: int) -> TransitionBatch:
        """Sample `batch_size` transitions with replacement. The buffer must not be empty."""
        if len(self._batch.actions) != batch_size:
            self._batch = self._allocate(batch_size)
        batch = self._batch
        indices = self._generator.integers(self._size, size=batch_size)
        # mode="clip" lets numpy write straight into `out`; all indices are in range.
        self._observations.take(indices, axis=0, out=batch.observations, mode="clip")
        self._actions.take(indices, out=batch.actions, mode="clip")
        self._rewards.take(indices, out=batch.rewards, mode="clip")
        self._next_observations.take(indices, axis=0, out=batch.next_observations, mode="clip")
        self._terminated.take(indices, out=batch.terminated, mode="clip")
        self._steps.take(indices, out=batch.steps, mode="clip")
        return batch

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of everything, as tensors and plain values; of the arrays only the filled part."""
        arrays = {
            name: torch.from_numpy(array[: self._size].copy()) for name, array in self._arrays().items()
        }
        return {
            "capacity": self._capacity,
            "position": self._position,
            "size": self._size,
            "random": msgspec.to_builtins(RandomState.of(self._generator)),
            **arrays,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly from a `state_dict`.

        Raises `ValueError` when it is of a buffer of another capacity or of other observations.
        """
        shape = tuple(state["observations"].shape[1:])
        if state["capacity"] != self._capacity or shape != self._observations.shape[1:]:
            raise ValueError(
                f"The state is of a replay buffer of {state['capacity']} transitions with observations of "
                f"shape {shape}; this one has {self._capacity} and {self._observations.shape[1:]}."
            )
        self._position = state["position"]
        self._size = state["size"]
        self._generator = msgspec.convert(state["random"], RandomState).generator()
        for name, array in self._arrays().items():
            array[: self._size] = state[name].numpy()

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "observations": self._observations,
            "actions": self._actions,
            "rewards": self._rewards,
            "next_observations": self._next_observations,
            "terminated": self._terminated,
            "steps": self._steps,
        }

    def _allocate(self, batch_size: int) -> TransitionBatch:
        size = self._observations.shape[1]
        return TransitionBatch(
            observations=np.empty((batch_size, size), dtype=np.float32),
            actions=np.empty(batch_size, dtype=np.int64),
            rewards=np.empty(batch_size, dtype=np.float32),
            next_observations=np.empty((batch_size, size), dtype=np.float32),
            terminated=np.empty(batch_size, dtype=np.bool_),
            steps=np.empty(batch_size, dtype=np.int64),
        )
