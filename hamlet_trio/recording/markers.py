"""What is worth jumping to in an episode: uses of a place, meters turning critical, the end."""

from hamlet_trio.recording.info import Marker
from hamlet_trio.recording.trajectory import Trajectory
from hamlet_trio.world import METERS


def find_markers(trajectory: Trajectory) -> tuple[Marker, ...]:
    """The marks of an episode, by step.

    A meter turns critical where it falls to the lowest band of the shaped reward; it is marked again only
    after it rose above.
    """
    marks = [*_interactions(trajectory), *_criticals(trajectory)]
    if trajectory.over:
        marks.append(Marker(trajectory.steps, "end", trajectory.failure_reason or "max_steps"))
    return tuple(sorted(marks, key=lambda mark: mark.step))


def _interactions(trajectory: Trajectory) -> list[Marker]:
    marks: list[Marker] = []
    before = -1
    for step, used in enumerate(trajectory.interacted.tolist()):
        if used >= 0:
            if used == before:
                last = marks.pop()
                marks.append(Marker(last.step, last.kind, last.what, last.count + 1))
            else:
                marks.append(Marker(step, "interaction", trajectory.config.affordances[used].name))
        before = used
    return marks


def _criticals(trajectory: Trajectory) -> list[Marker]:
    marks = []
    for column, meter in enumerate(METERS):
        threshold = getattr(trajectory.config.shaped, meter).above[2]
        critical = trajectory.normalised[:, column] <= threshold
        marks += [
            Marker(step, "critical", meter)
            for step in range(1, trajectory.steps + 1)
            if critical[step] and not critical[step - 1]
        ]
    return marks
