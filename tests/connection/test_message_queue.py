"""The queue to a task that sends: order is kept, droppable items conflate, others never drop."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from hamlet_trio.connection import MessageQueue, QueueFullError


async def test_get_waits_for_a_put() -> None:
    queue = MessageQueue[str](max_kept=1, max_droppable=1)
    got: list[str] = []

    async def take() -> None:
        got.append(await queue.get())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await wait_all_tasks_blocked()
        assert got == []
        queue.put("a")
    assert got == ["a"]


async def test_the_oldest_frame_gives_way_and_is_counted() -> None:
    queue = MessageQueue[str](max_kept=4, max_droppable=2)
    queue.put_droppable("1")
    queue.put("event")
    queue.put_droppable("2")
    queue.put_droppable("3")
    assert queue.statistics() == (1, 2, 1)
    assert [await queue.get() for _ in range(3)] == ["event", "2", "3"]


async def test_a_full_queue_of_events_is_an_error_and_keeps_what_it_has() -> None:
    queue = MessageQueue[str](max_kept=2, max_droppable=1)
    queue.put("1")
    queue.put("2")
    with pytest.raises(QueueFullError, match="2 messages wait"):
        queue.put("3")
    assert [await queue.get(), await queue.get()] == ["1", "2"]


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 5))
def test_order_is_kept_and_only_frames_are_lost(kinds: list[bool], max_droppable: int) -> None:
    async def main() -> list[str]:
        queue = MessageQueue[str](max_kept=60, max_droppable=max_droppable)
        for number, is_event in enumerate(kinds):
            (queue.put if is_event else queue.put_droppable)(str(number))
        statistics = queue.statistics()
        assert statistics.droppable + statistics.dropped == kinds.count(False)
        return [await queue.get() for _ in range(statistics.kept + statistics.droppable)]

    got = trio.run(main)
    events = [str(n) for n, is_event in enumerate(kinds) if is_event]
    frames = [str(n) for n, is_event in enumerate(kinds) if not is_event]
    kept = set(events) | set(frames[-max_droppable:])
    assert got == [str(n) for n in range(len(kinds)) if str(n) in kept]
