"""The world of a run: chosen by name or as an object, else that of the model it starts from."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from hamlet_trio.agent.names import NETWORK_TYPES
from hamlet_trio.protocol.errors import BadMessageError, ErrorCode
from hamlet_trio.protocol.parameters import MAX_STREAMS, TrainingParameters, world_of
from hamlet_trio.protocol.world_info import find_world, with_company
from hamlet_trio.world import ConfigError, WorldConfig
from hamlet_trio.world.checks import check_sizes
from hamlet_trio.world.library import WorldLibrary, worlds_path
from hamlet_trio.world.world_file import World, as_fields

if TYPE_CHECKING:
    from hamlet_trio.agent.networks import NetworkSpec

_COMMAND: Final = "start_training"


def with_world(
    parameters: TrainingParameters, data_dir: Path, model_world: dict[str, Any] | None = None
) -> TrainingParameters:
    """Return the parameters with their world as an object, which stays what it is when a file changes.

    Names stand for presets and for worlds of the data folder; `model_world` is the configuration of the model
    that the run starts from. Does file I/O.

    Raises `BadMessageError` for a world that is unknown, not allowed, or not one that a run can take.
    """
    chosen, world = parameters.world, World()
    company = parameters.num_agents, parameters.contention
    if chosen is None and model_world is None and company == (None, None):
        return parameters
    if chosen is not None:
        world = find_world(chosen, WorldLibrary(worlds_path(str(data_dir))), _COMMAND)
    elif model_world is not None:
        try:
            world = World(config=msgspec.convert(model_world, WorldConfig))
        except msgspec.ValidationError as error:
            sentence = f"The model's own world cannot be used: {error}."
            raise BadMessageError(
                ErrorCode.INVALID_WORLD, sentence, command=_COMMAND, field="resume_from"
            ) from None
    world = with_company(world, *company, _COMMAND)
    config = world.config
    try:
        check_sizes(msgspec.structs.asdict(config))
    except ConfigError as error:
        field = error.field if error.field == "num_agents" else "resume_from"
        sentence = f"The model's own world cannot be used: {error}."
        raise BadMessageError(ErrorCode.OUT_OF_RANGE, sentence, command=_COMMAND, field=field) from None
    if parameters.num_envs * config.num_agents > MAX_STREAMS:
        most = MAX_STREAMS // config.num_agents
        raise _refusal("num_envs", f"must be at most {most} with {config.num_agents} agents in each world.")
    if config.num_agents > 1 or company != (None, None):
        # In force, so that viewers, records and a resumption see them.
        parameters = msgspec.structs.replace(
            parameters, num_agents=config.num_agents, contention=config.contention
        )
    return msgspec.structs.replace(parameters, world=as_fields(world) or None)


def check_network(parameters: TrainingParameters, spec: "NetworkSpec | None") -> None:
    """Check that the network of a run can read its world; `spec` is that of the model it starts from, if any.

    Raises `BadMessageError`.
    """
    config = world_of(parameters).config
    if spec is not None:
        if not spec.fits(config):
            why = spec.misfit(str(parameters.resume_from), config)
            sentence = f"{why} Leave out `resume_from` to train a new agent there."
            raise BadMessageError(ErrorCode.UNUSABLE_MODEL, sentence, command=_COMMAND, field="resume_from")
        return
    network_type = parameters.network_type
    if network_type == "options" and not config.affordances:
        others = ", ".join(name for name in NETWORK_TYPES if name != network_type)
        rule = f"must be one of {others} in a world without places: options are walks to places."
        raise _refusal("network_type", rule)


def _refusal(field: str, rule: str) -> BadMessageError:
    return BadMessageError(ErrorCode.OUT_OF_RANGE, f"`{field}` {rule}", command=_COMMAND, field=field)
