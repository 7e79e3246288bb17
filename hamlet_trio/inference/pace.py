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
    """Absolute deadlines: each is counted from the one before, not from when it was met, so nothing drifts.

    A turn is a step, or after the episode's end the beginning of the next one. Times are in seconds on the
    clock of Trio.
    """

    def __init__(self, now: float) -> None:
        self.speed = 1.0
        self._anchor = now

    def interval(self, intermission: bool) -> float:
        """How long the wait for a turn is."""
        return (INTERMISSION_SECONDS if intermission else STEP_SECONDS) / self.speed

    def deadline(self, intermission: bool) -> float:
        """When the next turn is due."""
        return self._anchor + self.interval(intermission)

    def restart(self, now: float) -> None:
        """Let the wait for the next turn begin now."""
        self._anchor = now

    def set_speed(self, speed: float, now: float, intermission: bool) -> None:
        """Set the speed, clamped to what is allowed; it applies to the wait under way."""
        slowest, fastest = SPEED_RANGE
        self.speed = min(max(speed, slowest), fastest)
        # What would have been due already is due now: faster must not mean a burst.
        self._anchor = max(self._anchor, now - self.interval(intermission))

    def take_turn(self, now: float, intermission: bool) -> bool:
        """Note that a due turn is taken now; whether it is close enough to its deadline to go on from that.

        If not, as after a client that read nothing for seconds, the deadlines go on from now.
        """
        deadline = self.deadline(intermission)
        kept = now - deadline <= max(self.interval(intermission), PATIENCE_SECONDS)
        self._anchor = deadline if kept else now
        return kept
