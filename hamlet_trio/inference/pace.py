"""When a session's next turn is due."""

from typing import Final

from hamlet_trio.protocol.commands import SPEED_RANGE

STEP_SECONDS: Final = 0.1
"""Between two steps at speed 1."""
INTERMISSION_SECONDS: Final = 2.0
"""Between an episode's last frame and the next episode at speed 1."""
PATIENCE_SECONDS: Final = 0.5
"""How far behind its deadlines a session still catches up, with steps in quick succession."""


class Pace:
    """Absolute deadlines: each counts from the previous deadline, not from when that was met, so none drifts.

    A turn is a step or, after an episode's end, the beginning of the next one. Times are in seconds on
    Trio's clock.

    Attributes:
        speed: multiple of 10 steps/s.
        min_intermission: seconds between two episodes at least, whatever the speed.
    """

    def __init__(self, now: float) -> None:
        self.speed = 1.0
        self.min_intermission = 0.0
        self._last_turn = now

    def interval(self, intermission: bool) -> float:
        """Return how long the wait for a turn is."""
        if intermission:
            return max(INTERMISSION_SECONDS / self.speed, self.min_intermission)
        return STEP_SECONDS / self.speed

    def deadline(self, intermission: bool) -> float:
        """Return when the next turn is due."""
        return self._last_turn + self.interval(intermission)

    def restart(self, now: float) -> None:
        """Begin the wait for the next turn now."""
        self._last_turn = now

    def set_speed(self, speed: float, now: float, intermission: bool) -> None:
        """Set the speed, clamped to the allowed range; it applies to the wait in progress."""
        slowest, fastest = SPEED_RANGE
        self.speed = min(max(speed, slowest), fastest)
        # A turn that would have been due earlier is due now: going faster must not cause a burst.
        self._last_turn = max(self._last_turn, now - self.interval(intermission))

    def take_turn(self, now: float, intermission: bool) -> bool:
        """Take a due turn now; return whether it is close enough to its deadline to count on from that.

        If it is not, for example after a client read nothing for seconds, deadlines count on from now.
        """
        deadline = self.deadline(intermission)
        kept = now - deadline <= max(self.interval(intermission), PATIENCE_SECONDS)
        self._last_turn = deadline if kept else now
        return kept
