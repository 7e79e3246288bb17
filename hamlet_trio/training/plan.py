"""Check a start command and plan its run, before anything starts."""

import secrets
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from hamlet_trio.agent.models import ModelFolder, ModelNameError
from hamlet_trio.common.lock import FileLock, LockedError
from hamlet_trio.common.text import printable
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.parameters import Showing, TrainingParameters, world_of
from hamlet_trio.training.run_models import problem_with_choice
from hamlet_trio.training.store import RunNotFoundError, RunStore, new_run_id

if TYPE_CHECKING:
    from hamlet_trio.agent.checkpoint import Checkpoint

_COMMAND: Final = "start_training"
_DEFAULTS: Final = TrainingParameters()


class RunPlan(Struct, frozen=True):
    """A run about to start; with `resume` it goes on from its saved state."""

    run_id: str
    parameters: TrainingParameters
    resume: bool
    file: str | None = None
    """The name that was given for the model's file."""


def make_plan(
    parameters: TrainingParameters, store: RunStore, models: ModelFolder, file: str | None = None
) -> RunPlan:
    """Return the plan for parameters, with a seed chosen where none was given. Does file I/O.

    `file` is the name chosen for the model's file, where that is not to be one of the run's own.

    An interrupted run keeps its own parameters, so that it goes on exactly; only its number of episodes may
    be raised and how it is shown be changed, and what is left at its default does not count as given.

    Raises `BadMessageError` when `resume_from` names neither an interrupted run nor a model that can be
    read, when another parameter is given than the interrupted run has, or when the file's name cannot be
    taken.
    """
    source = parameters.resume_from
    if source is not None and not source.endswith(".pt"):
        return _plan_to_resume(source, parameters, store, file)
    model = None if source is None else _check_model(source, parameters, models)
    if file is not None and (problem := problem_with_choice(file, models)):
        sentence = f"The model name {printable(file)!r} {problem}."
        raise BadMessageError(ErrorCode.INVALID_MODEL_NAME, sentence, command=_COMMAND, field="model")
    # Imports numpy, which a server that does not train never needs.
    from hamlet_trio.training.run_world import check_network, with_world  # noqa: PLC0415

    parameters = with_world(parameters, store.data_dir, None if model is None else model.metadata.world)
    check_network(parameters, None if model is None else model.spec)
    seed = secrets.randbits(32) if parameters.seed is None else parameters.seed
    # As they will be read back, 0 becoming 0.0 where fractions are allowed: a resumed run is the same.
    fields = msgspec.to_builtins(parameters) | {"seed": seed}
    return RunPlan(new_run_id(), msgspec.convert(fields, TrainingParameters), resume=False, file=file)


def _check_model(name: str, parameters: TrainingParameters, models: ModelFolder) -> "Checkpoint":
    """Return the model that the run starts from, which must be usable."""
    # Here and not in the trainer, so that the sender of the name is answered before a run is announced.
    from hamlet_trio.agent.checkpoint import CheckpointError, load_checkpoint  # noqa: PLC0415

    try:
        loaded = load_checkpoint(models.resolve(name))
    except ModelNameError as error:
        raise _unknown(str(error)) from None
    except CheckpointError as error:
        raise BadMessageError(
            ErrorCode.UNUSABLE_MODEL, str(error), command=_COMMAND, field="resume_from"
        ) from None
    network_type = loaded.spec.network_type
    if parameters.network_type not in (network_type, _DEFAULTS.network_type):
        raise BadMessageError(
            ErrorCode.OUT_OF_RANGE,
            f"`network_type` of {name} is {network_type}; {parameters.network_type} was sent.",
            command=_COMMAND,
            field="network_type",
        )
    return loaded


def _plan_to_resume(
    run_id: str, parameters: TrainingParameters, store: RunStore, file: str | None
) -> RunPlan:
    try:
        record = store.find_resumable(run_id)
    except RunNotFoundError as error:
        raise _unknown(f"`resume_from` names no run that can be resumed: {error}") from None
    if file not in (None, record.file):
        raise BadMessageError(
            ErrorCode.OUT_OF_RANGE,
            f"`model` of a resumed run cannot be changed: it is {record.file}; {printable(file)} was sent.",
            command=_COMMAND,
            field="model",
        )
    own = record.parameters
    _check_unchanged(parameters, own)
    num_episodes = parameters.num_episodes
    given = own.num_episodes if num_episodes == _DEFAULTS.num_episodes else num_episodes
    if given < own.num_episodes:
        raise BadMessageError(
            ErrorCode.OUT_OF_RANGE,
            f"`num_episodes` of a resumed run can only be raised, from {own.num_episodes}; {given} was sent.",
            command=_COMMAND,
            field="num_episodes",
        )
    showing = {
        name: getattr(parameters, name)
        for name in Showing.__struct_fields__
        if getattr(parameters, name) != getattr(_DEFAULTS, name)
    }
    return RunPlan(run_id, msgspec.structs.replace(own, num_episodes=given, **showing), resume=True)


def _check_unchanged(parameters: TrainingParameters, own: TrainingParameters) -> None:
    for name in parameters.__struct_fields__:
        if name in ("num_episodes", "resume_from", *Showing.__struct_fields__):
            continue
        value, kept = getattr(parameters, name), getattr(own, name)
        if name in ("num_agents", "contention") and kept is None:
            kept = getattr(world_of(own).config, name)
        if value not in (kept, getattr(_DEFAULTS, name)):
            raise BadMessageError(
                ErrorCode.OUT_OF_RANGE,
                f"`{name}` of a resumed run cannot be changed: it is {kept}; {value} was sent. "
                "Leave it out, or start a new run from the model this one saved.",
                command=_COMMAND,
                field=name,
            )


def _unknown(sentence: str) -> BadMessageError:
    return BadMessageError(ErrorCode.UNKNOWN_CHECKPOINT, sentence, command=_COMMAND, field="resume_from")


def take_lock(lock: FileLock, command: str = _COMMAND) -> None:
    """Take the lock of training over a data folder. Does file I/O.

    Raises `BadMessageError` when another server trains over that folder, or it cannot be written to.
    """
    data_dir = lock.path.parent.resolve()
    try:
        lock.acquire()
    except LockedError:
        raise BadMessageError(
            ErrorCode.TRAINING_LOCKED,
            f"Another server trains over the data folder {data_dir}; wait for its run to end, "
            "or give this server a folder of its own (HAMLET_DATA_DIR).",
            command=command,
        ) from None
    except OSError as error:
        raise BadMessageError(
            ErrorCode.TRAINING_UNAVAILABLE,
            f"The data folder {data_dir} cannot be used: {error.strerror}.",
            command=command,
        ) from None
