"""The world of a run: chosen by name or as an object, else that of the model it starts from."""

from pathlib import Path
from typing import Any

import msgspec

from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.protocol.world_info import MAX_SIDE
from hamlet_trio.world import WorldConfig
from hamlet_trio.world.library import UnknownWorldError, WorldLibrary, worlds_path
from hamlet_trio.world.world_file import World, WorldError, as_fields, make_world

_COMMAND = "start_training"


def with_world(
    parameters: TrainingParameters, data_dir: Path, model_world: dict[str, Any] | None = None
) -> TrainingParameters:
    """Return the parameters with their world as an object, which stays what it is when a file changes.

    Names stand for presets and for worlds of the data folder; `model_world` is the configuration of the model
    that the run starts from. Does file I/O.

    Raises `BadMessageError` for a world that is unknown, not allowed, or not one that a run can take.
    """
    try:
        world = _chosen(parameters.world, data_dir, model_world)
    except UnknownWorldError as error:
        raise _refused(ErrorCode.UNKNOWN_WORLD, str(error), "world") from None
    except WorldError as error:
        field = f"world.{error.field}" if error.field else "world"
        raise _refused(ErrorCode.INVALID_WORLD, str(error), field) from None
    if world is None:
        return parameters
    config = world.config
    for side in ("width", "height"):
        if getattr(config, side) > MAX_SIDE:
            sentence = f"`world.{side}` is {getattr(config, side)}; a run takes at most {MAX_SIDE}."
            raise _refused(ErrorCode.OUT_OF_RANGE, sentence, f"world.{side}")
    if config.num_agents != 1:
        sentence = f"`world.num_agents` is {config.num_agents}; a run trains one agent."
        raise _refused(ErrorCode.OUT_OF_RANGE, sentence, "world.num_agents")
    fields = as_fields(world)
    return msgspec.structs.replace(parameters, world=fields or None)


def world_of(parameters: TrainingParameters) -> World:
    """Return the world of a planned run, whose `world` is None or an object. Raises `WorldError`."""
    assert not isinstance(parameters.world, str), "the plan put an object in place of the name"
    return World() if parameters.world is None else make_world(parameters.world)


def _chosen(chosen: object, data_dir: Path, model_world: dict[str, Any] | None) -> World | None:
    if isinstance(chosen, str):
        return WorldLibrary(worlds_path(str(data_dir))).get(chosen)
    if chosen is not None:
        return make_world(chosen)
    if model_world is None:
        return None
    try:
        return World(config=msgspec.convert(model_world, WorldConfig))
    except msgspec.ValidationError as error:
        raise WorldError(f"The model's own world cannot be used: {error}.") from None


def _refused(code: ErrorCode, sentence: str, field: str) -> BadMessageError:
    return BadMessageError(code, sentence, command=_COMMAND, field=field)
