"""A keeper over a real Redis: what it keeps itself stays within its bounds, whatever becomes of a claim."""

import signal
from collections.abc import Callable

import pytest
import trio

from hamlet_trio.inference.session_keeper import (
    SNAPSHOT_FORM,
    KeptSession,
    SessionKeeper,
    new_secret,
    session_name,
)
from hamlet_trio.inference.session_snapshot import EpisodeFacts, LastStep, SessionSnapshot
from hamlet_trio.protocol.errors import BadMessageError
from hamlet_trio.protocol.frames import PolicyView
from hamlet_trio.world import Worlds
from tests.patience import PATIENCE
from tests.shared.redis_server import RedisServer
from tests.shared.test_redis_shelf import Instance


def snapshot(number: int) -> SessionSnapshot:
    """A session at the start of an episode."""
    state = Worlds(1).get_state(0)
    episode = EpisodeFacts(
        number, False, None, b"", state.positions, state.meters, state.failures, state.random, (0.0,), [],
        LastStep([None], [0.0], [None]),
    )  # fmt: skip
    return SessionSnapshot(
        SNAPSHOT_FORM, [None], None, False, episode, False, None, 1.0, PolicyView(True, True), None
    )


def opened(keeper: SessionKeeper, secret: str, number: int = 1) -> KeptSession:
    """A connection's session, which nobody takes away."""
    kept = keeper.open(secret, "", lambda: None)
    kept.watch(lambda: snapshot(number), list, None)
    return kept


Keepers = Callable[..., tuple[SessionKeeper, Instance]]


@pytest.fixture
def keepers(redis: RedisServer, nursery: trio.Nursery) -> Keepers:
    """Make keepers over one Redis, each of an instance of its own."""

    def make(*, grace: float, capacity: int) -> tuple[SessionKeeper, Instance]:
        instance = Instance(redis.url)
        keeper = SessionKeeper(grace=grace, capacity=capacity)
        keeper.shelf = instance.shelf
        nursery.start_soon(instance.run)
        return keeper, instance

    return make


async def test_a_claim_that_was_cancelled_leaves_the_session_within_the_bound(
    redis: RedisServer, keepers: Keepers
) -> None:
    keeper, instance = keepers(grace=100, capacity=1)
    keeper.close(opened(keeper, "first"))
    await instance.written(1)
    redis.signal(signal.SIGSTOP)
    with trio.move_on_after(0.1) as scope:
        await keeper.claim("first", keeper.open("another", "", lambda: None))
    assert scope.cancelled_caught
    assert list(keeper._left) == [session_name("first")]
    keeper.close(opened(keeper, "second"))
    assert list(keeper._left) == [session_name("second")]
    redis.signal(signal.SIGCONT)
    await instance.written(2)


async def test_a_claim_that_was_cancelled_keeps_nothing_here_without_a_grace(
    redis: RedisServer, keepers: Keepers
) -> None:
    keeper, instance = keepers(grace=0, capacity=4)
    live = opened(keeper, "first", 7)
    redis.signal(signal.SIGSTOP)
    with trio.move_on_after(0.1):
        await keeper.claim("first", keeper.open("another", "", lambda: None))
    assert live.is_lost
    assert keeper.left == 0
    redis.signal(signal.SIGCONT)
    await instance.written(1)
    found = None
    with trio.fail_after(PATIENCE):
        while found is None:
            try:
                found = await keeper.claim("first", opened(keeper, "third"))
            except BadMessageError:
                continue
    assert found.episode.number == 7


async def test_a_session_that_is_given_back_is_claimed_by_another_instance(keepers: Keepers) -> None:
    keeper, instance = keepers(grace=0, capacity=4)
    elsewhere, _ = keepers(grace=0, capacity=4)
    keeper.close(opened(keeper, "first", 7))
    await instance.written(1)
    kept = opened(keeper, "another")
    assert (await keeper.claim("first", kept)).episode.number == 7
    keeper.give_back(kept)
    assert kept.name == session_name("another")
    await instance.written(2)
    assert (await elsewhere.claim("first", opened(elsewhere, "third"))).episode.number == 7


async def test_nothing_in_redis_is_a_secret(redis: RedisServer, keepers: Keepers) -> None:
    keeper, instance = keepers(grace=0, capacity=4)
    secret = new_secret()
    keeper.close(opened(keeper, secret))
    await instance.written(1)
    await keeper.claim(secret, opened(keeper, new_secret()))
    key = f"test:session:{session_name(secret)}"
    found = redis.ask("HGETALL", key)
    assert found.startswith(b"*8\r\n")
    assert secret.encode() not in found + redis.ask("KEYS", "*")
