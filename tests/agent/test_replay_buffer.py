"""The replay buffer: what it keeps, what it samples, and that it continues exactly after a restore."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hamlet_trio.agent.replay_buffer import ReplayBuffer, TransitionBatch, Transitions
from hamlet_trio.agent.run_state import decode_run_state, encode_run_state


def numbered(first: int, count: int) -> Transitions:
    """Transitions that say their number in every field."""
    numbers = np.arange(first, first + count)
    return Transitions(
        observations=np.stack([numbers, -numbers], axis=1).astype(np.float32),
        actions=numbers % 5,
        rewards=numbers * 0.5,
        next_observations=np.stack([numbers + 1, -numbers - 1], axis=1).astype(np.float32),
        terminated=numbers % 3 == 0,
        steps=numbers % 4 + 1,
    )


def check_rows_belong_together(batch: TransitionBatch) -> None:
    numbers = batch.observations[:, 0].astype(np.int64)
    expected = numbered(0, int(numbers.max()) + 1)
    np.testing.assert_array_equal(batch.observations, expected.observations[numbers])
    np.testing.assert_array_equal(batch.actions, expected.actions[numbers])
    np.testing.assert_array_equal(batch.rewards, expected.rewards[numbers].astype(np.float32))
    np.testing.assert_array_equal(batch.next_observations, expected.next_observations[numbers])
    np.testing.assert_array_equal(batch.terminated, expected.terminated[numbers])
    np.testing.assert_array_equal(batch.steps, expected.steps[numbers])


@given(st.integers(1, 12), st.lists(st.integers(1, 12), min_size=1, max_size=12))
@settings(max_examples=100, deadline=None)
def test_the_newest_are_kept(capacity: int, counts: list[int]) -> None:
    """Against the plainest model of a buffer: a list cut to its last entries."""
    buffer = ReplayBuffer(capacity, 2, seed=1)
    added = 0
    for count in (min(count, capacity) for count in counts):
        buffer.add(numbered(added, count))
        added += count
    kept = set(range(max(0, added - capacity), added))
    assert len(buffer) == len(kept)
    batch = buffer.sample(400)
    check_rows_belong_together(batch)
    sampled = set(batch.observations[:, 0].astype(int).tolist())
    assert sampled == kept, "400 samples of at most 12 miss one with a chance of 1 in 10**14"


def test_types_and_shapes_of_a_batch() -> None:
    buffer = ReplayBuffer(10, 2, seed=1)
    buffer.add(numbered(0, 7))
    batch = buffer.sample(3)
    kinds = {name: (array.shape, array.dtype.name) for name, array in batch._asdict().items()}
    assert kinds == {
        "observations": ((3, 2), "float32"),
        "actions": ((3,), "int64"),
        "rewards": ((3,), "float32"),
        "next_observations": ((3, 2), "float32"),
        "terminated": ((3,), "bool"),
        "steps": ((3,), "int64"),
    }
    assert buffer.sample(3).observations is batch.observations, "no allocation from one sample to the next"


def test_sampling_depends_on_the_seed_alone() -> None:
    sampled: list[list[int]] = []
    for seed in (1, 1, 2):
        np.random.seed(seed + len(sampled))
        buffer = ReplayBuffer(100, 2, seed=seed)
        buffer.add(numbered(0, 100))
        sampled.append(buffer.sample(50).observations[:, 0].tolist())
    assert sampled[0] == sampled[1] != sampled[2]


def test_every_transition_is_as_likely() -> None:
    buffer = ReplayBuffer(10, 2, seed=3)
    buffer.add(numbered(0, 10))
    counts = np.bincount(buffer.sample(100_000).observations[:, 0].astype(int), minlength=10)
    # Five standard deviations of a binomial count with p = 1/10.
    assert np.abs(counts - 10_000).max() < 5 * np.sqrt(100_000 * 0.1 * 0.9)


@pytest.mark.parametrize("added", [3, 8, 11])
def test_a_restored_buffer_continues_exactly(added: int) -> None:
    buffer = ReplayBuffer(8, 2, seed=5)
    for first in range(added):
        buffer.add(numbered(first, 1))
    buffer.sample(4)
    state = decode_run_state(encode_run_state(buffer.state_dict()))
    restored = ReplayBuffer(8, 2, seed=6)
    restored.add(numbered(50, 8))
    restored.load_state_dict(state)
    for each in (buffer, restored):
        each.add(numbered(added, 2))
    assert len(restored) == len(buffer)
    for ours, theirs in zip(buffer.sample(20), restored.sample(20), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_saved_state_does_not_change_with_the_buffer() -> None:
    buffer = ReplayBuffer(4, 2, seed=5)
    buffer.add(numbered(0, 4))
    state = buffer.state_dict()
    buffer.add(numbered(10, 4))
    assert state["observations"][:, 0].tolist() == [0, 1, 2, 3]


def test_what_does_not_fit_is_refused() -> None:
    buffer = ReplayBuffer(4, 2, seed=5)
    with pytest.raises(ValueError, match="5 transitions at once do not fit a replay buffer of 4"):
        buffer.add(numbered(0, 5))
    with pytest.raises(ValueError, match="a replay buffer of 9 transitions"):
        buffer.load_state_dict(ReplayBuffer(9, 2, seed=5).state_dict())
    with pytest.raises(ValueError, match="observations of shape"):
        buffer.load_state_dict(ReplayBuffer(4, 3, seed=5).state_dict())
