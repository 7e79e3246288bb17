"""Epsilon over a run."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamlet_trio.agent.schedule import EpsilonSchedule, ScheduleError, ScheduleKind

KINDS: tuple[ScheduleKind, ...] = ("linear", "exponential", "multiplicative")


@pytest.mark.parametrize(
    ("episode", "expected"), [(1, 1.0), (26, 0.7625), (51, 0.525), (101, 0.05), (200, 0.05)]
)
def test_linear_by_hand(episode: int, expected: float) -> None:
    schedule = EpsilonSchedule(kind="linear", start=1.0, end=0.05, fraction=0.5)
    assert schedule.epsilon(episode, 200) == pytest.approx(expected)


@pytest.mark.parametrize(("episode", "expected"), [(1, 1.0), (51, 0.1), (101, 0.01), (200, 0.01)])
def test_exponential_by_hand(episode: int, expected: float) -> None:
    schedule = EpsilonSchedule(kind="exponential", start=1.0, end=0.01, fraction=0.5)
    assert schedule.epsilon(episode, 200) == pytest.approx(expected)


def test_the_older_systems() -> None:
    schedule = EpsilonSchedule(kind="multiplicative")
    assert schedule.epsilon(1, 100) == 1.0
    assert schedule.epsilon(100, 100) == pytest.approx(0.995**99)
    assert schedule.epsilon(1000, 1000) == 0.05


@given(st.sampled_from(["linear", "exponential"]), st.integers(1, 5000), st.floats(0.01, 1))
def test_any_run_goes_from_start_to_end_and_never_up(
    kind: ScheduleKind, num_episodes: int, fraction: float
) -> None:
    schedule = EpsilonSchedule(kind=kind, start=0.9, end=0.02, fraction=fraction)
    values = [schedule.epsilon(episode, num_episodes) for episode in range(1, num_episodes + 2)]
    assert values[0] == pytest.approx(0.9)
    assert values[-1] == pytest.approx(0.02)
    assert all(later <= earlier for earlier, later in itertools.pairwise(values))


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_it_is_always_a_probability(kind: ScheduleKind, episode: int, num_episodes: int) -> None:
    assert 0 <= EpsilonSchedule(kind=kind).epsilon(episode, num_episodes) <= 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "cosine"}, "kind is 'cosine'"),
        ({"start": 1.5}, "start is 1.5; it must be from 0 to 1"),
        ({"end": -0.1}, "end is -0.1"),
        ({"fraction": 0.0}, "fraction is 0.0; it must be above 0"),
        ({"decay": float("nan")}, "decay is nan"),
        ({"kind": "exponential", "end": 0.0}, "use linear for 0"),
    ],
)
def test_what_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        EpsilonSchedule(**settings)
