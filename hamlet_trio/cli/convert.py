"""Implement `hamlet convert`, which exchanges models with other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hamlet_trio.cli.errors import UserError
from hamlet_trio.cli.evaluate import find_checkpoint
from hamlet_trio.cli.world import find_world

if TYPE_CHECKING:
    from hamlet_trio.agent.checkpoint import Checkpoint
    from hamlet_trio.world import WorldConfig


def convert(
    source: Annotated[
        str,
        typer.Argument(help="A model's file or name, or a file with the state dict of a plain perceptron."),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            help="The file to write: .onnx, .zip for stable-baselines3's DQN.load, or .pt for a model."
        ),
    ],
    *,
    world: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="World of a perceptron; a model brings its own."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title of a model that is written.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it is there.")] = False,
) -> None:
    """Convert a model to ONNX or stable-baselines3, or a perceptron saved from torch to a model.

    What is written gives the same Q-values: they are compared first, for 256 situations.
    """
    import msgspec
    import torch

    from hamlet_trio.agent.checkpoint import CheckpointError
    from hamlet_trio.common.text import printable
    from hamlet_trio.exchange.comparison import ExchangeError

    torch.set_num_threads(1)
    if out.exists() and not overwrite:
        raise UserError(f"{out} is there already; name another file, or add --overwrite.")
    chosen = None if world is None else find_world(world).config
    try:
        checkpoint, config = _read(find_checkpoint(source), chosen)
        difference = _write(checkpoint, config, out, title)
    except msgspec.ValidationError as error:
        raise UserError(f"{source} names an unusable world: {printable(error, 200)}.") from error
    except (CheckpointError, ExchangeError) as error:
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}.") from error
    print(f"{out}: the same Q-values as {source}, to {difference:.1g} at most.")


def _read(path: Path, world: "WorldConfig | None") -> "tuple[Checkpoint, WorldConfig]":
    """Return the model or perceptron in a file, and the world that it is for."""
    from hamlet_trio.agent.checkpoint import CheckpointError, load_checkpoint
    from hamlet_trio.exchange.comparison import ExchangeError
    from hamlet_trio.exchange.plain_torch import holds_weights_alone, read_perceptron

    try:
        checkpoint = load_checkpoint(path)
    except CheckpointError as no_model:
        try:
            perceptron = read_perceptron(path, world)
        except ExchangeError as error:
            raise ExchangeError(f"{no_model} As a perceptron: {error}") from error
        return perceptron, perceptron.world_config()
    config = world or checkpoint.world_config()
    is_read = world is None and checkpoint.spec.observation_size == config.observation_size
    if not is_read and holds_weights_alone(path):  # whose names happen to be ours
        return read_perceptron(path, config), config
    if world is not None:
        raise UserError(f"{path} is a model, which brings its own world; leave out --world.")
    return checkpoint, config


def _write(checkpoint: "Checkpoint", config: "WorldConfig", out: Path, title: str | None) -> float:
    """Write the file that the suffix names; return the largest difference of Q-values."""
    match out.suffix:
        case ".onnx":
            from hamlet_trio.exchange.onnx_file import write_onnx

            return write_onnx(checkpoint, out, config)
        case ".zip":
            from hamlet_trio.exchange.stable_baselines import write_stable_baselines

            return write_stable_baselines(checkpoint, out, config)
        case ".pt":
            from hamlet_trio.exchange.checkpoint_file import write_checkpoint

            return write_checkpoint(checkpoint, out, config, title)
        case _:
            raise UserError(f"{out} names no known form: end it with .onnx, .zip or .pt.")
