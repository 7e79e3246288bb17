"""What is told of a model without loading it."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from hamlet_trio.agent.stages import ModelStage


class ModelDetails(Struct, frozen=True, kw_only=True):
    """One model. Of a file that cannot be read, only its name, size and time are known."""

    name: Annotated[str, Meta(description="file name of the model")]
    size_bytes: Annotated[int, Meta(description="size of the file")]
    modified: Annotated[str, Meta(description="when the file was written; ISO 8601, UTC")]
    source: Annotated[
        Literal["shipped", "run"],
        Meta(description="`shipped`: a file of the models folder; `run`: what a run saved"),
    ] = "shipped"
    is_default: Annotated[bool, Meta(description="whether a new session begins with it, if it can")] = False
    same_as: Annotated[
        str | None,
        Meta(description="of `trained_agent.pt` and `shipped_agent.pt`: another model with its content"),
    ] = None
    given_name: Annotated[str | None, Meta(description="name that a person gave to it, for people")] = None
    stage: Annotated[
        ModelStage | None,
        Meta(description="what it can do, by its evaluation; null for a model that was not evaluated"),
    ] = None
    sha256: Annotated[str | None, Meta(description="SHA-256 of the file, in hexadecimal")] = None
    network_type: Annotated[str | None, Meta(description="type of the Q-network")] = None
    world_digest: Annotated[
        str | None, Meta(description="digest of the rules of the world it was trained in; null if unknown")
    ] = None
    episode: Annotated[int | None, Meta(description="number of episodes it was trained for")] = None
    seed: Annotated[int | None, Meta(description="seed of the run that trained it")] = None
    evaluation: Annotated[
        dict[str, Any] | None, Meta(description="figures of its greedy evaluation, by name")
    ] = None
    evaluation_random: Annotated[dict[str, Any] | None, Meta(description="the same from random starts")] = (
        None
    )
    title: Annotated[str | None, Meta(description="title for people")] = None
    story: Annotated[str | None, Meta(description="how it came about, for people")] = None
    watch_for: Annotated[str | None, Meta(description="behaviour worth watching for")] = None
    command: Annotated[str | None, Meta(description="command that trained it")] = None
    error: Annotated[str | None, Meta(description="why the file cannot be read, in one sentence")] = None
