"""The execution of a batch: one forward pass for each policy, one step of each group of worlds."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from hamlet_trio.inference.errors import EngineError
from hamlet_trio.inference.map_queue import MapRequest
from hamlet_trio.inference.world_group import EngineRequest, PolicyRow, WorldGroup
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.frame_parts import OptionValue
from hamlet_trio.world import WorldConfig
from hamlet_trio.world.observation import observe_cells

if TYPE_CHECKING:
    from hamlet_trio.agent.policy import Policy

_QUICK_SECONDS: Final = 0.001
_SLICE_SECONDS: Final = 0.002
_FIRST_SLICE: Final = 4  # rows of a map of which nothing is known yet


class _ForwardPass(NamedTuple):
    """How long a policy's last forward pass took, and for how many rows."""

    rows: int
    seconds: float


class _MapPass(NamedTuple):
    """A policy's last pass for a map: in which world, among other agents or not, and how long it took."""

    config: WorldConfig
    is_alone: bool
    rows: int
    seconds: float


class BatchExecutor:
    """Execute batches of at most `capacity` requests. Synchronous; one thread at a time may use it.

    `clock` times forward passes, in seconds. Buffers are allocated once: of actions (capacity,), and of
    observations of each size, (capacity, 1, observation_size) float32; more rows than that, which only worlds
    of several agents have, enlarge it.

    `processor_seconds` is what batches in a worker thread have used of a processor so far.
    """

    def __init__(self, capacity: int, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self.processor_seconds = 0.0
        self._clock = clock
        self._last_passes: WeakKeyDictionary[Policy, _ForwardPass] = WeakKeyDictionary()
        self._map_passes: WeakKeyDictionary[Policy, _MapPass] = WeakKeyDictionary()
        self._capacity = capacity
        self._observations: dict[int, NDArray[np.float32]] = {}
        self._actions = np.empty(capacity, dtype=np.intp)

    def is_quick(self, requests: list[EngineRequest]) -> bool:
        """Estimate whether executing these takes about a millisecond or less.

        True if no request wants attention, and the last forward passes of all policies asked for, each of at
        least half as many rows as now, took less than that together. The rest is a few calls of numpy.
        """
        if any(request.attention for request in requests):
            return False
        rows = Counter(request.policy for request in requests if request.needs_policy)
        for request in requests:
            rows.update(request.company[1:])
        seconds = 0.0
        for policy, count in rows.items():
            last = self._last_passes.get(policy)
            if last is None or count > 2 * last.rows:
                return False
            seconds += last.seconds
        return seconds < _QUICK_SECONDS

    def execute(self, requests: list[EngineRequest]) -> int:
        """Execute all requests, each for another world, and answer each; return the number of steps made.

        A policy's error is the answer to the requests for that policy and affects no other.
        """
        first = requests[0].group
        if first.config.num_agents == 1 and all(request.group is first for request in requests):
            return self._execute_alike(first, requests)
        groups: dict[WorldGroup, list[EngineRequest]] = {}
        for request in requests:
            groups.setdefault(request.group, []).append(request)
        # Rows of one policy lie together, and so do those of one group of worlds within them.
        by_policy: dict[Policy, list[PolicyRow]] = {}
        for group, same in groups.items():
            group.prepare(same)
            for request in same:
                for row in group.turns(request):
                    by_policy.setdefault(row.policy, []).append(row)
        for policy, rows in by_policy.items():
            chosen = np.empty(len(rows), dtype=np.intp)
            self._run_policy(policy, rows, self._observe(rows), chosen)
            for row, action in zip(rows, chosen.tolist(), strict=True):
                row.choice = action
        return sum(group.carry_out(same) for group, same in groups.items())

    def execute_in_thread(self, requests: list[EngineRequest]) -> int:
        """Execute all requests in this thread, and add to `processor_seconds` what that takes.

        Reading that clock is too slow for quick batches, which the event loop's own thread executes.
        """
        began = time.thread_time()
        try:
            return self.execute(requests)
        finally:
            self.processor_seconds += time.thread_time() - began

    def _execute_alike(self, group: WorldGroup, requests: list[EngineRequest]) -> int:
        """Execute requests for worlds of one group with one agent each, without a loop over their rows."""
        by_policy: dict[Policy, list[EngineRequest]] = {}
        without_policy: list[EngineRequest] = []
        for request in requests:
            (by_policy.setdefault(request.policy, []) if request.needs_policy else without_policy).append(
                request
            )
        ordered = [request for same in (*by_policy.values(), without_policy) for request in same]
        group.prepare(ordered)
        begin = 0
        for policy, same in by_policy.items():
            self._run_policy(policy, same, self._observe(same), self._actions[begin : begin + len(same)])
            begin += len(same)
        return group.execute(ordered, self._actions[: len(ordered)])

    def execute_slice(self, request: MapRequest) -> None:
        """Make the next rows of a policy map: as many as take about `_SLICE_SECONDS`, which a step may wait.

        A policy's error is kept in the request.
        """
        policy, begin = request.policy, request.rows
        is_alone = not request.others
        end = min(begin + self._slice_rows(request), request.actions.size)
        observations = observe_cells(request.config, request.meters, range(begin, end), request.others)
        began = self._clock()
        try:
            output = policy.act(observations)
        except Exception as error:
            get_logger().exception("policy_failed", requests=1)
            request.error = engine_error("the policy failed", error)
            return
        seconds = self._clock() - began
        self._map_passes[policy] = _MapPass(request.config, is_alone, end - begin, seconds)
        request.actions[begin:end] = output.actions
        request.values[begin:end] = np.nan_to_num(output.q_values).max(axis=1)
        request.rows = end

    def _slice_rows(self, request: MapRequest) -> int:
        """Return how many rows the next slice has: few in a new world, then up to twice as many."""
        last = self._map_passes.get(request.policy)
        if last is None or (last.config, last.is_alone) != (request.config, not request.others):
            return _FIRST_SLICE
        rows = _SLICE_SECONDS * last.rows / max(last.seconds, 1e-9)
        return max(1, int(min(rows, 2 * last.rows)))

    def _observe(self, rows: Sequence[PolicyRow]) -> NDArray[np.float32]:
        """Return what the agents of one policy's rows see, (len(rows), observation_size)."""
        size = rows[0].group.config.observation_size
        buffer = self._observations.get(size)
        if buffer is None or len(buffer) < len(rows):
            shape = (max(self._capacity, len(rows)), 1, size)
            buffer = self._observations[size] = np.empty(shape, dtype=np.float32)
        begin = 0
        while begin < len(rows):
            group, end = rows[begin].group, begin + 1
            while end < len(rows) and rows[end].group is group:
                end += 1
            group.observe(rows[begin:end], buffer[begin:end])
            begin = end
        return buffer[: len(rows), 0]

    def _run_policy(
        self,
        policy: "Policy",
        rows: Sequence[PolicyRow],
        observations: NDArray[np.float32],
        actions: NDArray[np.intp],
    ) -> None:
        """Make one forward pass for all rows: fill `actions`, and keep the outputs asked for.

        If it fails, the error is the answer to the request of each of them.
        """
        began = self._clock()
        try:
            output = policy.act(observations, attention=any(row.attention for row in rows))
        except Exception as error:
            get_logger().exception("policy_failed", requests=len(rows))
            actions[:] = 0
            for row in rows:
                row.request.answer = engine_error("the policy failed", error)
            return
        self._last_passes[policy] = _ForwardPass(len(rows), self._clock() - began)
        actions[:] = output.actions
        for index, row in enumerate(rows):
            # Finite weights can still overflow in a forward pass; what is shown is always finite.
            if row.q_values:
                row.request.shown_q_values = np.nan_to_num(output.q_values[index]).tolist()
                if output.option_values is not None:
                    names = row.group.place_names
                    row.request.shown_option_values = [
                        OptionValue(names[code], value)
                        for code, value in zip(
                            output.option_codes,
                            np.nan_to_num(output.option_values[index]).tolist(),
                            strict=True,
                        )
                        if code in names
                    ]
            if row.attention and output.attention is not None:
                row.request.shown_attention = np.nan_to_num(output.attention[index]).tolist()


def engine_error(message: str, cause: Exception) -> EngineError:
    """Return an error for one request; one each, as every task that it passes through adds its traceback."""
    error = EngineError(f"{message}: {cause}")
    error.__cause__ = cause
    return error
