"""Decide how a run goes on whose instance is gone."""

import msgspec

from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.training.plan import RunPlan
from hamlet_trio.training.store import RunNotFoundError, RunRecord, RunStore


class StillHeldError(Exception):
    """The trainer of the instance that is gone still has the run: it saves, or hangs."""


def plan_takeover(
    store: RunStore, run_id: str, parameters: TrainingParameters, *, has_learnt: bool, is_stopping: bool
) -> RunPlan | RunRecord | None:
    """Return the plan to go on with a run, or its record if it has ended or was being stopped.

    A run that was being stopped was interrupted, and can be resumed. `parameters` are those in force. None if
    its files are not in this data folder; raises `StillHeldError` while its trainer is there. Does file I/O.
    """
    if store.server_lock().is_held() or store.is_training(run_id):
        raise StillHeldError
    try:
        record = store.read(run_id)
    except RunNotFoundError:
        # Its instance may have died before the run's first record was written.
        return None if has_learnt or is_stopping else RunPlan(run_id, parameters, resume=True)
    if is_stopping or record.state != "unfinished":
        return record
    changes = msgspec.structs.asdict(parameters.showing) | {"num_episodes": parameters.num_episodes}
    return RunPlan(run_id, msgspec.structs.replace(record.parameters, **changes), resume=True)
