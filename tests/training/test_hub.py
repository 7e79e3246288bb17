"""Test the broadcast: no viewer delays another, and events are never dropped."""

import pytest

from hamlet_trio.protocol.messages import Paused, Resumed, encode
from hamlet_trio.training.hub import Hub, Viewer


@pytest.fixture
def watched() -> list[bool]:
    return []


@pytest.fixture
def hub(watched: list[bool]) -> Hub:
    return Hub(max_events=3, max_frames=2, on_watched=watched.append)


async def taken(viewer: Viewer) -> list[str]:
    texts = []
    while sum(viewer.queue.statistics()[:2]):
        texts.append(await viewer.queue.get())
    return texts


async def test_everyone_gets_the_same_text(hub: Hub) -> None:
    with hub.joined("a") as a, hub.joined("b") as b:
        hub.broadcast(Paused(1, 2))
        hub.broadcast_frame("frame")
        assert await taken(a) == await taken(b) == [encode(Paused(1, 2)), "frame"]


async def test_a_message_to_one_viewer_reaches_no_other(hub: Hub) -> None:
    with hub.joined("a") as a, hub.joined("b") as b:
        a.tell(Resumed(1, 2))
        assert await taken(a) == [encode(Resumed(1, 2))]
        assert await taken(b) == []


def test_the_trainer_hears_only_of_the_first_viewer_and_of_the_last(hub: Hub, watched: list[bool]) -> None:
    with hub.joined("a"):
        with hub.joined("b"):
            pass
        assert watched == [True]
    assert watched == [True, False]


async def test_a_slow_viewer_loses_its_oldest_frames_alone(hub: Hub) -> None:
    with hub.joined("slow") as slow, hub.joined("quick") as quick:
        received = []
        for number in range(5):
            hub.broadcast_frame(str(number))
            received.append(await quick.queue.get())
        assert received == list("01234")
        assert await taken(slow) == ["3", "4"]
        assert hub.statistics().frames_dropped == 3
    assert hub.statistics().frames_dropped == 3


async def test_a_viewer_that_cannot_take_the_events_is_too_slow_and_nobody_else_is(hub: Hub) -> None:
    with hub.joined("slow") as slow, hub.joined("quick") as quick:
        for number in range(4):
            hub.broadcast_event(str(number))
            assert await quick.queue.get() == str(number)
        assert slow.too_slow.is_set()
        assert not quick.too_slow.is_set()
        hub.broadcast_frame("not for the slow one")
        assert await taken(slow) == ["0", "1", "2"]
    assert hub.statistics().viewers_dropped == 1
    assert len(hub) == 0


def test_words_to_a_viewer_that_has_left_go_nowhere(hub: Hub) -> None:
    with hub.joined("gone") as gone:
        pass
    for _ in range(10):
        gone.tell(Paused(1, 1))
    assert hub.statistics().viewers_dropped == 0
