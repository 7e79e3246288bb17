"""Connections that are read together, and leave the batch by what is found on them."""

from collections.abc import Iterator

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from hamlet_trio.connection import ReadBatch


@pytest.fixture
def batch() -> Iterator[ReadBatch]:
    """A batch that is read."""
    batch = ReadBatch()
    with batch.taking_turns():
        yield batch


async def test_a_connection_is_read_until_it_has_nothing_more(
    batch: ReadBatch, nursery: trio.Nursery
) -> None:
    waiting = {"ann": 3, "ben": 1}
    left: list[str] = []

    async def join(name: str) -> None:
        def read_now() -> bool:
            waiting[name] -= 1
            return waiting[name] > 0

        await batch.join(read_now)
        left.append(name)

    for name in waiting:
        nursery.start_soon(join, name)
    await wait_all_tasks_blocked()
    for expected in (["ben"], ["ben"], ["ben", "ann"]):
        batch.read()
        await wait_all_tasks_blocked()
        assert left == expected
    assert len(batch) == 0
    batch.read()
    assert waiting == {"ann": 0, "ben": 0}


async def test_a_connection_that_has_left_is_not_read_before_its_task_runs(
    batch: ReadBatch, nursery: trio.Nursery
) -> None:
    read: list[str] = []

    def read_now() -> bool:
        read.append("once")
        return False

    nursery.start_soon(batch.join, read_now)
    await wait_all_tasks_blocked()
    batch.read()
    batch.read()
    assert read == ["once"]


async def test_who_is_cancelled_is_not_read_any_more(batch: ReadBatch) -> None:

    def read_now() -> bool:
        raise AssertionError("it has gone")

    with trio.CancelScope() as scope:
        scope.cancel()
        await batch.join(read_now)
    batch.read()
    assert len(batch) == 0


async def test_without_turns_everybody_reads_alone(nursery: trio.Nursery) -> None:
    batch = ReadBatch()
    for _ in range(2):  # whoever reads may have failed, and begin again
        with batch.taking_turns():
            for number in range(3):
                nursery.start_soon(batch.join, lambda number=number: number >= 0)
            await wait_all_tasks_blocked()
            assert len(batch) == 3
        await wait_all_tasks_blocked()
        assert len(batch) == 0
        with trio.fail_after(1):
            await batch.join(lambda: True)
