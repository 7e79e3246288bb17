"""The outbox of a viewer: order is kept, frames conflate, events never drop."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from hamlet_trio.connection import Outbox, OutboxFullError


async def test_get_waits_for_a_put() -> None:
    outbox = Outbox(max_events=1, max_frames=1)
    got: list[str] = []

    async def take() -> None:
        got.append(await outbox.get())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await wait_all_tasks_blocked()
        assert got == []
        outbox.put_event("a")
    assert got == ["a"]


async def test_the_oldest_frame_gives_way_and_is_counted() -> None:
    outbox = Outbox(max_events=4, max_frames=2)
    outbox.put_frame("1")
    outbox.put_event("event")
    outbox.put_frame("2")
    outbox.put_frame("3")
    assert outbox.statistics() == (1, 2, 1)
    assert [await outbox.get() for _ in range(3)] == ["event", "2", "3"]


async def test_a_full_queue_of_events_is_an_error_and_keeps_what_it_has() -> None:
    outbox = Outbox(max_events=2, max_frames=1)
    outbox.put_event("1")
    outbox.put_event("2")
    with pytest.raises(OutboxFullError, match="2 events wait"):
        outbox.put_event("3")
    assert [await outbox.get(), await outbox.get()] == ["1", "2"]


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 5))
def test_order_is_kept_and_only_frames_are_lost(kinds: list[bool], max_frames: int) -> None:
    async def main() -> list[str]:
        outbox = Outbox(max_events=60, max_frames=max_frames)
        for number, is_event in enumerate(kinds):
            (outbox.put_event if is_event else outbox.put_frame)(str(number))
        statistics = outbox.statistics()
        assert statistics.frames + statistics.dropped_frames == kinds.count(False)
        return [await outbox.get() for _ in range(statistics.events + statistics.frames)]

    got = trio.run(main)
    events = [str(n) for n, is_event in enumerate(kinds) if is_event]
    frames = [str(n) for n, is_event in enumerate(kinds) if not is_event]
    kept = set(events) | set(frames[-max_frames:])
    assert got == [str(n) for n in range(len(kinds)) if str(n) in kept]
