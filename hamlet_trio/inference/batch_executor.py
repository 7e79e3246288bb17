"""The worlds of all sessions, the requests that sessions make, and the execution of a batch of them."""

import enum
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import trio
from numpy.typing import NDArray

from hamlet_trio.inference.errors import EngineError
from hamlet_trio.logs import get_logger
from hamlet_trio.protocol.frame_parts import OptionValue
from hamlet_trio.protocol.frames import NO_POLICY_VIEW, PolicyView, WorldSnapshot
from hamlet_trio.world import FAILURE_REASONS, METERS, WorldConfig, Worlds, WorldState

if TYPE_CHECKING:
    from hamlet_trio.agent.policy import Policy

_MONEY: Final = METERS.index("money")
_MOOD: Final = METERS.index("mood")

_QUICK_SECONDS: Final = 0.001

_StepRow = tuple[int, float, list[float] | None, bool, bool, int]
_NO_STEP: Final[_StepRow] = (0, 0.0, None, False, False, 0)


class RequestKind(enum.Enum):
    """What a request does to its world: begin an episode, restore a state, make one step, nothing."""

    RESET = enum.auto()
    RESTORE = enum.auto()
    STEP = enum.auto()
    INSPECT = enum.auto()


class EngineRequest:
    """One request in progress.

    `action` is a person's, or None for the policy's; `state` is the one to restore. `needs_policy` tells
    whether it takes a forward pass. `task` waits for the answer; it is None once it has been answered or
    cancelled. The rest is filled in when the request is executed.
    """

    __slots__ = (
        "action",
        "answer",
        "asked_at",
        "attention",
        "index",
        "kind",
        "needs_policy",
        "policy",
        "q_values",
        "shown_attention",
        "shown_option_values",
        "shown_q_values",
        "state",
        "task",
    )

    def __init__(
        self,
        kind: RequestKind,
        index: int,
        policy: "Policy",
        view: PolicyView = NO_POLICY_VIEW,
        *,
        action: int | None = None,
        state: WorldState | None = None,
        asked_at: float = 0.0,
    ) -> None:
        self.kind = kind
        self.index = index
        self.policy = policy
        self.action = action
        self.state = state
        self.q_values = view.q_values
        self.attention = view.attention
        self.needs_policy = (kind is RequestKind.STEP and action is None) or view.q_values or view.attention
        self.asked_at = asked_at
        self.task: trio.lowlevel.Task | None = None
        self.answer: WorldSnapshot | EngineError | None = None
        self.shown_q_values: list[float] | None = None
        self.shown_attention: list[list[float]] | None = None
        self.shown_option_values: list[OptionValue] | None = None


class _ForwardPass(NamedTuple):
    """How long a policy's last forward pass took, and for how many rows."""

    rows: int
    seconds: float


