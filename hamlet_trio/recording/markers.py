"""Markers on an episode's timeline: uses of a place, meters turning critical, the end."""

from hamlet_trio.recording.info import Marker
from hamlet_trio.recording.trajectory import Trajectory
from hamlet_trio.world import METERS


def find_markers(trajectory: Trajectory) -> tuple[Marker, ...]:
    """Return the markers of an episode, by step.

    A meter turns critical when it falls to the lowest band of the shaped reward; it is marked again only
    after it has risen above.
    """
    markers = [*_interactions(trajectory), *_criticals(trajectory)]
    if trajectory.over:
        markers.append(Marker(trajectory.steps, "end", trajectory.failure_reason or "max_steps"))
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
