"""The parameters of a training run: one struct for the wire, the command line and the trainer."""

from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

import msgspec
from msgspec import Meta, Struct

from hamlet_trio.agent.names import NetworkType
from hamlet_trio.common.agents import MAX_AGENTS
from hamlet_trio.protocol.world_info import WorldField, with_company

if TYPE_CHECKING:
    from hamlet_trio.world import WorldConfig
    from hamlet_trio.world.world_file import World

__all__ = [
    "NetworkType",
    "NetworkTypeOfModel",
    "RewardName",
    "Show",
    "ShowEvery",
    "Showing",
    "StepDelay",
    "TrainingParameters",
    "config_of",
    "world_of",
]

Show = Annotated[
    Literal["live", "showcase"],
    Meta(
        description="live: a shown episode is learnt at the pace of `step_delay`; "
        "showcase: it is played at that pace beside a learner at full speed"
    ),
]
ShowEvery = Annotated[int, Meta(ge=1, le=100_000, description="show one in this many episodes")]
StepDelay = Annotated[float, Meta(ge=0, le=10, description="seconds between the steps of a shown episode")]
MAX_STREAMS: Final = 64
"""Agents of all worlds of a run together, at most; each is a stream of steps for the learner."""

RewardName = Literal["shaped", "survival"]
NetworkTypeOfModel = Annotated[NetworkType, Meta(description="type of the Q-network")]


class Showing(Struct, frozen=True):
    """How a run shows its episodes: the parameters that do not change what is learnt."""

    show: Show
    show_every: ShowEvery
    step_delay: StepDelay


class TrainingParameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of a training run, with their defaults and limits."""

    num_episodes: Annotated[int, Meta(ge=1, le=100_000, description="episodes to train for")] = 100
    batch_size: Annotated[int, Meta(ge=1, le=4096, description="transitions in one gradient step")] = 32
    buffer_capacity: Annotated[
        int, Meta(ge=100, le=1_000_000, description="transitions the replay buffer holds")
    ] = 10_000
    show_every: ShowEvery = 5
    step_delay: StepDelay = 0.2
    network_type: Annotated[NetworkType, Meta(description="which Q-network learns")] = "options"
    learning_rate: Annotated[float, Meta(ge=1e-7, le=1, description="step size of the optimiser")] = 1e-3
    gamma: Annotated[float, Meta(ge=0, le=1, description="discount of future reward")] = 0.98
    seed: Annotated[
        Annotated[int, Meta(ge=0, le=2**32 - 1)] | None,
        Meta(description="seed of all random numbers; without it, one is chosen and reported"),
    ] = None
    checkpoint_every: Annotated[
        int, Meta(ge=1, le=100_000, description="episodes between two checkpoints")
    ] = 50
    max_steps: Annotated[
        int, Meta(ge=1, le=100_000, description="number of steps after which an episode is truncated")
    ] = 500
    num_envs: Annotated[
        int,
        Meta(ge=1, le=32, description="number of worlds the agent learns in at once; the first one is shown"),
    ] = 1
    random_start: Annotated[
        float, Meta(ge=0, le=1, description="share of episodes that begin anywhere, with meters at random")
    ] = 0.75
    num_agents: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_AGENTS)] | None,
        Meta(description="agents in each world, which learn together; null: as many as the world says"),
    ] = None
    contention: Annotated[
        bool | None,
        Meta(description="whether an affordance serves one agent a step; null: as the world says"),
    ] = None
    world: WorldField = None
    show: Show = "live"
    resume_from: Annotated[
        Annotated[str, Meta(min_length=1, max_length=255)] | None,
        Meta(description="id of an interrupted run, or name of a model, to go on from"),
    ] = None

    @property
    def showing(self) -> Showing:
        """How its episodes are shown, which may change while the run is on."""
        return Showing(self.show, self.show_every, self.step_delay)

    def shown_in(self, showing: Showing) -> Self:
        """Return these parameters with another way of showing."""
        return msgspec.structs.replace(self, **msgspec.structs.asdict(showing))

    def __post_init__(self) -> None:
        """Check what one field allows another; msgspec turns the ValueError into its ValidationError."""
        if self.num_envs * (self.num_agents or 1) > MAX_STREAMS:
            raise ValueError(
                f"`num_envs` times num_agents must not exceed {MAX_STREAMS}; "
                f"{self.num_envs} times {self.num_agents} was sent."
            )
        if self.batch_size > self.buffer_capacity:
            raise ValueError(
                f"`batch_size` must not exceed buffer_capacity ({self.buffer_capacity}); "
                f"{self.batch_size} was sent."
            )


def world_of(parameters: TrainingParameters) -> "World":
    """Return the world of a planned run, whose `world` is None or an object, with its number of agents.

    Raises `WorldError`.
    """
    from hamlet_trio.world.world_file import World, make_world  # noqa: PLC0415 - imports numpy

    assert not isinstance(parameters.world, str), "the plan put an object in place of the name"
    world = World() if parameters.world is None else make_world(parameters.world)
    return with_company(world, parameters.num_agents, parameters.contention, "start_training")


def config_of(parameters: TrainingParameters) -> "WorldConfig":
    """Return the configuration in which a planned run trains: that of its world, with its `max_steps`.

    What is left at its default does not count as given: then a world's own `max_steps` holds. Raises
    `WorldError`.
    """
    config = world_of(parameters).config
    if parameters.max_steps == TrainingParameters().max_steps:
        return config
    return msgspec.structs.replace(config, max_steps=parameters.max_steps)
