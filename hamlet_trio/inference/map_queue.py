"""The policy maps that sessions wait for, made slice by slice in the engine's idle time."""

import math
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import trio

from hamlet_trio.inference.awaited import Awaited
from hamlet_trio.inference.errors import EngineError
from hamlet_trio.world import WorldConfig

if TYPE_CHECKING:
    from hamlet_trio.agent.policy import Policy

SHARE: Final = 0.2
"""The part of the engine's time that policy maps take at most, however many sessions ask for them."""


class MapRequest(Awaited):
    """A policy map in the making, in a world of C cells.

    `meters` are the agent's normalised meters in every cell, `others` the cells of the other live agents.
    `rows` of the map are made. `task` waits for it; it is None once the map is made or no longer wanted.

    Attributes:
        actions: (C,) int64, row by row, what the policy would do in each cell.
        values: (C,) float32, the greatest Q-value in each cell.
    """

    __slots__ = ("actions", "config", "error", "meters", "others", "policy", "rows", "values")

    def __init__(
        self, policy: "Policy", config: WorldConfig, meters: Sequence[float], others: Sequence[int]
    ) -> None:
        super().__init__()
        self.policy = policy
        self.config = config
        self.meters = meters
        self.others = others
        self.rows = 0
        self.actions = np.empty(config.width * config.height, dtype=np.int64)
        self.values = np.empty(config.width * config.height, dtype=np.float32)
        self.error: EngineError | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be made."""
        return self.error is not None or self.rows == self.actions.size


class MapQueue:
    """Take turns among the maps that wait, one slice each, and rest between slices.

    The rests keep maps to `SHARE` of the time. Bounds: a session waits for one map, so there are at most as
    many as sessions.
    """

    def __init__(self) -> None:
        self._waiting: deque[MapRequest] = deque()
        self._rest_ends = -math.inf

    def put(self, request: MapRequest) -> None:
        """Queue a map."""
        self._waiting.append(request)

    def rest(self) -> float:
        """Return in how many seconds the next slice may be made; infinity if no map waits."""
        while self._waiting and self._waiting[0].task is None:
            self._waiting.popleft()
        if not self._waiting:
            return math.inf
        return max(0.0, self._rest_ends - trio.current_time())

    def next(self) -> MapRequest:
        """Return the map whose turn it is."""
        return self._waiting[0]

    def made(self, seconds: float) -> None:
        """Take note that a slice of the next map is made; it took some seconds."""
        request = self._waiting.popleft()
        if request.is_done:
            request.wake()
        else:
            self._waiting.append(request)
        self._rest_ends = trio.current_time() + seconds * (1 / SHARE - 1)

    def fail(self, error: str) -> None:
        """Let each map that waits fail."""
        for request in self._waiting:
            request.error = EngineError(error)
            request.wake()
        self._waiting.clear()