class BatchExecutor:
    """`capacity` worlds of one configuration. Synchronous; one thread at a time may use it.

    `clock` times forward passes, in seconds.

    `start` is the state in which every episode begins. Buffers for a full batch are allocated once:
    observations (capacity, 1, observation_size) float32, world indices and actions (capacity,).
    """

    def __init__(
        self,
        capacity: int,
        config: WorldConfig | None = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._clock = clock
        self._last_passes: WeakKeyDictionary[Policy, _ForwardPass] = WeakKeyDictionary()
        self._worlds = Worlds(capacity, config)
        if self._worlds.num_agents != 1:
            raise ValueError(
                f"num_agents is {self._worlds.num_agents}; allowed: 1, a session watches one agent"
            )
        self.config = self._worlds.config
        self._place_names = {place.code: place.name for place in self.config.affordances}
        self.start: Final = self._worlds.get_state(0)
        self.capacity = capacity
        self._observations = np.empty((capacity, 1, self._worlds.observation_size), dtype=np.float32)
        self._indices = np.empty(capacity, dtype=np.intp)
        self._actions = np.empty(capacity, dtype=np.intp)

    def is_quick(self, requests: list[EngineRequest]) -> bool:
        """Estimate whether executing these takes about a millisecond or less.

        True if no request wants attention, and the last forward passes of all policies asked for, each of at
        least half as many rows as now, took less than that together. The rest is a few calls of numpy.
        """
        if any(request.attention for request in requests):
            return False
        rows = Counter(request.policy for request in requests if request.needs_policy)
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
        groups: dict[Policy, list[EngineRequest]] = {}
        without_policy: list[EngineRequest] = []
        for request in requests:
            (groups.setdefault(request.policy, []) if request.needs_policy else without_policy).append(
                request
            )
        # Rows of one policy lie together, so that its observations are a slice of one buffer.
        ordered = [request for group in (*groups.values(), without_policy) for request in group]
        indices = self._indices[: len(ordered)]
        indices[:] = [request.index for request in ordered]
        if resets := [request.index for request in ordered if request.kind is RequestKind.RESET]:
            self._worlds.reset(resets)
        for request in ordered:
            if request.state is not None:
                self._worlds.set_state(request.index, request.state)

        if with_policy := len(ordered) - len(without_policy):
            observations = self._worlds.observe(indices[:with_policy], out=self._observations[:with_policy])
            begin = 0
            for policy, group in groups.items():
                rows = slice(begin, begin + len(group))
                self._run_policy(policy, group, observations[rows, 0], self._actions[rows])
                begin = rows.stop
        steps = self._step(ordered, indices)
        self._answer(ordered, indices, steps)
        return len(steps)

    def _run_policy(
        self,
        policy: "Policy",
        group: list[EngineRequest],
        observations: NDArray[np.float32],
        actions: NDArray[np.intp],
    ) -> None:
        """Make one forward pass for the whole group: fill `actions`, and keep the outputs asked for.

        If it fails, the error is the answer to each request of the group.
        """
        began = self._clock()
        try:
            output = policy.act(observations, attention=any(request.attention for request in group))
        except Exception as error:
            get_logger().exception("policy_failed", requests=len(group))
            for request in group:
                request.answer = engine_error("the policy failed", error)
            return
        self._last_passes[policy] = _ForwardPass(len(group), self._clock() - began)
        actions[:] = output.actions
        for row, request in enumerate(group):
            # Finite weights can still overflow in a forward pass; what is shown is always finite.
            if request.q_values:
                request.shown_q_values = np.nan_to_num(output.q_values[row]).tolist()
                if output.option_values is not None:
                    request.shown_option_values = [
                        OptionValue(self._place_names[code], value)
                        for code, value in zip(
                            output.option_codes,
                            np.nan_to_num(output.option_values[row]).tolist(),
                            strict=True,
                        )
                        if code in self._place_names
                    ]
            if request.attention and output.attention is not None:
                request.shown_attention = np.nan_to_num(output.attention[row]).tolist()

    def _step(self, ordered: list[EngineRequest], indices: NDArray[np.intp]) -> dict[int, _StepRow]:
        """Step the worlds whose requests ask for it and can have it; return the results by row."""
        over = self._worlds.over[indices].tolist()
        stepping: list[int] = []
        for row, request in enumerate(ordered):
            if request.kind is not RequestKind.STEP or request.answer is not None:
                continue
            if over[row]:
                request.answer = EngineError("the episode is over; reset the slot before its next step")
                continue
            if request.action is not None:
                self._actions[row] = request.action
            stepping.append(row)
        if not stepping:
            return {}
        rows: Any = slice(len(ordered)) if len(stepping) == len(ordered) else stepping
        worlds, actions = indices[rows], self._actions[: len(ordered)][rows]
        result = self._worlds.step(actions, worlds, components=True)
        assert result.components is not None  # they were asked for
        columns = zip(
            actions.tolist(),
            result.rewards[:, 0].tolist(),
            np.concatenate(result.components, axis=1).tolist(),
            result.terminated[:, 0].tolist(),
            result.truncated[:, 0].tolist(),
            self._worlds.failure[worlds, 0].tolist(),
            strict=True,
        )
        return dict(zip(stepping, columns, strict=True))

    def _answer(
        self, ordered: list[EngineRequest], indices: NDArray[np.intp], steps: dict[int, _StepRow]
    ) -> None:
        """Answer each request that has no error with a snapshot of its world."""
        cells = self._worlds.positions[indices, 0].tolist()
        normalised = self._worlds.normalised(indices)[:, 0].tolist()
        raw = self._worlds.meters[indices, 0].tolist()
        for row, request in enumerate(ordered):
            if request.answer is not None:
                continue
            action, reward, components, terminated, truncated, failure = steps.get(row, _NO_STEP)
            x, y = cells[row]
            request.answer = WorldSnapshot(
                x,
                y,
                normalised[row],
                raw[row][_MONEY],
                raw[row][_MOOD],
                action,
                reward,
                components,
                terminated,
                truncated,
                FAILURE_REASONS[failure] if terminated else None,
                request.shown_q_values,
                request.shown_attention,
                request.shown_option_values,
            )


def engine_error(message: str, cause: Exception) -> EngineError:
    """Return an error for one request; one each, as every task that it passes through adds its traceback."""
    error = EngineError(f"{message}: {cause}")
    error.__cause__ = cause
    return error
