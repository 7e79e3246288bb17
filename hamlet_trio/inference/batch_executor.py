"""The worlds of all sessions, and how one batch of requests is carried out on them."""

import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from hamlet_trio.inference.engine_messages import EngineError, EngineRequest, RequestKind, WorldSnapshot
from hamlet_trio.logs import get_logger
from hamlet_trio.world import FAILURE_REASONS, METERS, WorldConfig, Worlds

if TYPE_CHECKING:
    from hamlet_trio.agent.policy import Policy

_MONEY: Final = METERS.index("money")
_MOOD: Final = METERS.index("mood")

_QUICK_SECONDS: Final = 0.001

_StepRow = tuple[int, float, list[float] | None, bool, bool, int]
_NO_STEP: Final[_StepRow] = (0, 0.0, None, False, False, 0)


class _Pass(NamedTuple):
    """A forward pass that was made."""

    rows: int
    seconds: float


class BatchExecutor:
    """`capacity` worlds of one configuration. Synchronous; one thread at a time may use it.

    `clock` is what forward passes are timed with, in seconds.

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
        self._passes: WeakKeyDictionary[Policy, _Pass] = WeakKeyDictionary()
        self._worlds = Worlds(capacity, config)
        if self._worlds.num_agents != 1:
            raise ValueError(
                f"num_agents is {self._worlds.num_agents}; allowed: 1, a session watches one agent"
            )
        self.config = self._worlds.config
        self.start: Final = self._worlds.get_state(0)
        self.capacity = capacity
        self._observations = np.empty((capacity, 1, self._worlds.observation_size), dtype=np.float32)
        self._indices = np.empty(capacity, dtype=np.intp)
        self._actions = np.empty(capacity, dtype=np.intp)

    def is_quick(self, requests: list[EngineRequest]) -> bool:
        """Whether to `advance` these takes about a millisecond or less, as far as is known.

        It is where the last forward pass of each policy that is asked, of half as many rows or more, was so
        quick that all of them together are, and nobody wants to see attention. The rest is a few calls of
        numpy.
        """
        if any(request.attention for request in requests):
            return False
        rows = Counter(request.policy for request in requests if request.thinks)
        seconds = 0.0
        for policy, count in rows.items():
            last = self._passes.get(policy)
            if last is None or count > 2 * last.rows:
                return False
            seconds += last.seconds
        return seconds < _QUICK_SECONDS

    def advance(self, requests: list[EngineRequest]) -> int:
        """Carry out all requests, each for another world, and give each its answer; returns the steps made.

        A policy's error is the answer of those who asked for that policy, and touches no other.
        """
        groups: dict[Policy, list[EngineRequest]] = {}
        silent: list[EngineRequest] = []
        for request in requests:
            (groups.setdefault(request.policy, []) if request.thinks else silent).append(request)
        # Rows of one policy lie together, so that its observations are a slice of one buffer.
        ordered = [request for group in (*groups.values(), silent) for request in group]
        indices = self._indices[: len(ordered)]
        indices[:] = [request.index for request in ordered]
        if resets := [request.index for request in ordered if request.kind is RequestKind.RESET]:
            self._worlds.reset(resets)
        for request in ordered:
            if request.state is not None:
                self._worlds.set_state(request.index, request.state)

        if thinking := len(ordered) - len(silent):
            observations = self._worlds.observe(indices[:thinking], out=self._observations[:thinking])
            begin = 0
            for policy, group in groups.items():
                rows = slice(begin, begin + len(group))
                self._think(policy, group, observations[rows, 0], self._actions[rows])
                begin = rows.stop
        steps = self._step(ordered, indices)
        self._answer(ordered, indices, steps)
        return len(steps)

    def _think(
        self,
        policy: "Policy",
        group: list[EngineRequest],
        observations: NDArray[np.float32],
        actions: NDArray[np.intp],
    ) -> None:
        """One forward pass for the whole group: fills `actions`, and notes the thoughts that were asked for.

        Where it fails, each of the group has its error as answer.
        """
        began = self._clock()
        try:
            output = policy.act(observations, attention=any(request.attention for request in group))
        except Exception as error:
            get_logger().exception("policy_failed", requests=len(group))
            for request in group:
                request.answer = engine_error("the policy failed", error)
            return
        self._passes[policy] = _Pass(len(group), self._clock() - began)
        actions[:] = output.actions
        for row, request in enumerate(group):
            # Weights can be finite and yet too large to compute with; what is shown is finite always.
            if request.q_values:
                request.shown_q_values = np.nan_to_num(output.q_values[row]).tolist()
            if request.attention and output.attention is not None:
                request.shown_attention = np.nan_to_num(output.attention[row]).tolist()

    def _step(self, ordered: list[EngineRequest], indices: NDArray[np.intp]) -> dict[int, _StepRow]:
        """Step the worlds of those that ask for it and can; what came of it, by row."""
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
            )


def engine_error(message: str, cause: Exception) -> EngineError:
    """One instance for each request: it travels through the session's tasks, and each adds its traceback."""
    error = EngineError(f"{message}: {cause}")
    error.__cause__ = cause
    return error
