"""Measure how late a session's frames are against deadlines inferred from the frames themselves."""

from itertools import pairwise
from typing import Final

from hamlet_trio.inference.pace import INTERMISSION_SECONDS, STEP_SECONDS

_FRAME: Final = b'{"type":"state_update"'
_FIRST: Final = b'{"type":"state_update","step":0,'


class Lateness:
    """Follow a session's messages; frames are due one step apart, episodes an intermission apart.

    The first deadline is unknown, so the frame that arrived earliest relative to its turn counts as on time.

    Attributes:
        frame: the last message that was the frame of a step; empty before the first one.
    """

    def __init__(self) -> None:
        self.frame = b""
        self._due = 0.0
        self._earliest = float("inf")
        self._offsets: list[float] = []

    def __call__(self, payload: bytes, at: float) -> None:
        """Record a message and its time of arrival in seconds."""
        if payload.startswith(_FRAME):
            if payload.startswith(_FIRST):
                self._due += INTERMISSION_SECONDS
            else:
                self._due += STEP_SECONDS
                self.frame = payload
            offset = at - self._due
            self._earliest = min(self._earliest, offset)
            self._offsets.append(offset)

    def begin(self) -> None:
        """Start afresh when playing begins."""
        self._due, self._earliest = 0.0, float("inf")
        self._offsets = []

    def watch(self) -> None:
        """Measure from now on; keep the deadlines."""
        self._offsets = []

    def seconds(self, now: float) -> list[float]:
        """Return each frame's lateness since `watch`; an overdue frame is as late as it is now."""
        late = [offset - self._earliest for offset in self._offsets]
        missing = now - self._due - STEP_SECONDS - self._earliest
        return [*late, missing] if missing > 0 else late

    def gaps(self, now: float) -> list[float]:
        """Return the seconds between frames since `watch`, less the intermission between episodes."""
        late = self.seconds(now)
        return [STEP_SECONDS + later - earlier for earlier, later in pairwise(late)]
