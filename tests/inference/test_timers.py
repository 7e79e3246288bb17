"""Timers on a virtual clock: a lone one in time, many in groups, cancelled ones never."""

import gc
import weakref

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hamlet_trio.inference.session_queue import SessionQueue
from hamlet_trio.inference.timers import COALESCING_SECONDS, Timers


@pytest.fixture
async def timers(nursery: trio.Nursery) -> Timers:
    timers = Timers()
    nursery.start_soon(timers.run)
    await wait_all_tasks_blocked()
    return timers


class Sleeper:
    """Notes when it was woken."""

    def __init__(self) -> None:
        self.woken: list[float] = []

    def __call__(self) -> None:
        self.woken.append(trio.current_time())


async def test_a_lone_timer_goes_off_at_its_deadline(timers: Timers, autojump_clock: MockClock) -> None:
    sleeper = Sleeper()
    for deadline in (0.1, 0.2, 0.2 + COALESCING_SECONDS, 5.0):
        timers.set(deadline, sleeper)
        await trio.sleep_until(deadline - 1e-6)
        assert deadline not in sleeper.woken
        await trio.sleep_until(deadline + 1e-6)
        assert sleeper.woken[-1] == pytest.approx(deadline, abs=1e-7)


async def test_an_earlier_timer_is_not_held_up_by_a_later_one(
    timers: Timers, autojump_clock: MockClock
) -> None:
    late, early = Sleeper(), Sleeper()
    timers.set(2.0, late)
    timers.set(1.0, early)
    await trio.sleep(3)
    assert (early.woken, late.woken) == ([1.0], [2.0])


async def test_what_is_due_close_together_is_woken_together(
    timers: Timers, autojump_clock: MockClock
) -> None:
    sleepers = [Sleeper() for _ in range(100)]
    for index, sleeper in enumerate(sleepers):
        timers.set(1 + index / 1000, sleeper)
    await trio.sleep(2)
    late = [sleeper.woken[0] - 1 - index / 1000 for index, sleeper in enumerate(sleepers)]
    assert min(late) >= 0
    assert max(late) < COALESCING_SECONDS + 1e-7
    groups = sorted({round(sleeper.woken[0], 9) for sleeper in sleepers})
    assert groups == pytest.approx([1 + index * COALESCING_SECONDS for index in range(len(groups))])


async def test_each_of_many_even_paces_stays_even(timers: Timers, autojump_clock: MockClock) -> None:
    sleepers = [_Paced(timers, index * 0.00097) for index in range(100)]
    await trio.sleep(3)
    for sleeper in sleepers:
        gaps = [later - earlier for earlier, later in zip(sleeper.woken[1:], sleeper.woken[2:], strict=False)]
        assert gaps == pytest.approx([0.1] * len(gaps))
        assert len(gaps) > 20


class _Paced(Sleeper):
    """Wants to be woken every tenth of a second from its first deadline on."""

    def __init__(self, timers: Timers, deadline: float) -> None:
        super().__init__()
        self._timers = timers
        self._deadline = deadline
        timers.set(deadline, self)

    def __call__(self) -> None:
        super().__call__()
        self._deadline += 0.1
        self._timers.set(self._deadline, self)


async def test_groups_do_not_catch_up_after_a_delay(timers: Timers, mock_clock: MockClock) -> None:
    sleeper = Sleeper()
    timers.set(1.0, sleeper)
    mock_clock.jump(7.0)
    await wait_all_tasks_blocked()
    assert sleeper.woken == [7.0]
    for late in (0.001, 0.002):
        timers.set(7.0 + late, sleeper)
    mock_clock.jump(COALESCING_SECONDS / 2)
    await wait_all_tasks_blocked()
    timers.set(7.008, sleeper)
    mock_clock.jump(COALESCING_SECONDS / 2)
    await wait_all_tasks_blocked()
    mock_clock.jump(COALESCING_SECONDS)
    await wait_all_tasks_blocked()
    assert len(sleeper.woken) == 4
    assert sorted(set(sleeper.woken)) == pytest.approx([7.0, 7.0 + COALESCING_SECONDS], abs=1e-7)


async def test_a_cancelled_timer_does_not_go_off_and_is_forgotten(
    timers: Timers, autojump_clock: MockClock
) -> None:
    kept, cancelled = Sleeper(), [Sleeper() for _ in range(1000)]
    timers.set(1.0, kept)
    for sleeper in cancelled:
        timers.cancel(timers.set(0.5, sleeper))
    references = [weakref.ref(sleeper) for sleeper in cancelled]
    del sleeper, cancelled
    gc.collect()
    assert all(reference() is None for reference in references)
    await trio.sleep(2)
    assert kept.woken == [1.0]


async def test_cancelling_one_that_went_off_changes_nothing(
    timers: Timers, autojump_clock: MockClock
) -> None:
    first, second = Sleeper(), Sleeper()
    gone = timers.set(1.0, first)
    timers.set(3.0, second)
    await trio.sleep(2)
    timers.cancel(gone)
    timers.cancel(gone)
    await trio.sleep(2)
    assert (first.woken, second.woken) == ([1.0], [3.0])


async def test_a_cancelled_timer_puts_no_other_one_off(timers: Timers, mock_clock: MockClock) -> None:
    sleeper = Sleeper()
    timers.cancel(timers.set(0.1, sleeper))
    timers.set(2.0, sleeper)
    mock_clock.jump(1.999)
    await wait_all_tasks_blocked()
    mock_clock.jump(0.001)
    await wait_all_tasks_blocked()
    assert sleeper.woken == [2.0]


async def test_nothing_goes_off_where_all_that_was_set_is_cancelled(
    timers: Timers, autojump_clock: MockClock
) -> None:
    for timer in [timers.set(1.0, Sleeper()) for _ in range(1000)]:
        timers.cancel(timer)
    await trio.sleep(2)
    sleeper = Sleeper()
    timers.set(3.0, sleeper)
    await trio.sleep(2)
    assert sleeper.woken == [3.0]


async def test_a_command_does_not_bring_a_turn_forward(timers: Timers, mock_clock: MockClock) -> None:
    """A session that waits for its group hears its client, and still takes its turn with the group."""
    queue: SessionQueue[str] = SessionQueue(4, timers)
    timers.set(0.1, lambda: None)  # another session: the next group is due at 0.1 s and then 10 ms later
    deadline = 0.1 + COALESCING_SECONDS / 2
    heard: list[str | None] = []

    async def wait() -> None:
        while None not in heard:
            heard.append(await queue.get(deadline))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        mock_clock.jump(0.1)
        await wait_all_tasks_blocked()
        mock_clock.jump(COALESCING_SECONDS * 0.7)
        await wait_all_tasks_blocked()
        assert heard == []
        queue.put("status")
        await wait_all_tasks_blocked()
        assert heard == ["status"]
        mock_clock.jump(COALESCING_SECONDS * 0.4)
        await wait_all_tasks_blocked()
    assert heard == ["status", None]
