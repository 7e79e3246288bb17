"""Test that services that fail or return are started again."""

from itertools import pairwise
from typing import Any

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hamlet_trio.web.services import keep_running


async def test_a_failed_service_is_logged_and_started_again_after_growing_waits(
    autojump_clock: MockClock, logged: list[Any]
) -> None:
    starts: list[float] = []

    async def fail() -> None:
        starts.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        raise RuntimeError("its reason")

    with trio.move_on_after(100):
        await keep_running("test", fail)
    waits = [round(later - earlier, 6) for earlier, later in pairwise(starts)]
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert [event["event"] for event in logged] == ["service_failed"] * len(starts)
    assert logged[0]["service"] == "test"
    assert logged[0]["exc_info"].exceptions[0].args == ("its reason",)


async def test_a_service_that_was_healthy_is_started_again_soon(autojump_clock: MockClock) -> None:
    starts: list[float] = []

    async def fail_late() -> None:
        starts.append(trio.current_time())
        await trio.sleep(60 if len(starts) > 3 else 0)
        raise RuntimeError

    with trio.move_on_after(130):
        await keep_running("test", fail_late)
    assert [round(later - earlier, 6) for earlier, later in pairwise(starts)] == [
        *(0.5, 1, 2),
        60.5,
        60.5,
    ]


async def test_a_service_that_returns_is_started_again(autojump_clock: MockClock) -> None:
    starts = 0

    async def return_at_once() -> None:
        nonlocal starts
        starts += 1

    with trio.move_on_after(2):
        await keep_running("test", return_at_once)
    assert starts == 3


async def test_a_failing_service_does_not_take_its_sibling_along(autojump_clock: MockClock) -> None:
    running = trio.Event()

    async def work() -> None:
        running.set()
        await trio.sleep_forever()

    async def fail() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise RuntimeError

    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_running, "fails", fail)
        nursery.start_soon(keep_running, "works", work)
        await running.wait()
        await wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 2
        nursery.cancel_scope.cancel()
