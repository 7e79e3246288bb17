"""Worlds of one configuration with several agents each, and what a batch of requests does to them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hamlet_trio.inference.errors import EngineError
from hamlet_trio.inference.world_group import (
    MONEY,
    MOOD,
    AgentTurn,
    EngineRequest,
    PolicyRow,
    RequestKind,
    WorldGroup,
)
from hamlet_trio.protocol.frames import AgentSnapshot, WorldSnapshot
from hamlet_trio.recording.trajectory import waits
from hamlet_trio.world import FAILURE_REASONS, StepResult, WorldConfig


class CompanyGroup(WorldGroup):
    """Worlds with A agents each. An agent that has failed stands aside: no policy is run for it."""

    def turns(self, request: EngineRequest) -> Sequence[PolicyRow]:
        """Return the turns of the agents that are alive and whose policy is asked for."""
        alive = self._worlds.alive[request.index].tolist()
        steps = request.kind is RequestKind.STEP and not self._worlds.over[request.index]
        shown = request.view_agent if request.q_values or request.attention else None
        played = None if request.action is None else request.agent
        request.turns = [
            AgentTurn(request, agent)
            for agent in range(self._worlds.num_agents)
            if alive[agent] and ((steps and agent != played) or agent == shown)
        ]
        return request.turns

    def observe(self, rows: Sequence[PolicyRow], out: NDArray[np.float32]) -> None:
        """Write what the agents of these rows see, (len(rows), 1, observation_size)."""
        places: dict[int, int] = {}
        for row in rows:
            places.setdefault(row.index, len(places))
        seen = self._worlds.observe(list(places))
        out[:, 0] = seen[[places[row.index] for row in rows], [row.agent for row in rows]]

    def carry_out(self, requests: list[EngineRequest]) -> int:
        """Step the worlds and answer the requests without an answer; return the number of steps made."""
        stepping = [request for request in requests if self._can_step(request)]
        actions = np.zeros((len(stepping), self._worlds.num_agents), dtype=np.intp)
        for row, request in enumerate(stepping):
            for turn in request.turns:
                actions[row, turn.agent] = turn.choice
            if request.action is not None:
                actions[row, request.agent] = request.action
        if stepping:
            indices = [request.index for request in stepping]
            acting = self._worlds.alive[indices]
            result = self._worlds.step(actions, indices, components=True)
            for row, request in enumerate(stepping):
                request.answer = self._after_step(request, row, actions[row], acting[row], result)
        for request in requests:
            if request.answer is None:
                request.answer = self._as_it_stands(request)
        return len(stepping)

    def _can_step(self, request: EngineRequest) -> bool:
        """Return whether a request is for a step that can be made; one that cannot is answered."""
        if request.kind is not RequestKind.STEP or request.answer is not None:
            return False
        if self._worlds.over[request.index]:
            request.answer = EngineError("the episode is over; reset the slot before its next step")
            return False
        return True

    def _after_step(
        self,
        request: EngineRequest,
        row: int,
        actions: NDArray[np.intp],
        acting: NDArray[np.bool_],
        result: StepResult,
    ) -> WorldSnapshot:
        assert result.components is not None  # they were asked for
        truncated = bool(result.truncated[row].any())
        agents, waiting = self._worlds.num_agents, [-1] * self._worlds.num_agents
        if self.config.contention:
            waiting = waits(self._worlds.positions[request.index], actions, result.interacted[row], acting)
        return self._snapshot(
            request,
            actions=[int(actions[agent]) if acting[agent] else None for agent in range(agents)],
            rewards=result.rewards[row].tolist(),
            components=np.stack([part[row] for part in result.components], axis=1).tolist(),
            waiting=waiting,
            terminated=bool(self._worlds.over[request.index]) and not truncated,
            truncated=truncated,
        )

    def _as_it_stands(self, request: EngineRequest) -> WorldSnapshot:
        agents = self._worlds.num_agents
        return self._snapshot(
            request,
            actions=[None] * agents,
            rewards=[0.0] * agents,
            components=None,
            waiting=[-1] * agents,
            terminated=False,
            truncated=False,
        )

    def _snapshot(
        self,
        request: EngineRequest,
        *,
        actions: list[int | None],
        rewards: list[float],
        components: list[list[float]] | None,
        waiting: list[int],
        terminated: bool,
        truncated: bool,
    ) -> WorldSnapshot:
        worlds, index = self._worlds, request.index
        cells = worlds.positions[index].tolist()
        (normalised,) = worlds.normalised([index]).tolist()
        raw = worlds.meters[index].tolist()
        failures = worlds.failure[index].tolist()
        company = tuple(
            AgentSnapshot(
                cells[agent][0],
                cells[agent][1],
                normalised[agent],
                raw[agent][MONEY],
                raw[agent][MOOD],
                actions[agent],
                rewards[agent],
                components[agent] if components is not None and actions[agent] is not None else None,
                FAILURE_REASONS[failures[agent]],
                waiting[agent],
                raw[agent],
            )
            for agent in range(worlds.num_agents)
        )
        first = company[0]
        return WorldSnapshot(
            first.x,
            first.y,
            first.meters,
            first.money,
            first.mood,
            first.action or 0,
            first.reward,
            first.components,
            terminated,
            truncated,
            None,
            request.shown_q_values,
            request.shown_attention,
            request.shown_option_values,
            company,
        )


def make_group(capacity: int, config: WorldConfig | None = None) -> WorldGroup:
    """Return `capacity` worlds of a configuration, with as many agents as it has."""
    several = config is not None and config.num_agents > 1
    return CompanyGroup(capacity, config) if several else WorldGroup(capacity, config)
