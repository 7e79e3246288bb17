"""One step of a run, and its sums over the episodes under way and the last ones."""

import math
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hamlet_trio.agent.evaluation import EpisodeResult
from hamlet_trio.protocol.episode import EpisodeComplete, EvaluationSummary
from hamlet_trio.training.company import AgentStep

_RECENT: Final = 5


class StepOutcome(Struct, frozen=True, kw_only=True):
    """Represent one step of every world; all but `actions`, `records` and `worlds` describe the first world.

    `step` counts from 1 in `episode`, `total` is that episode's return so far, `shown` whether it is one of
    those that are shown. With several agents, what is of one agent is of the first, and `agents` are all of
    them. `actions` has a byte for the action of each agent in each world. `records` are the episodes that
    ended with this step, in the order of `worlds`, the numbers of the worlds they were played in; a run
    without a clock leaves their `steps_per_second` 0.
    """

    episode: int
    step: int
    action: int
    reward: float
    total: float
    epsilon: float
    done: bool
    shown: bool
    actions: bytes
    records: tuple[EpisodeComplete, ...] = ()
    worlds: tuple[int, ...] = ()
    agents: tuple[AgentStep, ...] = ()

    @property
    def record(self) -> EpisodeComplete | None:
        """The first world's episode, if it ended with this step."""
        return self.records[0] if self.done else None


class EpisodeSums:
    """Sum up the episodes under way, one for each of N worlds, and average the last ones that ended.

    Attributes:
        totals: (N,) float64, the return so far.
    """

    def __init__(self, num_worlds: int) -> None:
        self.totals: NDArray[np.float64] = np.zeros(num_worlds)
        self._losses = np.zeros(num_worlds)
        self._q_values = np.zeros(num_worlds)
        self._updates = np.zeros(num_worlds, dtype=np.int64)
        self._recent: deque[tuple[float, int, float]] = deque(maxlen=_RECENT)

    def begin(self, worlds: NDArray[np.intp]) -> None:
        """Begin episodes in these worlds."""
        self.totals[worlds] = 0.0
        self._losses[worlds] = 0.0
        self._q_values[worlds] = 0.0
        self._updates[worlds] = 0

    def add_rewards(self, rewards: NDArray[np.float64]) -> None:
        """Add one step's reward in each world, (N,); with several agents their mean."""
        self.totals += rewards

    def add_updates(self, loss: float, q_value: float, updates: int) -> None:
        """Count updates, with their mean loss and Q-value, for every episode under way."""
        self._losses += loss * updates
        self._q_values += q_value * updates
        self._updates += updates

    def end(self, world: int, length: int) -> tuple[float, float, float | None]:
        """End the episode of a world, now one of the last ones; give its return, mean loss and Q-value."""
        updates = int(self._updates[world])
        total = float(self.totals[world])
        loss = float(self._losses[world]) / updates if updates else 0.0
        q_value = float(self._q_values[world]) / updates if updates else math.nan
        self._recent.append((total, length, loss))
        return total, loss, None if math.isnan(q_value) else q_value

    def means(self) -> tuple[float, float, float]:
        """Return the mean return, length and loss of the last five episodes; zeros before the first one."""
        count = max(len(self._recent), 1)
        rewards, lengths, losses = zip(*self._recent, strict=True) if self._recent else ((), (), ())
        return sum(rewards) / count, sum(lengths) / count, sum(losses) / count

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of everything, as plain values."""
        return {
            "totals": self.totals.tolist(),
            "losses": self._losses.tolist(),
            "q_values": self._q_values.tolist(),
            "updates": self._updates.tolist(),
            "recent": [list(row) for row in self._recent],
        }

    def load_state_dict(self, state: dict[str, Sequence[Any]]) -> None:
        """Go on exactly from where `state_dict` was taken, for as many worlds."""
        self.totals[:] = state["totals"]
        self._losses[:] = state["losses"]
        # Runs saved by an earlier version lack it, and so do the episodes that were under way then.
        self._q_values[:] = state.get("q_values", math.nan)
        self._updates[:] = state["updates"]
        self._recent = deque(((r, n, loss) for r, n, loss in state["recent"]), maxlen=_RECENT)


def summary_of(rows: list[EpisodeResult]) -> EvaluationSummary:
    """Return the means of evaluated episodes."""
    return EvaluationSummary(
        float(np.mean([row.length for row in rows])),
        float(np.mean([row.episode_return for row in rows])),
        len(rows),
    )
