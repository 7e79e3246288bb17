"""The policy engine: one task that steps the worlds of all sessions, batch by batch.

A session makes a request and waits. The engine takes all requests waiting at that moment, so batches grow
with the number of sessions, and a lone session never waits for others. A batch is one forward pass for each
distinct policy and one step of the worlds. It runs in a worker thread, unless it is so short that switching
threads would cost as much as the batch. While no session waits, the engine makes slices of policy maps.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import trio

from hamlet_trio.connection import ServerFullError
from hamlet_trio.inference.batch_executor import BatchExecutor, engine_error
from hamlet_trio.inference.company_group import make_group
from hamlet_trio.inference.errors import EngineError
from hamlet_trio.inference.map_queue import MapQueue, MapRequest
from hamlet_trio.inference.statistics import EngineCounters
from hamlet_trio.inference.world_group import EngineRequest, Players, RequestKind, WorldGroup
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.frames import NO_POLICY_VIEW, PolicyView, WorldSnapshot
from hamlet_trio.world import WorldConfig, WorldState

MAX_GROUPS: Final = 32
"""Configurations beside the usual one that sessions may play in at once."""


class TooManyWorldsError(Exception):
    """Sessions play in as many configurations as are allowed: `most` beside the usual one."""

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} worlds are in use")
        self.most = most


class Slot:
    """One session's world. `started` once the session has begun an episode in it."""

    __slots__ = ("group", "index", "started")

    def __init__(self, group: WorldGroup, index: int) -> None:
        self.group = group
        self.index = index
        self.started = False


