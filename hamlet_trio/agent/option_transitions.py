"""Transitions of options, found in hindsight in single steps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hamlet_trio.agent.networks.options_network import toward_columns
from hamlet_trio.agent.replay_buffer import Transitions
from hamlet_trio.agent.step_accumulator import StepAccumulator
from hamlet_trio.world import INTERACT


class OptionAccumulator(StepAccumulator):
    """Turn single steps of several streams into transitions of a semi-Markov decision process.

    Sutton, Precup and Singh 1999, sections 3 and 6: whatever the agent meant to do, wherever it used a place,
    each step of the shortest walk that led there began that option too, so each becomes a transition
    (intra-option learning). An episode that terminated on the way ends all options of which the last steps
    were part. A walk that a truncation cut off gives no transition.
    """

    def __init__(self, gamma: float, num_streams: int, row_size: int, *, places: int, longest: int) -> None:
        """Keep the last `longest` steps of each stream; an option that takes longer is not learnt from."""
        self._gamma = gamma
        self._longest = longest
        self._toward = toward_columns(places)
        self._rows = np.zeros((num_streams, longest, row_size), dtype=np.float32)
        self._actions = np.zeros((num_streams, longest), dtype=np.int64)
        self._rewards = np.zeros((num_streams, longest))
        self._counts = np.zeros(num_streams, dtype=np.int64)

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

        All arrays have k rows; observations are preprocessed. The `actions` of transitions are options.
        """
        completed = []
        steps = zip(streams.tolist(), actions.tolist(), rewards.tolist(), strict=True)
        for row, (stream, action, reward) in enumerate(steps):
            self._append(stream, observations[row], action, reward)
            if action == INTERACT or terminated[row]:
                completed.append((row, *self._complete(stream)))
                self._counts[stream] = 0
            elif truncated[row]:
                self._counts[stream] = 0
        if not completed:
            nothing = np.zeros(0, dtype=np.int64)
            return Transitions(
                observations[:0], nothing, rewards[:0], observations[:0], terminated[:0], nothing
            )
        rows, begun, options, returns, durations = zip(*completed, strict=True)
        ends = np.repeat(np.array(rows), [len(each) for each in options])
        return Transitions(
            observations=np.concatenate(begun),
            actions=np.concatenate(options),
            rewards=np.concatenate(returns),
            next_observations=next_observations[ends],
            terminated=terminated[ends],
            steps=np.concatenate(durations),
        )

    def _append(self, stream: int, row: NDArray[np.float32], action: int, reward: float) -> None:
        count = int(self._counts[stream])
        if count == self._longest:
            for array in (self._rows, self._actions, self._rewards):
                array[stream, :-1] = array[stream, 1:]
            count -= 1
        self._rows[stream, count] = row
        self._actions[stream, count] = action
        self._rewards[stream, count] = reward
        self._counts[stream] = count + 1

    def _complete(
        self, stream: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        """Return the rows, options, returns and durations of the transitions that end with the last step."""
        count = int(self._counts[stream])
        rows = self._rows[stream, :count]
        columns = self._toward[:, self._actions[stream, :count]].T
        is_part = np.take_along_axis(rows, columns, axis=1) > 0.5
        # Counted from the last step back: options of which each step since was part.
        durations, options = np.nonzero(np.logical_and.accumulate(is_part[::-1], axis=0))
        returns = np.empty(count)
        total = 0.0
        for index, reward in enumerate(self._rewards[stream, :count][::-1].tolist()):
            total = reward + self._gamma * total
            returns[index] = total
        return rows[count - 1 - durations], options, returns[durations], durations + 1

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "rows": self._rows,
            "actions": self._actions,
            "rewards": self._rewards,
            "counts": self._counts,
        }
