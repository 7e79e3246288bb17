"""The policy engine: batches, what a cancellation leaves, and whose an error is."""

import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack

import numpy as np
import pytest
import trio
from numpy.typing import NDArray
from trio.testing import wait_all_tasks_blocked

from hamlet_trio.agent.names import NETWORK_TYPES
from hamlet_trio.agent.policy import Policy, PolicyOutput
from hamlet_trio.connection import ServerFullError
from hamlet_trio.inference.engine import PolicyEngine, Slot
from hamlet_trio.inference.errors import EngineError
from hamlet_trio.protocol.frames import NO_POLICY_VIEW, PolicyView, WorldSnapshot
from hamlet_trio.world import METERS, Worlds
from tests.inference.support import free_slots, real_time_limit
from tests.patience import PATIENCE

CAPACITY = 8


class HeldPolicy(Policy):
    """A policy whose forward pass waits until it is let go, so that a test can act in the meantime."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.under_way = threading.Event()
        self.go = threading.Event()
        self.rows: list[int] = []

    def act(self, observations: NDArray[np.float32], *, attention: bool = False) -> PolicyOutput:
        self.rows.append(len(observations))
        self.under_way.set()
        assert self.go.wait(PATIENCE)
        return self._policy.act(observations, attention=attention)


class BrokenPolicy(Policy):
    """A policy that can't compute."""

    def __init__(self) -> None:
        pass

    def act(self, observations: NDArray[np.float32], *, attention: bool = False) -> PolicyOutput:
        raise FloatingPointError("no number")


@pytest.fixture
async def engine(nursery: trio.Nursery) -> AsyncIterator[PolicyEngine]:
    engine = PolicyEngine(CAPACITY)
    nursery.start_soon(engine.run)
    with real_time_limit():
        yield engine


@pytest.fixture
def policy() -> Policy:
    return Policy.untrained(0)


async def hold(nursery: trio.Nursery, engine: PolicyEngine, policy: HeldPolicy, slot: Slot) -> None:
    """Keep the engine busy with a step of `slot` until the policy is let go."""
    nursery.start_soon(engine.step, slot, policy)
    assert await trio.to_thread.run_sync(policy.under_way.wait, 60)


async def test_many_slots_and_policies_move_as_worlds_of_their_own(engine: PolicyEngine) -> None:
    """All at once through the engine, against each alone."""
    policies = [Policy.untrained(seed, network_type=name) for seed, name in enumerate(NETWORK_TYPES)]
    lengths: list[int] = []

    async def play(number: int) -> None:
        policy = policies[number % len(policies)]
        world = Worlds(1)
        with engine.slot() as slot:
            snapshot = await engine.reset(slot, policy)
            while not snapshot.terminated and world.steps[0] < 100:
                action = number % 5 if number >= len(policies) else None
                chosen = policy.act(world.observe()[:, 0]).actions[0] if action is None else action
                result = world.step([chosen])
                snapshot = await engine.step(slot, policy, action=action)
                assert (snapshot.x, snapshot.y) == tuple(world.positions[0, 0])
                assert snapshot.action == chosen
                assert snapshot.reward == result.rewards[0, 0]
                assert snapshot.meters == world.normalised()[0, 0].tolist()
                assert snapshot.money == world.meters[0, 0, METERS.index("money")]
                assert snapshot.terminated == result.terminated[0, 0]
            lengths.append(int(world.steps[0]))

    async with trio.open_nursery() as nursery:
        for number in range(CAPACITY):
            nursery.start_soon(play, number)
    assert free_slots(engine) == CAPACITY
    assert engine.counters.steps == sum(lengths)
    assert engine.counters.largest_batch > 1


async def test_what_waits_is_one_batch_and_one_forward_pass_a_policy(
    engine: PolicyEngine, policy: Policy, nursery: trio.Nursery
) -> None:
    blocker, shared = HeldPolicy(policy), HeldPolicy(policy)
    shared.go.set()
    with engine.slot() as first, engine.slot() as second, engine.slot() as third, engine.slot() as fourth:
        for slot in (first, second, third, fourth):
            await engine.reset(slot, policy)
        batches = engine.counters.batches
        async with trio.open_nursery() as waiting:
            await hold(waiting, engine, blocker, first)
            waiting.start_soon(engine.step, second, shared)
            waiting.start_soon(engine.step, third, shared)
            waiting.start_soon(engine.step, fourth, policy)
            await wait_all_tasks_blocked()
            blocker.go.set()
        assert engine.counters.batches == batches + 2
        assert engine.counters.largest_batch == 3
        assert shared.rows == [2]


