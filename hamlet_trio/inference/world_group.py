"""Worlds of one configuration, and what a batch of requests does to them."""

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hamlet_trio.inference.awaited import Awaited
from hamlet_trio.inference.errors import EngineError
from hamlet_trio.protocol.frame_parts import OptionValue
from hamlet_trio.protocol.frames import NO_POLICY_VIEW, PolicyView, WorldSnapshot
from hamlet_trio.world import FAILURE_REASONS, METERS, WorldConfig, Worlds, WorldState

if TYPE_CHECKING:
    from hamlet_trio.agent.policy import Policy

Players: TypeAlias = "Policy | tuple[Policy, ...]"
"""The policy of the one agent of a world, or those of several, in their order."""

MONEY: Final = METERS.index("money")
MOOD: Final = METERS.index("mood")

_StepRow = tuple[int, float, list[float] | None, bool, bool, int]
_NO_STEP: Final[_StepRow] = (0, 0.0, None, False, False, 0)


class RequestKind(enum.Enum):
    """What a request does to its world: begin an episode, restore a state, make one step, nothing."""

    RESET = enum.auto()
    RESTORE = enum.auto()
    STEP = enum.auto()
    INSPECT = enum.auto()


class EngineRequest(Awaited):
    """One request in progress.

    `policy` is that of the world's first agent; `company` are those of all where there are several, else
    empty. `action` is a person's, for the agent of that number, or None for the policy's; `state` is the one
    to restore. `needs_policy` tells whether it takes a forward pass. `task` waits for the answer; it is None
    once it has been answered or cancelled. The rest is filled in when the request is executed.
    """

    __slots__ = (
        "action",
        "agent",
        "answer",
        "asked_at",
        "attention",
        "choice",
        "company",
        "group",
        "index",
        "kind",
        "needs_policy",
        "policy",
        "q_values",
        "shown_attention",
        "shown_option_values",
        "shown_q_values",
        "state",
        "turns",
        "view_agent",
    )

    def __init__(
        self,
        kind: RequestKind,
        group: "WorldGroup",
        index: int,
        players: Players,
        view: PolicyView = NO_POLICY_VIEW,
        *,
        action: int | None = None,
        agent: int = 0,
        state: WorldState | None = None,
        asked_at: float = 0.0,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.group = group
        self.index = index
        self.policy, self.company = (players[0], players) if isinstance(players, tuple) else (players, ())
        self.action = action
        self.agent = agent
        self.view_agent = view.agent
        self.state = state
        self.q_values = view.q_values
        self.attention = view.attention
        self.needs_policy = (kind is RequestKind.STEP and action is None) or view.q_values or view.attention
        self.asked_at = asked_at
        self.answer: WorldSnapshot | EngineError | None = None
        self.shown_q_values: list[float] | None = None
        self.shown_attention: list[list[float]] | None = None
        self.shown_option_values: list[OptionValue] | None = None
        self.choice = 0
        self.turns: list[AgentTurn] = []

    @property
    def request(self) -> "EngineRequest":
        """The request itself, which is the only turn of a world of one agent."""
        return self


class AgentTurn:
    """The part of a request that is one agent's, where there are several: a row of a forward pass."""

    __slots__ = ("agent", "attention", "choice", "group", "index", "policy", "q_values", "request")

    def __init__(self, request: EngineRequest, agent: int) -> None:
        self.request = request
        self.group = request.group
        self.index = request.index
        self.agent = agent
        self.policy = request.company[agent]
        is_shown = agent == request.view_agent
        self.q_values = request.q_values and is_shown
        self.attention = request.attention and is_shown
        self.choice = 0


PolicyRow: TypeAlias = EngineRequest | AgentTurn
"""A row of a policy's batch: the request of a world of one agent, or one agent's turn of another's.

`index` is the world's, in its group, `agent` the agent's, in its world; `choice` is the policy's action.
"""


class WorldGroup:
    """`capacity` worlds of one configuration. Synchronous; one thread at a time may use it.

    This one is of worlds with one agent each; `CompanyGroup` is of worlds with several.

    Attributes:
        config: their configuration.
        start: the state in which every episode begins.
        place_names: the affordances' names by their codes.
        free: the indices of the worlds that no session has; only the engine's task changes it.
    """

    def __init__(self, capacity: int, config: WorldConfig | None = None) -> None:
        self._worlds = Worlds(capacity, config)
        self.config: Final = self._worlds.config
        self.capacity: Final = capacity
        self.start: Final = self._worlds.get_state(0)
        self.place_names: Final = {place.code: place.name for place in self.config.affordances}
        self.free: Final = list(range(capacity - 1, -1, -1))
        self._indices = np.empty(capacity, dtype=np.intp)

    @property
    def is_unused(self) -> bool:
        """Whether no session has one of the worlds."""
        return len(self.free) == self.capacity

    def prepare(self, requests: list["EngineRequest"]) -> None:
        """Begin the episodes and restore the states that the requests ask for."""
        if resets := [request.index for request in requests if request.kind is RequestKind.RESET]:
            self._worlds.reset(resets)
        for request in requests:
            if request.state is not None:
                self._worlds.set_state(request.index, request.state)

    def turns(self, request: "EngineRequest") -> Sequence[PolicyRow]:
        """Return the rows of a prepared request for which a policy must be run."""
        return (request,) if request.needs_policy else ()

    def observe(self, rows: Sequence[PolicyRow], out: NDArray[np.float32]) -> None:
        """Write what the agents of these rows see, (len(rows), 1, observation_size)."""
        self._worlds.observe([row.index for row in rows], out=out)

    def carry_out(self, requests: list["EngineRequest"]) -> int:
        """Do as `execute`, with the `choice` of each request's turns."""
        return self.execute(requests, np.array([request.choice for request in requests], dtype=np.intp))

    def execute(self, requests: list["EngineRequest"], actions: NDArray[np.intp]) -> int:
        """Step the worlds and answer the requests without an answer; return the number of steps made.

        `actions` has the policy's action for each request that asks for one.
        """
        indices = self._indices[: len(requests)]
        indices[:] = [request.index for request in requests]
        steps = self._step(requests, indices, actions)
        self._answer(requests, indices, steps)
        return len(steps)

    def _step(
        self, ordered: list[EngineRequest], indices: NDArray[np.intp], chosen: NDArray[np.intp]
    ) -> dict[int, _StepRow]:
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
                chosen[row] = request.action
            stepping.append(row)
        if not stepping:
            return {}
        rows: Any = slice(len(ordered)) if len(stepping) == len(ordered) else stepping
        worlds, actions = indices[rows], chosen[rows]
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
                raw[row][MONEY],
                raw[row][MOOD],
                action,
                reward,
                components,
                terminated,
                truncated,
                FAILURE_REASONS[failure] if terminated else None,
                request.shown_q_values,
                request.shown_attention,
                request.shown_option_values,
                (),
                raw[row],
            )
