"""Deadlines: absolute, scaled by speed, and given up when they are too far behind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamlet_trio.inference.pace import Pace

SPEEDS = st.floats(0.1, 10)


@given(SPEEDS, st.lists(st.floats(0, 0.5), max_size=50))
def test_lateness_within_patience_never_adds_up(speed: float, lateness: list[float]) -> None:
    pace = Pace(100.0)
    pace.set_speed(speed, 100.0, False)
    for turn, late in enumerate(lateness, 1):
        assert pace.deadline(False) == pytest.approx(100 + turn * 0.1 / speed)
        assert pace.take_turn(pace.deadline(False) + late, False)


@pytest.mark.parametrize(
    ("speed", "intermission", "late", "kept"),
    [
        (1, False, 0.499, True),
        (1, False, 0.501, False),
        (10, False, 0.499, True),
        (10, False, 0.501, False),
        (0.1, False, 0.999, True),
        (0.1, False, 1.001, False),
        (1, True, 1.999, True),
        (1, True, 2.001, False),
    ],
)
def test_deadlines_go_on_from_now_once_they_are_too_far_behind(
    speed: float, intermission: bool, late: float, kept: bool
) -> None:
    pace = Pace(0.0)
    pace.set_speed(speed, 0.0, intermission)
    due = pace.deadline(intermission)
    assert pace.take_turn(due + late, intermission) is kept
    assert pace.deadline(intermission) == pytest.approx(
        (due if kept else due + late) + pace.interval(intermission)
    )


@given(SPEEDS, SPEEDS, st.floats(0, 20), st.booleans())
def test_a_new_speed_counts_from_the_beginning_of_the_wait_but_is_due_now_at_the_earliest(
    before: float, after: float, waited: float, intermission: bool
) -> None:
    pace = Pace(0.0)
    pace.set_speed(before, 0.0, intermission)
    pace.set_speed(after, waited, intermission)
    interval = (2.0 if intermission else 0.1) / after
    assert pace.deadline(intermission) == pytest.approx(max(interval, waited))


@given(st.floats(0, 1e6))
def test_speed_is_clamped(speed: float) -> None:
    pace = Pace(0.0)
    pace.set_speed(speed, 0.0, False)
    assert pace.speed == min(max(speed, 0.1), 10)


@pytest.mark.parametrize(("speed", "wait"), [(0.5, 4.0), (1, 3.0), (10, 3.0)])
def test_the_least_intermission_holds_at_any_speed_and_slows_no_step(speed: float, wait: float) -> None:
    pace = Pace(0.0)
    pace.min_intermission = 3.0
    pace.set_speed(speed, 0.0, True)
    assert pace.deadline(True) == pytest.approx(wait)
    assert pace.deadline(False) == pytest.approx(0.1 / speed)
