"""The world of a run: chosen by name or as an object, else that of the model it starts from."""

from pathlib import Path
from typing import Any

import msgspec

from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.protocol.world_info import find_world
from hamlet_trio.world import WorldConfig
from hamlet_trio.world.library import WorldLibrary, worlds_path
from hamlet_trio.world.world_file import World, as_fields, make_world

_COMMAND = "start_training"


def with_world(
    parameters: TrainingParameters, data_dir: Path, model_world: dict[str, Any] | None = None
) -> TrainingParameters:
    """Return the parameters with their world as an object, which stays what it is when a file changes.

    Names stand for presets and for worlds of the data folder; `model_world` is the configuration of the model
    that the run starts from. Does file I/O.

    Raises `BadMessageError` for a world that is unknown, not allowed, or not one that a run can take.
    """
    chosen = parameters.world
    if chosen is None and model_world is None:
        return parameters
    if chosen is None:
        try:
            world = World(config=msgspec.convert(model_world, WorldConfig))
        except msgspec.ValidationError as error:
            sentence = f"The model's own world cannot be used: {error}."
            raise BadMessageError(
                ErrorCode.INVALID_WORLD, sentence, command=_COMMAND, field="resume_from"
            ) from None
    else:
        world = find_world(chosen, WorldLibrary(worlds_path(str(data_dir))), _COMMAND)
    return msgspec.structs.replace(parameters, world=as_fields(world) or None)


def world_of(parameters: TrainingParameters) -> World:
    """Return the world of a planned run, whose `world` is None or an object. Raises `WorldError`."""
    assert not isinstance(parameters.world, str), "the plan put an object in place of the name"
    return World() if parameters.world is None else make_world(parameters.world)
