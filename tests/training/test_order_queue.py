"""Orders wait in order; being watched is a value of which only the last counts."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from hamlet_trio.training.order_queue import MAX_ORDERS, OrderQueue, OrderQueueFullError
from hamlet_trio.training.orders import PauseOrder, ResumeOrder, StopOrder, WatchOrder


async def test_orders_keep_their_order() -> None:
    queue = OrderQueue(watched=False)
    for order in (PauseOrder(), ResumeOrder(), StopOrder()):
        queue.put(order)
    assert [await queue.get() for _ in range(3)] == [PauseOrder(), ResumeOrder(), StopOrder()]


async def test_get_waits_for_an_order() -> None:
    queue = OrderQueue(watched=False)
    got = []

    async def take() -> None:
        got.append(await queue.get())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await wait_all_tasks_blocked()
        assert got == []
        queue.set_watched(True)
    assert got == [WatchOrder(True)]


async def test_of_several_changes_only_the_last_is_told() -> None:
    queue = OrderQueue(watched=False)
    for watched in (True, False, True):
        queue.set_watched(watched)
    queue.put(PauseOrder())
    assert [await queue.get(), await queue.get()] == [WatchOrder(True), PauseOrder()]


async def test_a_change_and_back_is_none() -> None:
    queue = OrderQueue(watched=False)
    queue.set_watched(True)
    queue.set_watched(False)
    queue.put(PauseOrder())
    assert await queue.get() == PauseOrder()


async def test_a_trainer_that_takes_no_orders_is_found_out_and_room_comes_back() -> None:
    queue = OrderQueue(watched=False)
    for _ in range(MAX_ORDERS):
        queue.put(PauseOrder())
    with pytest.raises(OrderQueueFullError):
        queue.put(ResumeOrder())
    await queue.get()
    queue.put(ResumeOrder())
