"""Instances over a real Redis: one of them tells the run, and the others hear everything once."""

import signal
from collections.abc import Callable

import pytest
import trio

from hamlet_trio.shared import RedisStore, SharedRun
from hamlet_trio.shared.run_log import BeatResult, Lease, News, Portion, RunLog, ToldEvent
from tests.patience import PATIENCE
from tests.shared.redis_server import RedisServer


class Instance:
    """One instance, and what it heard."""

    def __init__(self, url: str) -> None:
        self.store = RedisStore(url)
        # No test waits for a lease to run out; on a slow machine it must not.
        self.run = SharedRun(self.store, url, prefix="test", port=1, lease=PATIENCE)
        self.log = RunLog(self.store, prefix="test", port=2, lease=PATIENCE)
        self.heard: list[str] = []
        self.numbers: list[int] = []
        self.orders: list[str] = []
        self.board: bytes | None = None
        self.beat: BeatResult | None = None
        self.is_lost = False
        self._changed = trio.Event()

    async def serve(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.store.run)
            board = await self.run.open()
            self.board = board.snapshot if board else None
            nursery.start_soon(self.run.run, self._on_news, self._on_beat, self._on_lost)

    async def _on_news(self, news: News) -> None:
        self.heard += [event.text for event in news.events] + [frame.text for frame in news.frames]
        self.numbers += [event.number for event in news.events]
        self.orders += [order.command for order in news.orders]
        if news.board is not None:
            self.board = news.board.snapshot
        for order in news.orders:
            if self.run.takes_part:
                await self.run.answer(order, [f"done: {order.command}"])
        self._change()

    async def _on_beat(self, beat: BeatResult | None) -> None:
        self.beat = beat
        self._change()

    async def _on_lost(self) -> None:
        self.is_lost = True
        self._change()

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def until(self, condition: Callable[[], object]) -> None:
        with trio.fail_after(PATIENCE):
            while not condition():
                await self._changed.wait()

    async def takes_lease(self) -> bool:
        """Try to take the lease, again where no answer came in time, as on a slow machine."""
        with trio.fail_after(PATIENCE):
            while (is_taken := await self.run.take()) is None:  # noqa: ASYNC110 - another process answers
                await trio.sleep(0.05)
        return is_taken

    async def begin(self) -> None:
        """Take the lease and tell."""
        with trio.fail_after(PATIENCE):
            while not await self.takes_lease():  # noqa: ASYNC110 - the news are being dealt with
                await trio.sleep(0.05)
        self.run.begin(lambda: b"snapshot")


Instances = Callable[[], Instance]


