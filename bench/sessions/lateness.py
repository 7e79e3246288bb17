"""Measure how late a session's frames are against deadlines inferred from the frames themselves."""

from itertools import pairwise
from typing import Final

from hamlet_trio.inference.pace import INTERMISSION_SECONDS, STEP_SECONDS

_FRAME: Final = b'{"type":"state_update"'
_END: Final = b'{"type":"episode_end"'
_MAP: Final = b'{"type":"policy_map"'
_FIRST: Final = b'{"type":"state_update","step":0,'


class Lateness:
    """Follow a session's messages; frames are due one step apart, episodes an intermission apart.

    The first deadline is unknown, so the frame that arrived earliest relative to its turn counts as on time.

    Attributes:
        frame: the last message that was the frame of a step; empty before the first one.
        maps: how many policy maps came since `watch`.
    """

    def __init__(self) -> None:
        self.frame = b""
        self.maps = 0
        self._pause = STEP_SECONDS  # until the next frame is due
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
            self._pause = STEP_SECONDS
        elif payload.startswith(_END):
            self._pause = INTERMISSION_SECONDS
        elif payload.startswith(_MAP):
            self.maps += 1

    def begin(self) -> None:
        """Start afresh when playing begins."""
        self._due, self._earliest, self._pause = 0.0, float("inf"), STEP_SECONDS
        self._offsets = []

    def watch(self) -> None:
        """Measure from now on; keep the deadlines."""
        self._offsets, self.maps = [], 0

    def seconds(self, now: float) -> list[float]:
        """Return each frame's lateness since `watch`; an overdue frame is as late as it is now."""
        late = [offset - self._earliest for offset in self._offsets]
        missing = now - self._due - self._pause - self._earliest
        return [*late, missing] if missing > 0 else late

    def gaps(self, now: float) -> list[float]:
        """Return the seconds between frames since `watch`, less the intermission between episodes."""
        late = self.seconds(now)
        return [STEP_SECONDS + later - earlier for earlier, later in pairwise(late)]
