"""Markers on an episode's timeline: uses of a place, meters turning critical, the end."""

from msgspec.structs import replace

from hamlet_trio.common.agents import AGENT_IDS
from hamlet_trio.recording.info import Marker
from hamlet_trio.recording.trajectory import Trajectory
from hamlet_trio.world import METERS


def find_markers(*trajectories: Trajectory) -> tuple[Marker, ...]:
    """Return the markers of an episode, of all its agents, by step.

    A meter turns critical when it falls to the lowest band of the shaped reward; it is marked again only
    after it has risen above.
    """
    markers = []
    for agent_id, trajectory in zip(AGENT_IDS, trajectories, strict=False):
        own = [*_interactions(trajectory), *_criticals(trajectory)]
        if trajectory.over:
            own.append(Marker(trajectory.lived, "end", trajectory.failure_reason or "max_steps"))
        markers += own if len(trajectories) == 1 else [replace(marker, agent=agent_id) for marker in own]
    return tuple(sorted(markers, key=lambda marker: marker.step))


def _interactions(trajectory: Trajectory) -> list[Marker]:
    markers: list[Marker] = []
    before = -1
    for step, used in enumerate(trajectory.interacted.tolist()):
        if used >= 0:
            if used == before:
                last = markers.pop()
                markers.append(Marker(last.step, last.kind, last.what, last.count + 1))
            else:
                markers.append(Marker(step, "interaction", trajectory.config.affordances[used].name))
        before = used
    return markers


def _criticals(trajectory: Trajectory) -> list[Marker]:
    markers = []
    for column, meter in enumerate(METERS):
        threshold = getattr(trajectory.config.shaped, meter).above[2]
        critical = trajectory.normalised[:, column] <= threshold
        markers += [
            Marker(step, "critical", meter)
            for step in range(1, trajectory.steps + 1)
            if critical[step] and not critical[step - 1]
        ]
    return markers