@pytest.fixture
def slow_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have everybody wait for Redis, however slow the machine is."""
    monkeypatch.setattr("hamlet_trio.shared.redis_store.TIMEOUT", PATIENCE)
    monkeypatch.setattr("hamlet_trio.shared.stream_reading.TIMEOUT", PATIENCE)


@pytest.fixture
def instance(redis: RedisServer, nursery: trio.Nursery) -> Instances:
    """Make an instance that runs as long as the test."""

    def make() -> Instance:
        one = Instance(redis.url)
        nursery.start_soon(one.serve)
        return one

    return make


@pytest.mark.usefixtures("slow_redis")
async def test_only_one_takes_the_lease_and_the_others_hear_all_it_tells_once(instance: Instances) -> None:
    first, second = instance(), instance()
    await second.until(lambda: second.beat)
    await first.begin()
    assert not await second.takes_lease()
    texts = [f"event {number}" for number in range(1, 2501)]
    for text in texts:
        first.run.tell_event(text)
    first.run.tell_frame("frame")
    await second.until(lambda: len(second.heard) > len(texts))
    assert [text for text in second.heard if text != "frame"] == texts
    assert second.numbers == list(range(1, 2501))
    assert first.heard == []
    late = instance()  # it begins with the state, and hears what comes after
    await late.until(lambda: late.beat)
    first.run.tell_event("last")
    await late.until(lambda: late.heard)
    assert (late.board, late.heard[-1]) == (b"snapshot", "last")

    first.run.end()
    await second.begin()
    second.run.tell_event("another run")
    await first.until(lambda: first.heard)
    assert first.heard == ["another run"]


@pytest.mark.usefixtures("slow_redis")
async def test_whoever_hears_the_last_of_a_run_finds_its_lease_free(
    instance: Instances, redis: RedisServer
) -> None:
    first, second = instance(), instance()
    await second.until(lambda: second.beat)
    await first.begin()
    first.run.tell_event("over")
    first.run.end()
    await second.until(lambda: second.heard)
    assert redis.ask("GET", "test:run:lock") == b"$-1\r\n"
    await second.begin()
    assert not await first.takes_lease()

    # The next run may begin here before the last one's end is told.
    second.run.tell_event("over, too")
    second.run.end()
    assert await second.takes_lease()
    second.run.begin(lambda: b"snapshot")
    second.run.tell_event("again")
    await first.until(lambda: len(first.heard) == 2)
    assert first.heard == ["over, too", "again"]
    assert not await first.takes_lease()

    # Or not at all, as where something else is in its way.
    second.run.end()
    assert await second.takes_lease()
    await second.run.give()
    await first.begin()


@pytest.mark.usefixtures("slow_redis")
async def test_an_order_reaches_whoever_trains_and_its_answer_the_sender_alone(
    instance: Instances, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = instance(), instance()
    await second.until(lambda: second.beat)
    await first.begin()
    monkeypatch.setattr("hamlet_trio.shared.shared_run._ANSWER_SECONDS", PATIENCE)
    assert await second.run.order("session", "pause") == ["done: pause"]
    assert first.orders == ["pause"]
    await first.run.leave()
    monkeypatch.setattr("hamlet_trio.shared.shared_run._ANSWER_SECONDS", 0.1)
    assert await second.run.order("session", "stop") is None, "nobody is there to answer"


@pytest.mark.usefixtures("slow_redis")
async def test_viewers_elsewhere_are_counted_as_long_as_their_instance_is_there(
    instance: Instances, redis: RedisServer
) -> None:
    first, second = instance(), instance()
    second.run.set_viewers(3)
    await first.until(lambda: first.beat is not None and first.beat.viewers == 3)
    assert first.run.instances == 2
    redis.ask("HSET", "test:run:instances", "gone", "5 1000")
    await first.until(lambda: first.beat is None or first.beat.viewers == 3)
    second.run.set_viewers(0)
    await first.until(lambda: first.beat is not None and first.beat.viewers == 0)


@pytest.mark.usefixtures("slow_redis")
async def test_a_portion_that_is_told_twice_is_heard_once(instance: Instances, redis: RedisServer) -> None:
    one = instance()
    await one.until(lambda: one.beat)
    lease = await one.log.take(0, "*")
    assert lease is not None
    events = [ToldEvent("source", number, 0.0, f"event {number}") for number in (1, 2)]
    portion = Portion("source", 1, events, [], 2, b"snapshot")
    ids = await one.log.tell(lease, portion)
    assert await one.log.tell(lease, portion) == ids
    await one.until(lambda: len(one.heard) >= 2)
    assert redis.ask("XLEN", "test:run:events") == b":2\r\n"
    assert await one.log.tell(Lease(lease.instance, lease.fence - 1), portion) is None
    last = portion._replace(number=2, events=[ToldEvent("source", 3, 0.0, "event 3")], last=3, is_last=True)
    ids = await one.log.tell(lease, last)
    assert await one.log.tell(lease, last) == ids, "the lease is given back with it"
    assert redis.ask("XLEN", "test:run:events") == b":3\r\n"
    assert await one.log.tell(lease, last._replace(number=3)) is None


@pytest.mark.usefixtures("slow_redis")
async def test_nobody_takes_the_lease_before_it_has_read_all(instance: Instances, redis: RedisServer) -> None:
    one = instance()
    await one.until(lambda: one.beat)
    lease = await one.log.take(0, "*")
    assert lease is not None
    await one.log.tell(lease, Portion("source", 1, [ToldEvent("source", 1, 0.0, "event")], [], 1, b""))
    await one.log.give(lease)
    assert await one.log.take(0, "0-0") is None
    await one.until(lambda: one.heard)
    await one.begin()


async def test_redis_is_frozen_and_then_emptied_and_the_run_is_told_on(
    instance: Instances, redis: RedisServer
) -> None:
    first, second = instance(), instance()
    await second.until(lambda: second.beat)
    await first.begin()
    first.run.tell_event("before")
    await second.until(lambda: second.heard)
    redis.signal(signal.SIGSTOP)
    first.run.tell_event("while it is frozen")
    await second.until(lambda: second.beat is None)
    redis.signal(signal.SIGCONT)
    await second.until(lambda: len(second.heard) == 2)
    # It is told once the one before is known to have been: that one may be in Redis without an answer.
    first.run.tell_event("after it was frozen")
    await second.until(lambda: len(second.heard) == 3)
    # A Redis that is emptied forgets what it was told; without its answer that would be told again.
    with trio.fail_after(PATIENCE):
        while first.run.waiting:  # noqa: ASYNC110 - nobody is told of an answer
            await trio.sleep(0.05)
    redis.end()
    redis.forget()
    first.run.tell_event("while it is gone")
    redis.start()
    await second.until(lambda: len(second.heard) == 4)
    assert second.heard == ["before", "while it is frozen", "after it was frozen", "while it is gone"]
    assert second.numbers == [1, 2, 3, 4]
    assert not await second.takes_lease(), "the lease was not taken again"
    assert not first.is_lost


@pytest.mark.usefixtures("slow_redis")
async def test_whoever_finds_the_lease_taken_has_lost_the_run(
    instance: Instances, redis: RedisServer
) -> None:
    first = instance()
    await first.until(lambda: first.beat)
    await first.begin()
    redis.ask("SET", "test:run:lock", "another#7")
    first.run.tell_event("refused")
    await first.until(lambda: first.is_lost)
    assert not first.run.takes_part


@pytest.mark.usefixtures("slow_redis")
async def test_an_entry_that_cannot_be_read_is_left_out(instance: Instances, redis: RedisServer) -> None:
    first, second = instance(), instance()
    await second.until(lambda: second.beat)
    await first.begin()
    for key in ("events", "frames", "orders"):
        redis.ask("XADD", f"test:run:{key}", "*", "s", "elsewhere")
        redis.ask("XADD", f"test:run:{key}", "*", *("s", "x", "n", "many", "t", "text", "i", "y", "v", "z"))
    first.run.tell_event("told")
    await second.until(lambda: second.heard)
    assert second.heard == ["told"]
    assert await second.run.order("session", "pause") == ["done: pause"]
