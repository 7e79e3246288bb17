"""Sessions kept in a real Redis: who has which, and what happens when Redis does not answer."""

import signal

import pytest
import trio

from hamlet_trio.protocol.errors import BadMessageError
from hamlet_trio.shared import RedisShelf, RedisStore, StoreUnavailableError
from hamlet_trio.shared.redis_shelf import BATCH, StoredSession
from tests.patience import PATIENCE
from tests.shared.redis_server import RedisServer


class Session:
    """A session as the shelf sees it."""

    def __init__(self, name: str, data: bytes = b"data", *, epoch: int = 1, owner: str = "") -> None:
        self.name, self.data, self.epoch, self.owner = name, data, epoch, owner
        self.contents: dict[str, bytes] = {}
        self.is_lost = False
        self.lost = trio.Event()

    def encode(self) -> bytes | None:
        return self.data

    def lose(self) -> None:
        self.is_lost = True
        self.lost.set()


class Instance:
    """A store and a shelf, as one instance has them."""

    def __init__(self, url: str, *, form: int = 1, capacity: int = 100) -> None:
        self.store = RedisStore(url)
        self.shelf = RedisShelf(self.store, prefix="test", seconds=60, capacity=capacity, form=form)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.store.run)
            nursery.start_soon(self.shelf.run)

    async def written(self, number: int) -> None:
        """Wait until so many snapshots have been written."""
        with trio.fail_after(PATIENCE):
            while self.shelf.written < number:  # noqa: ASYNC110 - another process answers
                await trio.sleep(0.01)

    async def is_up(self, wanted: bool) -> None:
        with trio.fail_after(PATIENCE):
            while self.store.is_up != wanted:  # noqa: ASYNC110 - another process answers
                await trio.sleep(0.01)


@pytest.fixture
def instances(redis: RedisServer, nursery: trio.Nursery) -> tuple[Instance, Instance]:
    """Two instances over one Redis."""
    pair = Instance(redis.url), Instance(redis.url)
    for one in pair:
        nursery.start_soon(one.run)
    return pair


async def test_another_instance_claims_what_one_wrote(instances: tuple[Instance, Instance]) -> None:
    first, second = instances
    session = Session("a" * 32, b"\x00\xff snapshot")
    first.shelf.put(session)
    await first.written(1)
    assert await second.shelf.claim(session.name, "") == StoredSession(2, session.data)
    assert await second.shelf.claim("b" * 32, "") is None


async def test_whoever_is_overtaken_is_refused_and_loses_the_session(
    instances: tuple[Instance, Instance],
) -> None:
    first, second = instances
    old = Session("a" * 32, b"old")
    first.shelf.put(old)
    await first.written(1)
    claimed = await second.shelf.claim(old.name, "")
    assert claimed is not None
    newer = Session(old.name, b"newer", epoch=claimed.epoch)
    second.shelf.put(newer, urgent=True)
    await second.written(1)
    first.shelf.put(old, urgent=True)
    with trio.fail_after(PATIENCE):
        await old.lost.wait()
    assert not newer.is_lost
    assert await first.shelf.claim(old.name, "") == StoredSession(3, b"newer")


async def test_another_login_and_an_older_version_find_nothing(
    redis: RedisServer, nursery: trio.Nursery
) -> None:
    newest, older = Instance(redis.url, form=2), Instance(redis.url, form=1)
    for one in (newest, older):
        nursery.start_soon(one.run)
    session = Session("a" * 32, owner="token")
    newest.shelf.put(session)
    await newest.written(1)
    assert await newest.shelf.claim(session.name, "another") is None
    assert await newest.shelf.claim(session.name, "") is None
    assert await older.shelf.claim(session.name, "token") is None
    assert await newest.shelf.claim(session.name, "token") == StoredSession(2, session.data)


async def test_a_thousand_sessions_are_written_in_batches(instances: tuple[Instance, Instance]) -> None:
    first, second = instances
    sessions = [Session(f"{number:032x}", str(number).encode()) for number in range(15 * BATCH + 1)]
    for session in sessions:
        first.shelf.put(session)
    await first.written(len(sessions))
    assert first.shelf.waiting == 0
    for session in (sessions[0], sessions[-1]):
        claimed = await second.shelf.claim(session.name, "")
        assert claimed is not None
        assert claimed.data == session.data


async def test_the_models_of_kept_sessions_are_kept(instances: tuple[Instance, Instance]) -> None:
    first, second = instances
    session = Session("a" * 32)
    session.contents = {"d" * 64: bytes(range(256)) * 2000}
    first.shelf.put(session)
    await first.written(1)
    assert await second.shelf.fetch_weights("d" * 64) == session.contents["d" * 64]
    assert await second.shelf.fetch_weights("e" * 64) is None


