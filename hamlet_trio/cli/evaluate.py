"""`hamlet evaluate`: how long a checkpoint's policy survives."""

from pathlib import Path
from typing import Annotated

import typer

from hamlet_trio.cli.errors import UserError
from hamlet_trio.cli.tables import console
from hamlet_trio.cli.world import find_world
from hamlet_trio.common.agents import MAX_AGENTS
from hamlet_trio.common.encoding import to_json
from hamlet_trio.settings import load_settings

_MOST_ROWS = 30


def evaluate(
    checkpoint: Annotated[str, typer.Argument(help="A file, or the name of a model in the models folder.")],
    *,
    episodes: Annotated[int, typer.Option(min=1, max=1_000_000, help="Episodes to play.")] = 10,
    epsilon: Annotated[float, typer.Option(min=0, max=1, help="Rate of random actions; 0 is greedy.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Truncate episodes after this.")] = None,
    random_start: Annotated[
        bool, typer.Option("--random-start", help="Begin episodes anywhere, with meters at random.")
    ] = False,
    world: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="World to play in; by default the one it was trained in."),
    ] = None,
    num_agents: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_AGENTS, help="Agents in the world, in place of its own number."),
    ] = None,
    contention: Annotated[
        bool | None,
        typer.Option(help="Whether each place serves one agent a step, in place of its own rule."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """Play episodes with a checkpoint's policy, in worlds of its own, and print how long it survived.

    From the fixed start a greedy policy plays the same episode every time; --epsilon or --random-start
    makes them differ.
    """
    import msgspec
    import torch
    from rich.table import Table

    from hamlet_trio.agent.checkpoint import CheckpointError, load_checkpoint
    from hamlet_trio.agent.evaluation import evaluate as play
    from hamlet_trio.agent.policy import Policy
    from hamlet_trio.common.text import printable
    from hamlet_trio.protocol.world_info import with_company
    from hamlet_trio.world.world_file import World

    torch.set_num_threads(1)
    try:
        loaded = load_checkpoint(find_checkpoint(checkpoint))
        chosen = World(config=loaded.world_config()) if world is None else find_world(world)
        config = with_company(chosen, num_agents, contention, "evaluate").config
        result = play(
            Policy.from_checkpoint(loaded),
            config,
            episodes=episodes,
            seed=seed,
            epsilon=epsilon,
            max_steps=max_steps,
            random_start=random_start,
        )
    except msgspec.ValidationError as error:
        raise UserError(f"{checkpoint} names an unusable world: {printable(error, 200)}.") from error
    except (CheckpointError, ValueError) as error:
        raise UserError(str(error)) from error
    if as_json:
        facts = {"checkpoint": checkpoint, "network_type": loaded.metadata.network_type}
        print(to_json(facts | msgspec.to_builtins(result)).decode())
        return
    table = Table(title=f"{checkpoint} ({loaded.metadata.network_type})")
    agents = config.num_agents
    for column in ("episode", *(["agent"] if agents > 1 else []), "survived", "return", "ended by"):
        table.add_column(column, justify="left" if column in ("agent", "ended by") else "right")
    for index, row in enumerate(result.episodes[:_MOST_ROWS]):
        episode, agent = divmod(index, agents)
        whose = [str(episode + 1), *([f"agent_{agent}"] if agents > 1 else [])]
        reason = (row.failure_reason or "reaching the last step").replace("_", " ")
        table.add_row(*whose, str(row.length), f"{row.episode_return:.1f}", reason)
    out = console()
    out.print(table)
    if len(result.episodes) > _MOST_ROWS:
        out.print(f"and {len(result.episodes) - _MOST_ROWS} more; --json prints them all")
    out.print(f"mean: {result.mean_length:.1f} steps survived, return {result.mean_return:.1f}")


def find_checkpoint(name: str) -> Path:
    """Return the file of this name, else the model of this name in the models folder."""
    from hamlet_trio.agent.models import ModelFolder, ModelNameError

    path = Path(name)
    if path.exists():
        return path
    settings = load_settings()
    try:
        return ModelFolder.of(models_dir=settings.models_dir, data_dir=settings.data_dir).resolve(name)
    except ModelNameError:
        raise UserError(
            f"There is no file {name}, and no such model in {settings.models_dir}; "
            "`hamlet models` lists those there."
        ) from None
