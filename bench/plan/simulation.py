"""Simulate an instance: sessions whose turns come at regular times, and one core that serves them in order.

An instance is one process, whose event loop does one thing at a time. So it is a queue with one server: each
frame waits for those before it. Service times are constant, which is a little kind; that frames of one
moment share a forward pass is left out, which is a little unkind.
"""

from typing import Final

import numpy as np
from msgspec import Struct

FRAMES_A_SECOND: Final = 10.0
"""Of a session at the usual speed."""
LATE: Final = 0.020
"""Seconds of lateness that 99 % of frames stay below."""
HEADROOM: Final = 0.7
"""Share of a core that an instance may take, so that what is left carries those of one that died."""
_SECONDS: Final = 20.0
_SEED: Final = 1


class Simulated(Struct, frozen=True):
    """Hold the share of a core that is busy, and the 99th percentile of lateness in seconds."""

    busy: float
    p99: float


def simulate(sessions: int, *, frame: float, fixed_share: float) -> Simulated:
    """Simulate one instance for some seconds.

    Args:
        sessions: how many play, each with its first turn at random.
        frame: processor seconds of a frame.
        fixed_share: of the core, taken by everything else; it makes each frame take longer.
    """
    if sessions == 0:
        return Simulated(fixed_share, 0.0)
    service = frame / (1 - fixed_share)
    phases = np.random.default_rng(_SEED).uniform(0, 1 / FRAMES_A_SECOND, sessions)
    turns = np.arange(int(_SECONDS * FRAMES_A_SECOND)) / FRAMES_A_SECOND
    due = np.sort((phases[:, None] + turns).ravel())
    # Lindley: a frame is begun once it is due and the one before it is done.
    done = service * np.arange(1, due.size + 1) + np.maximum.accumulate(due - service * np.arange(due.size))
    busy = min(1.0, fixed_share + frame * sessions * FRAMES_A_SECOND)
    return Simulated(busy, float(np.percentile(done - due, 99)))


def capacity(*, frame: float, fixed_share: float) -> int:
    """Return how many sessions one instance carries, in time and with headroom."""
    low, high = 0, int(1 / (frame * FRAMES_A_SECOND)) + 1
    while high - low > 1:
        middle = (low + high) // 2
        found = simulate(middle, frame=frame, fixed_share=fixed_share)
        low, high = (middle, high) if found.busy <= HEADROOM and found.p99 < LATE else (low, middle)
    return low


def predict(sessions: list[int], frames_a_second: float, *, frame: float, fixed_share: float) -> float:
    """Return the processor seconds a second of several instances with so many sessions each.

    `frames_a_second` is what all of them sent together: an overloaded machine sends fewer than are due.
    """
    return len(sessions) * fixed_share + frame * frames_a_second
