"""Implement deep Q-learning as a textbook does, the plainest correct loop, to compare speed with.

Mnih et al. 2015 with a perceptron: a deque of transitions, a random sample stacked anew for each update, two
networks, Adam, and the target copied every so many steps. Nothing here is tuned.
"""

import random
from collections import deque
from time import process_time

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.training.ours import BATCH, EPSILON

_GAMMA = 0.99
_CAPACITY = 10_000
_COPY_EVERY = 500

Transition = tuple[NDArray[np.float32], int, float, NDArray[np.float32], bool]


def _network(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, outputs)
    )


class Textbook:
    """Train a learner on `Hamlet-v0` that continues from one measurement to the next."""

    def __init__(self) -> None:
        self._environment = gymnasium.make("hamlet_trio:Hamlet-v0")
        shape = self._environment.observation_space.shape
        assert shape is not None
        self._actions = 5
        self._network = _network(shape[0], self._actions)
        self._target = _network(shape[0], self._actions)
        self._target.load_state_dict(self._network.state_dict())
        self._optimizer = torch.optim.Adam(self._network.parameters(), lr=1e-3)
        self._memory: deque[Transition] = deque(maxlen=_CAPACITY)
        self._random = random.Random(1)
        self._observation: NDArray[np.float32] = self._environment.reset(seed=1)[0]
        self._steps = 0
        for _ in range(4 * BATCH):
            self._step()

    def rate(self, seconds: float) -> float:
        """Return environment steps a second over `seconds` of processor time."""
        began, steps = process_time(), 0
        while (elapsed := process_time() - began) < seconds:
            for _ in range(16):
                self._step()
            steps += 16
        return steps / elapsed

    def _step(self) -> None:
        action = self._act()
        following, reward, terminated, truncated, _ = self._environment.step(action)
        self._memory.append((self._observation, action, float(reward), following, terminated))
        self._observation = self._environment.reset()[0] if terminated or truncated else following
        self._steps += 1
        if len(self._memory) >= BATCH:
            self._learn()
        if self._steps % _COPY_EVERY == 0:
            self._target.load_state_dict(self._network.state_dict())

    def _act(self) -> int:
        if self._random.random() < EPSILON:
            return self._random.randrange(self._actions)
        with torch.no_grad():
            return int(self._network(torch.as_tensor(self._observation).unsqueeze(0)).argmax())

    def _learn(self) -> None:
        sample = self._random.sample(self._memory, BATCH)
        observations, actions, rewards, followings, ends = zip(*sample, strict=True)
        with torch.no_grad():
            values = self._target(torch.as_tensor(np.stack(followings))).amax(dim=1)
            goes_on = 1 - torch.tensor(ends, dtype=torch.float32)
            targets = torch.tensor(rewards, dtype=torch.float32) + _GAMMA * goes_on * values
        q_values = self._network(torch.as_tensor(np.stack(observations)))
        chosen = q_values.gather(1, torch.tensor(actions).unsqueeze(1)).squeeze(1)
        loss = nn.functional.smooth_l1_loss(chosen, targets)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