async def test_a_policys_error_is_the_answer_to_those_who_asked_for_it_alone(
    engine: PolicyEngine, policy: Policy
) -> None:
    blocker = HeldPolicy(policy)
    snapshots: list[WorldSnapshot] = []

    async def step(slot: Slot) -> None:
        snapshots.append(await engine.step(slot, policy))

    async def fail(slot: Slot) -> None:
        with pytest.raises(EngineError, match="the policy failed: no number") as caught:
            await engine.step(slot, BrokenPolicy())
        assert isinstance(caught.value.__cause__, FloatingPointError)

    with engine.slot() as first, engine.slot() as second, engine.slot() as third:
        for slot in (first, second, third):
            await engine.reset(slot, policy)
        async with trio.open_nursery() as nursery:
            await hold(nursery, engine, blocker, first)
            nursery.start_soon(step, second)
            nursery.start_soon(fail, third)
            await wait_all_tasks_blocked()
            blocker.go.set()
        assert len(snapshots) == 1
        assert engine.counters.failed_requests == 1
        # The world whose policy failed did not move, and can be played on.
        assert (await engine.step(third, policy)).meters == snapshots[0].meters


async def test_a_request_cancelled_before_its_batch_is_not_carried_out(
    engine: PolicyEngine, policy: Policy
) -> None:
    blocker = HeldPolicy(policy)
    with engine.slot() as first, engine.slot() as second:
        await engine.reset(first, policy)
        before = await engine.reset(second, policy)
        async with trio.open_nursery() as nursery:
            await hold(nursery, engine, blocker, first)
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as waiting:
                    waiting.start_soon(engine.step, second, policy)
                    await wait_all_tasks_blocked()
                    scope.cancel()
            blocker.go.set()
        assert await engine.inspect(second, policy, PolicyView()) == before


async def test_a_request_cancelled_under_way_is_carried_out_and_its_answer_dropped(
    engine: PolicyEngine, policy: Policy
) -> None:
    held = HeldPolicy(policy)
    with engine.slot() as slot:
        before = await engine.reset(slot, policy)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as waiting:
                await hold(waiting, engine, held, slot)
                scope.cancel()
        held.go.set()
        assert (await engine.inspect(slot, policy, PolicyView())).meters != before.meters
        assert engine.counters.steps == 1


async def test_a_step_under_way_never_touches_the_slots_next_owner(
    engine: PolicyEngine, policy: Policy
) -> None:
    held = HeldPolicy(policy)
    snapshots: list[WorldSnapshot] = []

    async def own_next() -> None:
        with engine.slot() as slot:
            indices.append(slot.index)
            snapshots.append(await engine.reset(slot, policy))
            snapshots.append(await engine.step(slot, policy, action=0))

    with engine.slot() as slot:
        indices = [slot.index]
        await engine.reset(slot, policy)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as waiting:
                await hold(waiting, engine, held, slot)
                scope.cancel()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(own_next)
        await wait_all_tasks_blocked()
        assert not snapshots
        held.go.set()
    assert indices[0] == indices[1]
    assert [(snapshot.x, snapshot.y) for snapshot in snapshots] == [(4, 4), (4, 3)]
    assert snapshots[0].meters == [1, 1, 1, 0.75, 1, 0.5]


async def test_a_slot_must_be_reset_by_its_owner_first(engine: PolicyEngine, policy: Policy) -> None:
    with engine.slot() as slot:
        await engine.reset(slot, policy)
    with engine.slot() as slot:
        with pytest.raises(RuntimeError, match="reset the slot"):
            await engine.step(slot, policy)
        with pytest.raises(RuntimeError, match="reset the slot"):
            await engine.inspect(slot, policy, PolicyView())


