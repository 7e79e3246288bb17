"""What a soak calls a failure; whether there is one, `python -m bench soak` itself finds out."""

from collections import Counter

import pytest

from bench.soak import judge
from bench.soak.subject import Measure
from bench.soak.tally import Tally

BEFORE = Measure(megabytes=300, tasks=20, files=30, children=0)


def tally(lost: int = 0, **innocent: int) -> Tally:
    """Counts of a soak in which something was said and something broken."""
    return Tally(messages=1000, lost=lost, innocent=Counter(innocent), faults=Counter(garbage=3))


def test_a_server_that_stayed_as_it_was_has_passed() -> None:
    assert judge(tally(), BEFORE, BEFORE._replace(megabytes=314, files=29), 0) == []


def test_a_server_may_still_grow_in_its_first_minutes() -> None:
    grown = BEFORE._replace(megabytes=340)
    assert judge(tally(), BEFORE, grown, 0, minutes=1) == []
    assert judge(tally(), BEFORE, grown, 0, minutes=60) == ["memory grew"]


@pytest.mark.parametrize(
    ("counts", "after", "exit_code", "sentence"),
    [
        (tally(lost=1), BEFORE, 0, "messages were lost"),
        (tally(player_lost=1), BEFORE, 0, "errors reached innocent clients"),
        (tally(), BEFORE._replace(megabytes=316), 0, "memory grew"),
        (tally(), BEFORE._replace(tasks=21), 0, "tasks were left over"),
        (tally(), BEFORE._replace(files=31), 0, "descriptors were left over"),
        (tally(), BEFORE._replace(children=1), 0, "processes were left over"),
        (tally(), BEFORE, 1, "the server did not end in order"),
        (tally(), BEFORE, None, "the server did not end in order"),
        (Tally(), BEFORE, 0, "nobody was there to notice"),
    ],
)
def test_each_failure_is_named(counts: Tally, after: Measure, exit_code: int | None, sentence: str) -> None:
    assert judge(counts, BEFORE, after, exit_code) == [sentence]
