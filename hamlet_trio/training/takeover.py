"""Decide how a run goes on whose instance is gone."""

import msgspec

from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.plan import RunPlan
from hamlet_trio.training.store import RunNotFoundError, RunRecord, RunStore


def plan_takeover(
    store: RunStore, run_id: str, parameters: TrainingParameters, *, has_learnt: bool
) -> RunPlan | RunRecord | None:
    """Return the plan to go on with a run, or its record if it has ended. Does file I/O.

    `parameters` are those in force. None if the run cannot go on now: its trainer still saves it, or its
    files are not in this data folder.
    """
    if store.server_lock().is_held() or store.is_training(run_id):
        return None
    try:
        record = store.read(run_id)
    except RunNotFoundError:
        # Its instance may have died before the run's first record was written.
        return None if has_learnt else RunPlan(run_id, parameters, resume=True)
    if record.state != "unfinished":
        return record
    changes = msgspec.structs.asdict(parameters.showing) | {"num_episodes": parameters.num_episodes}
    return RunPlan(run_id, msgspec.structs.replace(record.parameters, **changes), resume=True)


def stopped(store: RunStore, plan: RunPlan) -> RunRecord | None:
    """Return the record of a run that was being stopped when its instance died.

    It was interrupted, and can be resumed. None if its record cannot be read.
    """
    try:
        return store.read(plan.run_id)
    except RunNotFoundError:
        return None