async def test_what_waits_while_redis_is_away_is_written_when_it_is_back(
    redis: RedisServer, instances: tuple[Instance, Instance]
) -> None:
    first, second = instances
    session = Session("a" * 32, b"before")
    first.shelf.put(session)
    await first.written(1)
    redis.end()
    session.data = b"while it was away"
    first.shelf.put(session, urgent=True)
    await first.is_up(False)
    redis.start()
    await first.written(2)
    claimed = await second.shelf.claim(session.name, "")
    assert claimed is not None
    assert claimed.data == session.data


async def test_a_redis_that_lost_its_data_gets_the_sessions_again(
    redis: RedisServer, instances: tuple[Instance, Instance]
) -> None:
    first, second = instances
    session = Session("a" * 32)
    first.shelf.put(session)
    await first.written(1)
    redis.end()
    redis.forget()
    redis.start()
    await first.is_up(True)
    assert await second.shelf.claim(session.name, "") is None
    first.shelf.put(session)
    await first.written(2)
    assert await second.shelf.claim(session.name, "") == StoredSession(2, session.data)


async def test_a_frozen_redis_holds_nobody_up(
    redis: RedisServer, instances: tuple[Instance, Instance]
) -> None:
    first, second = instances
    await first.is_up(True)
    redis.signal(signal.SIGSTOP)
    session = Session("a" * 32)
    first.shelf.put(session, urgent=True)
    with pytest.raises(BadMessageError) as refused:
        await second.shelf.claim(session.name, "")
    assert refused.value.code == "store_unavailable"
    redis.signal(signal.SIGCONT)
    await first.written(1)
    with trio.fail_after(PATIENCE):
        while True:
            try:
                claimed = await second.shelf.claim(session.name, "")
            except BadMessageError:
                continue
            break
    assert claimed is not None


async def test_without_a_redis_a_claim_is_refused(nursery: trio.Nursery) -> None:
    from tests.ports import free_port

    alone = Instance(f"redis://127.0.0.1:{free_port()}")
    nursery.start_soon(alone.run)
    with pytest.raises(BadMessageError) as refused:
        await alone.shelf.claim("a" * 32, "")
    assert refused.value.code == "store_unavailable"
    assert alone.store.problem is not None


async def test_sessions_that_nobody_has_are_given_up_beyond_a_bound() -> None:
    shelf = RedisShelf(RedisStore("redis://127.0.0.1:1"), prefix="test", seconds=60, capacity=3, form=1)
    left = [Session(f"{number:032x}") for number in range(5)]
    live = Session("f" * 32)
    shelf.put(live)
    for session in left:
        shelf.put(session, urgent=True, is_left=True)
    assert (shelf.waiting, shelf.given_up) == (4, 2)


async def test_a_full_redis_refuses_and_serves_again_once_there_is_room(
    redis: RedisServer, instances: tuple[Instance, Instance]
) -> None:
    first, second = instances
    await first.is_up(True)
    redis.ask("CONFIG", "SET", "maxmemory", "1")
    session = Session("a" * 32)
    first.shelf.put(session, urgent=True)
    await first.is_up(False)
    assert "OOM" in (first.store.problem or "")
    assert await first.shelf.fetch_weights("0" * 64) is None, "it answers what needs no room"
    assert "OOM" in (first.store.problem or ""), "and is full all the same"
    redis.ask("CONFIG", "SET", "maxmemory", "0")
    await first.written(1)
    assert first.store.problem is None
    assert await second.shelf.claim(session.name, "") == StoredSession(2, session.data)


async def test_no_connection_and_no_task_is_left_behind(redis: RedisServer) -> None:
    before = trio.lowlevel.current_statistics().tasks_living
    for _ in range(2):
        one = Instance(redis.url)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.run)
            for number in range(50):
                one.shelf.put(Session(f"{number:032x}"), urgent=True)
            await one.written(50)
            with pytest.raises(StoreUnavailableError), trio.fail_after(PATIENCE):
                await one.store.call(_never)
            await one.is_up(False)
            nursery.cancel_scope.cancel()
    assert trio.lowlevel.current_statistics().tasks_living == before
    connected = redis.ask("INFO", "clients").split(b"connected_clients:")[1].split(b"\r\n")[0]
    assert int(connected) == 1, "the one that asks"


async def _never(client: object) -> None:
    await trio.sleep_forever()
