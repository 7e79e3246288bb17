"""Charts of long runs: bounded, even, and never behind the present."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from hamlet_trio.protocol.episode import EpisodeComplete
from hamlet_trio.training.episode_series import LIMIT, EpisodeSeries

Record = Callable[[int], EpisodeComplete]


def numbers(history: EpisodeSeries) -> list[int]:
    return [record.episode for record in history.message().episodes]


def filled(record: Record, count: int, limit: int = LIMIT) -> EpisodeSeries:
    history = EpisodeSeries(limit)
    for episode in range(1, count + 1):
        history.append(record(episode))
    return history


def test_nothing_is_thinned_up_to_the_limit(record: Record) -> None:
    history = filled(record, LIMIT)
    assert numbers(history) == list(range(1, LIMIT + 1))
    assert history.message().total == LIMIT


def test_past_the_limit_every_second_is_kept_and_the_latest(record: Record) -> None:
    history = filled(record, 2002)
    assert numbers(history) == [*range(1, 2002, 2), 2002]
    assert history.message().total == 2002


@pytest.mark.parametrize("count", [1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1000])
def test_thinning_is_even_bounded_and_reaches_the_present(record: Record, count: int) -> None:
    kept = numbers(filled(record, count, limit=16))
    assert kept[0] == 1
    assert kept[-1] == count
    assert len(kept) <= 16
    assert len({b - a for a, b in pairwise(kept[:-1])}) <= 1


def test_an_empty_history_is_an_empty_message() -> None:
    assert EpisodeSeries().message().episodes == []


@pytest.mark.parametrize("count", [0, 1, 2, 16, 17, 40, 100])
def test_a_series_goes_on_from_another_history(record: Record, count: int) -> None:
    original, copy = filled(record, count, limit=16), EpisodeSeries(16)
    copy.replace(original.message())
    assert copy.message() == original.message()
    for episode in range(count + 1, count + 200):
        copy.append(record(episode))
    kept = numbers(copy)
    assert len(kept) <= 16
    assert kept[-1] == count + 199
    assert copy.message().total == count + 199


def test_replacing_forgets_what_was_undone_by_a_crash(record: Record) -> None:
    history = filled(record, 63)
    history.replace(filled(record, 50).message())
    assert numbers(history) == list(range(1, 51))
