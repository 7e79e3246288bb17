"""New sessions are refused by measured load, before those that play are late; lateness is shared evenly."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hamlet_trio.connection import OverloadedError
from hamlet_trio.inference import InferenceService
from hamlet_trio.inference.admission import ALWAYS_ADMITTED, LATE_SECONDS, RETRY_AFTER_SECONDS, Admission
from hamlet_trio.inference.fair_share import GUARANTEED_PER_SECOND, FairShare, Share
from hamlet_trio.inference.pace import Pace
from hamlet_trio.inference.timers import Timers

_WAKE = 0.1


class Machine:
    """A server that works: what its event loop and its engine have spent, in seconds."""

    def __init__(self, max_load: float, clock: MockClock) -> None:
        self.loop = self.engine = 0.0
        self.work = FairShare()
        self.admission = Admission(max_load, self.work, lambda: self.engine, lambda: self.loop)
        self._clock = clock

    def run(self, seconds: float, *, loop: float = 0.0, engine: float = 0.0, lag: float = 0.0) -> None:
        """Let time pass while both are busy for these shares of it, and sessions do what they may."""
        for _ in range(round(seconds / _WAKE)):
            self._clock.jump(_WAKE)
            self.loop += loop * _WAKE
            self.engine += engine * _WAKE
            self.work.units += 10
            self.work.guaranteed += 10
            self.admission.observe(lag)

    def admits(self, sessions: int = 100, returning: int = 0) -> bool:
        """Return whether one session more is admitted."""
        try:
            self.admission.check(sessions, returning)
        except OverloadedError:
            return False
        return True


@pytest.fixture
def machine(mock_clock: MockClock) -> Machine:
    """A server that admits up to nine tenths of its time."""
    return Machine(0.9, mock_clock)


async def test_a_session_is_refused_while_those_that_play_take_the_server_s_time(
    machine: Machine, mock_clock: MockClock
) -> None:
    assert machine.admits()
    machine.run(20, loop=0.85)
    assert machine.admits()
    assert machine.admission.load == pytest.approx(0.85, abs=0.01)
    machine.run(20, loop=0.95)
    assert not machine.admits()
    assert machine.admits(returning=1), "it may be one that had a place a moment ago"
    assert machine.admits(ALWAYS_ADMITTED - 1)
    assert machine.admission.refused == 1
    machine.run(4, loop=0.5)
    assert machine.admits()


async def test_the_engine_s_time_counts_as_well(machine: Machine, mock_clock: MockClock) -> None:
    machine.run(20, loop=0.2, engine=0.95)
    assert not machine.admits()


async def test_one_pause_and_one_busy_second_refuse_nobody(machine: Machine, mock_clock: MockClock) -> None:
    machine.run(10, loop=0.6)
    machine.run(0.1, loop=0.6, lag=5)
    assert machine.admits()
    machine.run(1, loop=1.0)
    assert machine.admits()


async def test_sessions_that_are_late_because_of_others_keep_new_ones_out(
    machine: Machine, mock_clock: MockClock
) -> None:
    machine.run(20, loop=0.7, lag=2 * LATE_SECONDS)
    assert machine.admission.lateness == pytest.approx(2 * LATE_SECONDS, rel=0.05)
    assert not machine.admits()
    machine.run(20, loop=0.5, lag=2 * LATE_SECONDS)
    assert machine.admits(), "it is not the sessions that make the server late"


async def test_load_and_lateness_fade_when_nobody_plays(machine: Machine, mock_clock: MockClock) -> None:
    machine.run(20, loop=1.0, lag=0.2)
    assert not machine.admits()
    mock_clock.jump(30)
    assert machine.admission.load < 0.05
    assert machine.admission.lateness < 0.01
    assert machine.admits()


async def test_what_fast_sessions_do_beyond_their_right_keeps_nobody_out(
    machine: Machine, mock_clock: MockClock
) -> None:
    share = Share()
    rate = 5 * GUARANTEED_PER_SECOND
    for _ in range(round(10 * rate)):
        mock_clock.jump(1 / rate)
        machine.loop += 1 / rate
        await machine.work.admit(share)
        machine.admission.observe(0.0)
    assert machine.admission.load == pytest.approx(1 / 5, abs=0.05)
    assert machine.admits()


async def test_nobody_is_refused_where_that_is_turned_off(mock_clock: MockClock) -> None:
    machine = Machine(0.0, mock_clock)
    machine.run(20, loop=1.0, lag=0.2)
    assert machine.admits()
    assert machine.admission.load > 0.9, "it is measured all the same"


async def test_the_service_says_that_it_is_overloaded(
    service: InferenceService, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(0.9, mock_clock)
    service.admission = machine.admission
    monkeypatch.setattr("hamlet_trio.inference.admission.ALWAYS_ADMITTED", 0)
    before = service.problem
    machine.run(20, loop=0.95)
    assert (before, service.problem) == (None, "overloaded")
    with pytest.raises(OverloadedError, match=r"need 95% of the server's time.*HAMLET_MAX_LOAD") as refused:
        service.admit().__enter__()
    assert refused.value.retry_after == RETRY_AFTER_SECONDS
    assert service.active_sessions == 0
    statistics = service.statistics()
    assert (statistics.refused, round(statistics.load, 2)) == (1, 0.95)


@pytest.mark.parametrize("overload", [1.5, 3.0])
async def test_beyond_the_limit_all_sessions_are_late_alike(
    overload: float, mock_clock: MockClock, nursery: trio.Nursery
) -> None:
    count = 60
    cost = overload * 0.1 / count
    work = FairShare()
    timers = Timers(work.observe_lag)
    turns, longest = [0] * count, [0.0] * count
    nursery.start_soon(timers.run)
    nursery.start_soon(work.run)

    async def play(number: int) -> None:
        share, pace = Share(), Pace(trio.current_time())
        while True:
            due = pace.deadline(intermission=False)
            woken = trio.Event()
            timers.set(due, woken.set)
            await woken.wait()
            await work.admit(share)
            mock_clock.jump(cost)
            longest[number] = max(longest[number], trio.current_time() - due)
            turns[number] += 1
            pace.take_turn(trio.current_time(), intermission=False)

    for number in range(count):
        nursery.start_soon(play, number)
        mock_clock.jump(0.1 / count)
        await wait_all_tasks_blocked()
    mock_clock.autojump_threshold = 0
    await trio.sleep(2)
    turns[:], longest[:] = [0] * count, [0.0] * count
    await trio.sleep(20)
    expected = 20 * 10 / overload
    assert min(turns) > 0.8 * expected
    assert max(turns) < 1.2 * expected
    assert max(longest) < 1.5 * min(longest)
