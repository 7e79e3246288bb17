"""The policy engine: one task that advances the worlds of all sessions, batch by batch.

A session asks and waits. The engine takes everything that waits at that moment, so batches grow by
themselves when sessions do, and a lone session waits for nobody. Each batch is one forward pass for each
distinct policy and one step of the worlds. It runs in a worker thread, unless it is so short that going there
and back would cost as much as the batch.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

from hamlet_trio.connection import ServerFullError
from hamlet_trio.inference.batch_executor import BatchExecutor, engine_error
from hamlet_trio.inference.engine_messages import (
    NO_POLICY_VIEW,
    EngineError,
    EngineRequest,
    PolicyView,
    RequestKind,
    WorldSnapshot,
)
from hamlet_trio.inference.statistics import EngineCounters
from hamlet_trio.logs import get_logger
from hamlet_trio.world import WorldConfig, WorldState

if TYPE_CHECKING:
    from hamlet_trio.agent.policy import Policy


class Slot:
    """One session's world. `started` once its present owner began an episode in it."""

    __slots__ = ("index", "started")

    def __init__(self, index: int) -> None:
        self.index = index
        self.started = False


class PolicyEngine:
    """Owns `capacity` worlds of one configuration and lends each to one session at a time.

    Bounds: a session has one request under way, so at most `capacity` of them wait. A request that is
    cancelled before its batch begins is not carried out; one that is cancelled later is, and its answer is
    dropped. Batches follow one another, and a new owner of a slot can only begin with `reset`, so nothing
    that the owner before it asked for reaches it.

    `clock` is what forward passes are timed with, in seconds.
    """

    def __init__(
        self,
        capacity: int,
        config: WorldConfig | None = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._stage = BatchExecutor(capacity, config, clock=clock)
        self.counters = EngineCounters()
        self._free = list(range(capacity - 1, -1, -1))
        self._waiting: list[EngineRequest] = []
        self._under_way: list[EngineRequest] = []
        self._doorbell = trio.lowlevel.ParkingLot()
        self._limiter = trio.CapacityLimiter(1)

    @property
    def config(self) -> WorldConfig:
        """What every world was made from."""
        return self._stage.config

    @property
    def start(self) -> WorldState:
        """The state in which every episode begins."""
        return self._stage.start

    @property
    def free_slots(self) -> int:
        """How many worlds nobody has."""
        return len(self._free)

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """Lend a world; raises `ServerFullError` when all are lent."""
        if not self._free:
            raise ServerFullError("sessions", self._stage.capacity, "HAMLET_MAX_SESSIONS")
        slot = Slot(self._free.pop())
        try:
            yield slot
        finally:
            self._free.append(slot.index)

    async def reset(
        self, slot: Slot, policy: "Policy", thoughts: PolicyView = NO_POLICY_VIEW
    ) -> WorldSnapshot:
        """Begin an episode. `policy` is asked for the thoughts alone, about the first observation.

        Raises `EngineError` where that failed, as the others do.
        """
        slot.started = True
        return await self._ask(RequestKind.RESET, slot, policy, thoughts)

    async def restore(self, slot: Slot, policy: "Policy", state: WorldState) -> WorldSnapshot:
        """Put the world into a state of an episode that is not over, from which the next step goes on."""
        return await self._ask(RequestKind.RESTORE, slot, policy, NO_POLICY_VIEW, state=state)

    async def step(
        self,
        slot: Slot,
        policy: "Policy",
        thoughts: PolicyView = NO_POLICY_VIEW,
        *,
        action: int | None = None,
    ) -> WorldSnapshot:
        """Make one step with `action` (0 to 4), or with the policy's where that is None."""
        return await self._ask(RequestKind.STEP, slot, policy, thoughts, action=action)

    async def look(self, slot: Slot, policy: "Policy", thoughts: PolicyView) -> WorldSnapshot:
        """What the policy thinks of the world as it stands; nothing moves."""
        return await self._ask(RequestKind.LOOK, slot, policy, thoughts)

    async def _ask(
        self,
        kind: RequestKind,
        slot: Slot,
        policy: "Policy",
        thoughts: PolicyView,
        *,
        action: int | None = None,
        state: WorldState | None = None,
    ) -> WorldSnapshot:
        if not slot.started:
            raise RuntimeError("reset the slot first: its world is as the owner before left it")
        request = EngineRequest(
            kind, slot.index, policy, thoughts, action=action, state=state, asked_at=trio.current_time()
        )
        request.task = trio.lowlevel.current_task()
        self._waiting.append(request)
        self._doorbell.unpark()

        def abandon(_: Callable[[], None]) -> trio.lowlevel.Abort:
            request.task = None
            return trio.lowlevel.Abort.SUCCEEDED

        # The bare primitive beneath trio.Event: one task waits for one answer, thousands of times a second.
        await trio.lowlevel.wait_task_rescheduled(abandon)
        if isinstance(request.answer, WorldSnapshot):
            return request.answer
        assert request.answer is not None  # whoever reschedules the task has answered
        raise request.answer

    async def run(self) -> None:
        """Answer requests until cancelled. On the way out, whoever still waits gets an `EngineError`."""
        try:
            while True:
                if not self._waiting:
                    await self._doorbell.park()
                self._under_way = [request for request in self._waiting if request.task is not None]
                self._waiting.clear()
                if self._under_way:
                    await self._carry_out(self._under_way)
        finally:
            for request in (*self._under_way, *self._waiting):
                if request.task is not None:
                    request.answer = EngineError("the policy engine stopped")
                    _release(request)
            self._under_way = []
            self._waiting.clear()

    async def _carry_out(self, requests: list[EngineRequest]) -> None:
        began = time.perf_counter()
        try:
            if self._stage.is_quick(requests):
                steps = self._stage.advance(requests)
            else:
                # Not abandoned when cancelled: it takes milliseconds, and the worlds are the thread's then.
                steps = await trio.to_thread.run_sync(self._stage.advance, requests, limiter=self._limiter)
        except Exception as error:
            get_logger().exception("batch_failed", requests=len(requests))
            steps = 0
            for request in requests:
                request.answer = engine_error("the batch failed", error)
        now = trio.current_time()
        counters = self.counters
        counters.count_batch(len(requests), steps, time.perf_counter() - began)
        for request in requests:
            counters.step_seconds.observe(now - request.asked_at)
            counters.failed_requests += isinstance(request.answer, EngineError)
            _release(request)


def _release(request: EngineRequest) -> None:
    """Let the task that waits go on, if one does still."""
    if request.task is not None:
        task, request.task = request.task, None
        trio.lowlevel.reschedule(task)