class PolicyEngine:
    """Own the worlds of at most `capacity` sessions, and lend each to one session at a time.

    Worlds of one configuration, number of agents included, form a group. The usual one is always there;
    others are made when the first session moves into one, at most `MAX_GROUPS`, and dropped when the last one
    leaves.

    Bounds: a session has one request in progress, so at most `capacity` wait. A request that is cancelled
    before its batch begins is not executed; one that is cancelled later is, and its answer is dropped.
    Batches follow one another, and a new owner of a slot must begin with `reset` or `restore`, so no request
    of the previous owner affects it.

    `clock` times forward passes, in seconds.
    """

    def __init__(
        self,
        capacity: int,
        config: WorldConfig | None = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._executor = BatchExecutor(capacity, clock=clock)
        self._usual = make_group(capacity, config)
        self._groups: dict[WorldConfig, WorldGroup] = {}
        self._making = trio.Lock()
        self.counters = EngineCounters()
        self._lent = 0
        self._waiting: list[EngineRequest] = []
        self._batch: list[EngineRequest] = []
        self._maps = MapQueue()
        self._new_request = trio.lowlevel.ParkingLot()
        self._limiter = trio.CapacityLimiter(1)

    @property
    def config(self) -> WorldConfig:
        """The configuration in which every session begins."""
        return self._usual.config

    @property
    def processor_seconds(self) -> float:
        """What batches in a worker thread have used of a processor so far."""
        return self._executor.processor_seconds

    @property
    def groups(self) -> int:
        """The number of configurations beside the usual one that sessions play in."""
        return len(self._groups)

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """Lend a world of the usual configuration; raises `ServerFullError` when all places are taken."""
        if self._lent >= self._usual.capacity:
            raise ServerFullError("sessions", self._usual.capacity, "HAMLET_MAX_SESSIONS")
        self._lent += 1
        slot = Slot(self._usual, self._usual.free.pop())
        try:
            yield slot
        finally:
            self._lent -= 1
            self._give_back(slot)

    async def move(self, slot: Slot, config: WorldConfig) -> None:
        """Exchange a session's world for one of another configuration; begin there with `reset` or `restore`.

        Raises `TooManyWorldsError`; nothing has changed then.
        """
        if config == slot.group.config:
            return
        async with self._making:
            group = self._usual if config == self._usual.config else self._groups.get(config)
            if group is None:
                if len(self._groups) >= MAX_GROUPS:
                    raise TooManyWorldsError(MAX_GROUPS)
                # Not abandoned: it takes some hundredths of a second.
                group = await trio.to_thread.run_sync(make_group, self._usual.capacity, config)
                self._groups[config] = group
            index = group.free.pop()
        self._give_back(slot)
        slot.group, slot.index, slot.started = group, index, False

    def _give_back(self, slot: Slot) -> None:
        group = slot.group
        group.free.append(slot.index)
        if group.is_unused and group is not self._usual:
            del self._groups[group.config]

    async def reset(self, slot: Slot, players: Players, view: PolicyView = NO_POLICY_VIEW) -> WorldSnapshot:
        """Begin an episode. A policy is run only for `view`, on the first observation.

        `players` is the policy, or for several agents those of all in a tuple. Raises `EngineError` on
        failure, as the other requests do.
        """
        slot.started = True
        return await self._request(RequestKind.RESET, slot, players, view)

    async def restore(
        self, slot: Slot, players: Players, state: WorldState, view: PolicyView = NO_POLICY_VIEW
    ) -> WorldSnapshot:
        """Put the world into a state, from which the next step continues unless the episode is over there."""
        slot.started = True
        return await self._request(RequestKind.RESTORE, slot, players, view, state=state)

    async def step(
        self,
        slot: Slot,
        players: Players,
        view: PolicyView = NO_POLICY_VIEW,
        *,
        action: int | None = None,
        agent: int = 0,
    ) -> WorldSnapshot:
        """Make one step; the agent of that number takes `action` (0 to 4), if that is not None.

        The policies choose for all other agents.
        """
        return await self._request(RequestKind.STEP, slot, players, view, action=action, agent=agent)

    async def inspect(self, slot: Slot, players: Players, view: PolicyView) -> WorldSnapshot:
        """Return the policy's outputs for the world as it stands; nothing moves."""
        return await self._request(RequestKind.INSPECT, slot, players, view)

    async def map(self, request: MapRequest) -> None:
        """Make a policy map in the time that steps leave. Raises `EngineError` on failure."""
        self._maps.put(request)
        self._new_request.unpark()
        await request.wait()
        if request.error is not None:
            raise request.error

    async def _request(
        self,
        kind: RequestKind,
        slot: Slot,
        players: Players,
        view: PolicyView,
        *,
        action: int | None = None,
        agent: int = 0,
        state: WorldState | None = None,
    ) -> WorldSnapshot:
        if not slot.started:
            raise RuntimeError("reset the slot first: its world is as its last owner left it")
        request = EngineRequest(
            kind,
            slot.group,
            slot.index,
            players,
            view,
            action=action,
            agent=agent,
            state=state,
            asked_at=trio.current_time(),
        )
        self._waiting.append(request)
        self._new_request.unpark()
        await request.wait()
        if isinstance(request.answer, WorldSnapshot):
            return request.answer
        assert request.answer is not None  # the task is rescheduled only once there is an answer
        raise request.answer

    async def run(self) -> None:
        """Answer requests until cancelled; then those still waiting get an `EngineError`."""
        try:
            while True:
                while not self._waiting:
                    await self._idle()
                self._batch = [request for request in self._waiting if request.task is not None]
                self._waiting.clear()
                if self._batch:
                    await self._execute(self._batch)
        finally:
            for request in (*self._batch, *self._waiting):
                if request.task is not None:
                    request.answer = EngineError("the policy engine stopped")
                    request.wake()
            self._batch = []
            self._waiting.clear()
            self._maps.fail("the policy engine stopped")

    async def _idle(self) -> None:
        """Make a slice of a policy map, or wait for a request or until the next slice may be made."""
        rest = self._maps.rest()
        if rest == math.inf:
            await self._new_request.park()
        elif rest > 0:
            with trio.move_on_after(rest):
                await self._new_request.park()
        else:
            request, began = self._maps.next(), time.perf_counter()
            # Not abandoned when cancelled: it takes milliseconds.
            await trio.to_thread.run_sync(self._executor.execute_slice, request, limiter=self._limiter)
            seconds = time.perf_counter() - began
            self._maps.made(seconds)
            self.counters.map_seconds += seconds
            self.counters.maps += request.is_done

    async def _execute(self, requests: list[EngineRequest]) -> None:
        began = time.perf_counter()
        try:
            if self._executor.is_quick(requests):
                steps = self._executor.execute(requests)
            else:
                # Not abandoned when cancelled: it takes milliseconds, and the worlds are the thread's then.
                steps = await trio.to_thread.run_sync(
                    self._executor.execute_in_thread, requests, limiter=self._limiter
                )
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
            request.wake()
