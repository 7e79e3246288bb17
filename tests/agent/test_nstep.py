"""n-step returns, by hand and against a straightforward reference."""

from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hamlet_trio.agent.nstep import NStepAccumulator
from hamlet_trio.agent.replay_buffer import Transitions
from hamlet_trio.agent.run_state import decode_run_state, encode_run_state


class Step(NamedTuple):
    stream: int
    number: int
    reward: float
    terminated: bool
    truncated: bool


def push(accumulator: NStepAccumulator, steps: list[Step]) -> Transitions:
    """Step `number` of a stream leads from the observation [stream, number] to [stream, number + 1]."""
    return accumulator.push(
        streams=np.array([step.stream for step in steps]),
        observations=np.array([[step.stream, step.number] for step in steps], dtype=np.float32),
        actions=np.array([step.number % 5 for step in steps]),
        rewards=np.array([step.reward for step in steps]),
        next_observations=np.array([[step.stream, step.number + 1] for step in steps], dtype=np.float32),
        terminated=np.array([step.terminated for step in steps]),
        truncated=np.array([step.truncated for step in steps]),
    )


def readable(transitions: Transitions) -> list[tuple[object, ...]]:
    return [
        (tuple(o.tolist()), int(a), round(float(r), 6), tuple(n.tolist()), bool(t), int(k))
        for o, a, r, n, t, k in zip(*transitions, strict=True)
    ]


def test_three_steps_by_hand() -> None:
    accumulator = NStepAccumulator(3, 0.5, 1, 2)
    assert readable(push(accumulator, [Step(0, 0, 1.0, False, False)])) == []
    assert readable(push(accumulator, [Step(0, 1, 2.0, False, False)])) == []
    # 1 + 2/2 + 4/4
    assert readable(push(accumulator, [Step(0, 2, 4.0, False, False)])) == [
        ((0, 0), 0, 3.0, (0, 3), False, 3)
    ]
    # The end finishes all that were begun, each with the steps it got.
    assert readable(push(accumulator, [Step(0, 3, 8.0, True, False)])) == [
        ((0, 1), 1, 2 + 4 / 2 + 8 / 4, (0, 4), True, 3),
        ((0, 2), 2, 4 + 8 / 2, (0, 4), True, 2),
        ((0, 3), 3, 8.0, (0, 4), True, 1),
    ]
    # Nothing of the ended episode reaches into the next.
    assert readable(push(accumulator, [Step(0, 4, 1.0, False, False)])) == []


def test_truncation_bootstraps_where_it_ended() -> None:
    accumulator = NStepAccumulator(3, 0.5, 1, 2)
    push(accumulator, [Step(0, 0, 1.0, False, False)])
    assert readable(push(accumulator, [Step(0, 1, 2.0, False, True)])) == [
        ((0, 0), 0, 2.0, (0, 2), False, 2),
        ((0, 1), 1, 2.0, (0, 2), False, 1),
    ]


def reference(n: int, gamma: float, steps: list[Step]) -> list[tuple[object, ...]]:
    """The n-step transitions of one stream's steps, by their definition; unfinished ones are left out."""
    found: list[tuple[object, ...]] = []
    for start, first in enumerate(steps):
        total = 0.0
        for span, step in enumerate(steps[start : start + n], start=1):
            total += gamma ** (span - 1) * step.reward
            if step.terminated or step.truncated or span == n:
                observation, following = (first.stream, first.number), (first.stream, step.number + 1)
                found.append(
                    (observation, first.number % 5, round(total, 6), following, step.terminated, span)
                )
                break
    return found


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_any_streams_in_any_interleaving(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 5))
    num_streams = data.draw(st.integers(1, 4))
    accumulator = NStepAccumulator(n, 0.9, num_streams, 2)
    taken: list[list[Step]] = [[] for _ in range(num_streams)]
    given_back: list[list[tuple[object, ...]]] = [[] for _ in range(num_streams)]
    for _ in range(data.draw(st.integers(1, 15))):
        streams = data.draw(st.lists(st.integers(0, num_streams - 1), min_size=1, unique=True))
        steps = [
            Step(
                stream,
                len(taken[stream]),
                data.draw(st.integers(-8, 8)) / 4,
                *data.draw(st.sampled_from([(False, False)] * 4 + [(True, False), (False, True)])),
            )
            for stream in streams
        ]
        for step in steps:
            taken[step.stream].append(step)
        for row in readable(push(accumulator, steps)):
            observation = row[0]
            assert isinstance(observation, tuple)
            given_back[int(observation[0])].append(row)
        if data.draw(st.booleans()):
            restored = NStepAccumulator(n, 0.9, num_streams, 2)
            restored.load_state_dict(decode_run_state(encode_run_state(accumulator.state_dict())))
            accumulator = restored
    for stream in range(num_streams):
        assert given_back[stream] == reference(n, 0.9, taken[stream])
