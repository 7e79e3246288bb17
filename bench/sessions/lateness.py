"""How late the frames of a session are, against deadlines that it never told."""

from itertools import pairwise
from typing import Final

from hamlet_trio.inference.pace import INTERMISSION_SECONDS, STEP_SECONDS

_FRAME: Final = b'{"type":"state_update"'
_FIRST: Final = b'{"type":"state_update","step":0,'


class Lateness:
    """Takes a session's messages; frames are due one step apart, an episode's first one an intermission.

    When the first one was due is not known, so the frame that came earliest for its turn counts as in time.

    Attributes:
        frame: the last message that was the frame of a step; empty before the first one.
    """

    def __init__(self) -> None:
        self.frame = b""
        self._due = 0.0
        self._earliest = float("inf")
        self._offsets: list[float] = []

    def __call__(self, payload: bytes, at: float) -> None:
        """Take a message that came at this time, in seconds."""
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
        """Playing begins: forget what was."""
        self._due, self._earliest = 0.0, float("inf")
        self._offsets = []

    def watch(self) -> None:
        """Measure from here on; the deadlines stay as they are."""
        self._offsets = []

    def seconds(self, now: float) -> list[float]:
        """How late each frame was since `watch`; one that should have come by now is as late as it is now."""
        late = [offset - self._earliest for offset in self._offsets]
        missing = now - self._due - STEP_SECONDS - self._earliest
        return [*late, missing] if missing > 0 else late

    def gaps(self, now: float) -> list[float]:
        """Seconds between frames since `watch`; those of an intermission count as what they exceed it by."""
        late = self.seconds(now)
        return [STEP_SECONDS + later - earlier for earlier, later in pairwise(late)]
