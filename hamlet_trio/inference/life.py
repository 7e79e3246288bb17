"""A whole episode in columns, for the page's picture of a life."""

from typing import Final

import numpy as np
from msgspec import UNSET, UnsetType

from hamlet_trio.common.agents import AgentId
from hamlet_trio.protocol.messages import Death, Life
from hamlet_trio.recording.info import Marker
from hamlet_trio.recording.last_chance import failed_meter, find_last_chance, lonely_since
from hamlet_trio.recording.trajectory import Trajectory
from hamlet_trio.world import METERS, WorldState

_MOST_ROWS: Final = 2000


def life_of(
    trajectory: Trajectory,
    start: WorldState,
    *,
    episode: int,
    model_name: str | None,
    recording: str | None,
    markers: tuple[Marker, ...],
    agent: AgentId | UnsetType = UNSET,
) -> Life:
    """Return the episode of a trajectory that began at `start`.

    Looking for a death's last chance takes up to a second; a tenth of that in the usual world.
    """
    steps = trajectory.steps
    stride = max(1, -(-steps // _MOST_ROWS))
    rows = np.append(np.arange(0, steps, stride), steps)
    meters = trajectory.normalised[rows].round(4)
    return Life(
        recording=recording,
        model_name=model_name,
        episode=episode,
        steps=steps,
        stride=stride,
        meters={name: meters[:, column].tolist() for column, name in enumerate(METERS)},
        returns=trajectory.returns()[rows].round(3).tolist(),
        cells=trajectory.positions[rows].tolist(),
        markers=markers,
        death=_death(trajectory, start),
        agent=agent,
    )


def _death(trajectory: Trajectory, start: WorldState) -> Death | None:
    if trajectory.failure_reason is None:
        return None
    meter = failed_meter(trajectory.failure_reason)
    return Death(
        failure_reason=trajectory.failure_reason,
        meter=meter,
        last_chance=find_last_chance(trajectory, start),
        lonely_since=lonely_since(trajectory) if meter == "mood" else None,
    )
