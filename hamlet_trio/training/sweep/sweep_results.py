"""What the trials of a sweep show: by settings the median, the best and the worst, and the best of all.

A trial counts by its survival from random starts after its last episode: the same starts for every trial,
and none that any trial trains on (`evaluate_starts`).
"""

from collections.abc import Iterable
from statistics import median

from hamlet_trio.common.encoding import to_json
from hamlet_trio.protocol.sweeps import SweepGroup, SweepResult, SweepTrial


def result_of(sweep_id: str, trials: Iterable[SweepTrial]) -> SweepResult:
    """Return what the complete ones of the trials show; failed and missing ones do not count."""
    groups: dict[bytes, list[SweepTrial]] = {}
    for trial in trials:
        if trial.result is not None:
            groups.setdefault(to_json([trial.settings, trial.world]), []).append(trial)
    if not groups:
        return SweepResult()
    winner = max((trial for group in groups.values() for trial in group), key=rank)
    found = sorted(map(_group, groups.values()), key=lambda group: (-group.median, group.best_trial))
    return SweepResult(
        groups=found,
        best_trial=winner.trial,
        model=None if winner.model is None else best_model_name(sweep_id),
    )


def rank(trial: SweepTrial) -> tuple[float, float, int]:
    """Return what orders complete trials, the best one last: of equals the earliest is the best."""
    assert trial.result is not None, "a trial that is not complete has no rank"
    return trial.result.length, trial.result.usual_length, -trial.trial


def best_model_name(sweep_id: str) -> str:
    """Return the file name of the copy of a sweep's best model."""
    return f"sweep-{sweep_id}.pt"


def _group(trials: list[SweepTrial]) -> SweepGroup:
    lengths = [trial.result.length for trial in trials if trial.result is not None]
    return SweepGroup(
        settings=trials[0].settings,
        world=trials[0].world,
        trials=len(trials),
        median=median(lengths),
        best=max(lengths),
        worst=min(lengths),
        best_trial=max(trials, key=rank).trial,
    )
