"""What a run adds up of its episodes, those under way and the last ones."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hamlet_trio.protocol.episode import EvaluationSummary

_RECENT: Final = 5


class EpisodeRecord(Struct, frozen=True, kw_only=True):
    """One finished episode, played in the run's world number `world`; they are numbered as they finish.

    `reward` is its return, `length` its steps, `loss` the mean of the updates made meanwhile (0 without any),
    `epsilon` that of its last step. The averages are over the last five episodes, this one included.
    """

    episode: int
    world: int
    reward: float
    length: int
    loss: float
    epsilon: float
    avg_reward_5: float
    avg_length_5: float
    avg_loss_5: float
    buffer_size: int
    failure_reason: str | None
    evaluation: EvaluationSummary | None = None


class StepOutcome(Struct, frozen=True, kw_only=True):
    """One step of every world. All but the last two tell of the first world alone, the one that is shown.

    `step` counts from 1 in `episode`, `total` is that episode's return so far. `actions` has a byte for the
    action in each world, `records` the episodes that ended with this step, in the order of their worlds.
    """

    episode: int
    step: int
    action: int
    reward: float
    total: float
    epsilon: float
    done: bool
    actions: bytes
    records: tuple[EpisodeRecord, ...]

    @property
    def record(self) -> EpisodeRecord | None:
        """The first world's episode, where it ended with this step."""
        return self.records[0] if self.done else None


class EpisodeSums:
    """Sums over the episodes under way, one for each of N worlds, and means of the last ones that ended.

    Attributes:
        totals: (N,) float64, the return so far.
    """

    def __init__(self, num_worlds: int) -> None:
        self.totals: NDArray[np.float64] = np.zeros(num_worlds)
        self._losses = np.zeros(num_worlds)
        self._updates = np.zeros(num_worlds, dtype=np.int64)
        self._recent: deque[tuple[float, int, float]] = deque(maxlen=_RECENT)

    def begin(self, worlds: NDArray[np.intp]) -> None:
        """Episodes begin in these worlds."""
        self.totals[worlds] = 0.0
        self._losses[worlds] = 0.0
        self._updates[worlds] = 0

    def add_rewards(self, rewards: NDArray[np.float64]) -> None:
        """One step's reward in each world, (N,)."""
        self.totals += rewards

    def add_updates(self, loss: float, updates: int) -> None:
        """So many updates of this mean loss were made, during every episode under way."""
        self._losses += loss * updates
        self._updates += updates

    def end(self, world: int, length: int) -> tuple[float, float]:
        """The episode of a world ends, one of the last from now on; its return and mean loss."""
        updates = int(self._updates[world])
        total = float(self.totals[world])
        loss = float(self._losses[world]) / updates if updates else 0.0
        self._recent.append((total, length, loss))
        return total, loss

    def means(self) -> tuple[float, float, float]:
        """Mean return, length and loss of the last five episodes; zeros before the first one."""
        count = max(len(self._recent), 1)
        rewards, lengths, losses = zip(*self._recent, strict=True) if self._recent else ((), (), ())
        return sum(rewards) / count, sum(lengths) / count, sum(losses) / count

    def state_dict(self) -> dict[str, Any]:
        """A copy of everything, as plain values."""
        return {
            "totals": self.totals.tolist(),
            "losses": self._losses.tolist(),
            "updates": self._updates.tolist(),
            "recent": [list(row) for row in self._recent],
        }

    def load_state_dict(self, state: dict[str, Sequence[Any]]) -> None:
        """Go on exactly from where `state_dict` was taken, for as many worlds."""
        self.totals[:] = state["totals"]
        self._losses[:] = state["losses"]
        self._updates[:] = state["updates"]
        self._recent = deque(((r, n, loss) for r, n, loss in state["recent"]), maxlen=_RECENT)
