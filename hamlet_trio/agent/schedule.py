"""The schedule of the exploration rate epsilon over a run."""

import math
from typing import Literal

from msgspec import Struct

ScheduleKind = Literal["linear", "exponential", "multiplicative"]


class ScheduleError(ValueError):
    """A value of a schedule that is out of range; the message names the field and what is allowed."""


class EpsilonSchedule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Epsilon as a function of the episode and the run's length, so that a resumed run continues exactly.

    `linear` and `exponential` go from `start` to `end` over the first `fraction` of the run's episodes and
    stay there, so that a short run goes from exploring to exploiting too. `multiplicative` is the older
    system's: `start` * `decay` ** (episode - 1), at least `end`, whatever the run's length.
    """

    kind: ScheduleKind = "exponential"
    start: float = 1.0
    end: float = 0.05
    fraction: float = 0.7
    decay: float = 0.995

    def __post_init__(self) -> None:
        if self.kind not in {"linear", "exponential", "multiplicative"}:
            raise ScheduleError(f"kind is {self.kind!r}; it must be linear, exponential or multiplicative.")
        for name in ("start", "end"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ScheduleError(f"{name} is {value}; it must be from 0 to 1.")
        if not 0 < self.fraction <= 1:
            raise ScheduleError(f"fraction is {self.fraction}; it must be above 0 and at most 1.")
        if not 0 < self.decay <= 1:
            raise ScheduleError(f"decay is {self.decay}; it must be above 0 and at most 1.")
        if self.kind == "exponential" and not (self.start > 0 and self.end > 0):
            raise ScheduleError(
                "start and end must be above 0 for an exponential schedule; use linear for 0."
            )

    def epsilon(self, episode: int, num_episodes: int) -> float:
        """Return epsilon for an episode, counted from 1, of a run of `num_episodes`."""
        if self.kind == "multiplicative":
            return max(self.start * self.decay ** (episode - 1), self.end)
        # At least one episode, so that a run of a single one is defined.
        span = max(self.fraction * num_episodes, 1.0)
        progress = min(max(episode - 1, 0) / span, 1.0)
        if self.kind == "linear":
            return self.start + (self.end - self.start) * progress
        return math.exp(math.log(self.start) + math.log(self.end / self.start) * progress)