async def test_a_step_after_the_end_is_refused_and_disturbs_nobody(
    engine: PolicyEngine, policy: Policy
) -> None:
    with engine.slot() as slot:
        snapshot = await engine.reset(slot, policy)
        while not snapshot.terminated:
            snapshot = await engine.step(slot, policy, action=4)
        assert snapshot.failure_reason == "energy_depleted"
        with pytest.raises(EngineError, match="the episode is over"):
            await engine.step(slot, policy, action=4)
        assert (await engine.reset(slot, policy)).meters == [1, 1, 1, 0.75, 1, 0.5]


async def test_no_more_slots_than_worlds(engine: PolicyEngine) -> None:
    with trio.testing.assert_no_checkpoints():
        slots = [engine.slot() for _ in range(CAPACITY)]
        indices = {slot.__enter__().index for slot in slots}
        assert indices == set(range(CAPACITY))
        with pytest.raises(ServerFullError, match="All 8 sessions are in use"), engine.slot():
            pass
        for slot in slots:
            slot.__exit__(None, None, None)
    assert free_slots(engine) == CAPACITY


async def test_requests_waiting_when_the_engine_stops_get_an_error(policy: Policy) -> None:
    engine = PolicyEngine(2)
    held = HeldPolicy(policy)
    errors: list[EngineError] = []

    async def step(slot: Slot, policy: Policy) -> None:
        try:
            await engine.step(slot, policy)
        except EngineError as error:
            errors.append(error)

    running = trio.CancelScope()

    async def run() -> None:
        with running:
            await engine.run()

    with real_time_limit(), engine.slot() as first, engine.slot() as second:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            for slot in (first, second):
                await engine.reset(slot, policy)
            await hold(nursery, engine, held, first)
            nursery.start_soon(step, second, policy)
            await wait_all_tasks_blocked()
            running.cancel()
            held.go.set()
        assert [str(error) for error in errors] == ["the policy engine stopped"]


class NotingPolicy(Policy):
    """A policy that notes in which thread it was asked, and seems to take as long as it is told."""

    def __init__(self, policy: Policy, seconds: float) -> None:
        self._policy = policy
        self._seconds = seconds
        self.on_loop: list[bool] = []

    def act(self, observations: NDArray[np.float32], *, attention: bool = False) -> PolicyOutput:
        self.on_loop.append(threading.current_thread() is threading.main_thread())
        Tick.now += self._seconds
        return self._policy.act(observations, attention=attention)


class Tick:
    """A clock on which only such policies take time."""

    now = 0.0


async def test_a_batch_of_quick_policies_needs_no_thread(policy: Policy, nursery: trio.Nursery) -> None:
    engine = PolicyEngine(CAPACITY, clock=lambda: Tick.now)
    nursery.start_soon(engine.run)
    quick, other, slow = (NotingPolicy(policy, seconds) for seconds in (4e-4, 8e-4, 2e-3))
    with real_time_limit(), ExitStack() as stack:
        slots = [stack.enter_context(engine.slot()) for _ in range(4)]
        for slot in slots:
            await engine.reset(slot, policy)

        async def batch(*policies: Policy, view: PolicyView = NO_POLICY_VIEW) -> None:
            async with trio.open_nursery() as waiting:
                for slot, asked in zip(slots, policies, strict=False):
                    waiting.start_soon(engine.step, slot, asked, view)

        for _ in range(3):
            await batch(quick)
            await batch(slow)
        assert quick.on_loop == [False, True, True]  # at first nothing is known of it
        assert slow.on_loop == [False, False, False]
        await batch(quick, quick)
        await batch(quick, quick, quick, quick)
        assert quick.on_loop[3:] == [True, True]
        await batch(quick, slow)
        assert quick.on_loop[5:] == [False]  # a pass over one row says little about four: it is small again
        await batch(quick, quick, quick, quick)
        assert quick.on_loop[6:] == [False]
        await batch(quick, view=PolicyView(attention=True))
        assert quick.on_loop[7:] == [False]
        await batch(other)
        await batch(quick, other)
        assert quick.on_loop[8:] == [False]  # each alone would be quick enough
