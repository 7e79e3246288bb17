"""`hamlet sweep`: the same lesson with several seeds, settings and worlds."""

import re
import tomllib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from hamlet_trio.cli.errors import UserError
from hamlet_trio.cli.runs import JsonOption
from hamlet_trio.cli.world import find_world
from hamlet_trio.common.descriptions import allowed
from hamlet_trio.common.text import printable, readable
from hamlet_trio.common.written_text import WrittenTextError, read_toml
from hamlet_trio.protocol.sweeps import SweepParameters
from hamlet_trio.settings import load_settings

if TYPE_CHECKING:
    from hamlet_trio.training.sweep.sweep_store import SweepStore

sweep = typer.Typer(
    invoke_without_command=True,
    help="Train with several seeds, settings and worlds at once, and compare them.",
)


@sweep.callback()
def run_sweep(
    context: typer.Context,
    *,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="N-N,N,...", help="Seeds, a trial for each.", show_default="0-4"),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE,...",
            help="A training parameter, with the values to try; may be given several times.",
        ),
    ] = None,
    episodes: Annotated[
        int | None, typer.Option(help="Episodes of each trial: short for --set num_episodes=.")
    ] = None,
    worlds: Annotated[
        list[str] | None,
        typer.Option("--world", metavar="NAME|FILE", help="A world to try; may be given several times."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="TOML file with seeds, settings, worlds and jobs; options take precedence."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=256, help="Trials at once.", show_default="as many as cores")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="auto|HOST:PORT",
            help="Train on the Ray cluster of this machine, or at that address [HAMLET_RAY_ADDRESS].",
        ),
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda [HAMLET_DEVICE].")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line: each change, then the ending.")
    ] = False,
) -> None:
    """Train with several seeds, settings and worlds, each in a process of its own, and compare them.

    Ctrl-C saves the trials under way and ends; the same command then makes those that are missing. On a Ray
    cluster those under way begin again.
    """
    if context.invoked_subcommand is not None:
        return
    given = {} if file is None else read_sweep_file(file)
    if seeds is not None or "seeds" not in given:
        given["seeds"] = seeds or "0-4"
    chosen = dict(map(_setting, settings or [])) | ({} if episodes is None else {"num_episodes": [episodes]})
    given["settings"] = as_lists(given.get("settings", {})) | chosen
    if worlds:
        given["worlds"] = worlds
    if jobs is not None:
        given["jobs"] = jobs
    parameters = parameters_of(given)
    from hamlet_trio.cli.sweep_report import JsonSweepReport, ProgressSweepReport
    from hamlet_trio.logs import configure_logging
    from hamlet_trio.training.sweep.local_sweep import train_sweep
    from hamlet_trio.training.sweep.ray_cluster import RayClusterError
    from hamlet_trio.training.sweep.sweep_run import SweepStartError

    own = load_settings(device=device, ray_address=ray)
    configure_logging(msgspec.structs.replace(own, log_level="warning"))  # reports tell the rest
    try:
        with closing(JsonSweepReport() if as_json else ProgressSweepReport()) as report:
            status = train_sweep(parameters, own, listener=report)
    except (SweepStartError, RayClusterError) as error:
        raise UserError(str(error)) from error
    if any(trial.state == "failed" for trial in status.trials):
        raise typer.Exit(1)


@sweep.command()
def show(
    sweep_id: Annotated[
        str | None, typer.Argument(help="A sweep's id; default: the newest sweep.", show_default=False)
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show how the trials of a sweep compare."""
    from hamlet_trio.cli.sweep_report import as_plain, print_result
    from hamlet_trio.common.encoding import to_json
    from hamlet_trio.training.sweep.sweep_store import SweepNotFoundError

    store = _store()
    ids = store.sweep_ids()
    if sweep_id is None and not ids:
        raise UserError("There is no sweep yet; `hamlet sweep` makes one.")
    try:
        record = store.read(ids[0] if sweep_id is None else sweep_id)
    except SweepNotFoundError as error:
        raise UserError(str(error)) from error
    record = msgspec.structs.replace(record, state=store.state_of(record))
    if as_json:
        print(to_json(as_plain(record)).decode())
    else:
        print_result(record.sweep_id, record.state, record.told())


@sweep.command("list")
def list_sweeps(*, as_json: JsonOption = False) -> None:
    """List the sweeps of the data folder, newest first."""
    from rich.table import Table

    from hamlet_trio.cli.tables import console
    from hamlet_trio.common.encoding import to_json
    from hamlet_trio.training.sweep.sweep_store import SweepNotFoundError

    store, rows = _store(), []
    for sweep_id in store.sweep_ids():
        try:
            record = store.read(sweep_id)
        except SweepNotFoundError:
            continue  # of a newer version, or damaged: `show` says which
        complete = sum(trial.state == "complete" for trial in record.told())
        rows.append(
            {
                "sweep_id": sweep_id,
                "state": store.state_of(record),
                "trials": len(record.trials),
                "complete": complete,
            }
        )
    if as_json:
        print(to_json({"sweeps": rows}).decode())
        return
    if not rows:
        print("There is no sweep yet.")
        return
    table = Table("sweep", "state")
    for column in ("trials", "complete"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*map(str, row.values()))
    console().print(table)


def parameters_of(given: dict[str, Any]) -> SweepParameters:
    """Return the parameters of a sweep as a file gives them, `settings` as lists. Raises `UserError`."""
    if isinstance(given.get("seeds"), str):
        given["seeds"] = _seeds(given["seeds"])
    if isinstance(given.get("worlds"), list):
        given["worlds"] = [_world(world) for world in given["worlds"]]
    try:
        return msgspec.convert(given, SweepParameters)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$.")
        name = re.split(r"[.\[`]", place)[0]
        known = name in SweepParameters.__struct_fields__
        if unknown := re.match(r"Object contains unknown field `(.*)`$", reason, re.DOTALL):
            reason = f"a sweep's file has no `{printable(unknown[1])}`"
        words = f"`{name}` must be {allowed(SweepParameters, name)}." if known else f"{reason}."
        raise UserError(f"The sweep cannot be planned: {words}") from error


def _store() -> "SweepStore":
    from hamlet_trio.training.sweep.sweep_store import SweepStore

    return SweepStore(Path(load_settings().data_dir))


def read_sweep_file(file: Path) -> dict[str, Any]:
    """Return the table of a sweep's TOML file. Raises `UserError`."""
    try:
        return read_toml(file.read_bytes())
    except OSError as error:
        raise UserError(f"{readable(file)} cannot be read: {error.strerror}.") from error
    except WrittenTextError as error:
        raise UserError(f"{readable(file)} cannot be read: {error}.") from error


def _seeds(text: str) -> list[int]:
    """Return the seeds of "0-4,7"."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UserError(f"--seeds {text}: give numbers and ranges with commas between, such as 0-4,7.")
        # No longer than a sweep may be, whatever range was typed.
        found += range(int(first), min(int(last or first), int(first) + 10_000) + 1)
    return found


def _setting(text: str) -> tuple[str, list[Any]]:
    name, equals, values = text.partition("=")
    if not equals or not values.strip():
        raise UserError(f"--set {text}: give a parameter and its values, such as learning_rate=0.001,0.0003.")
    return name.strip().replace("-", "_"), [_value(part.strip()) for part in values.split(",")]


def _value(text: str) -> Any:
    """Return a value as TOML reads it, such as 3, 1e-3 or true; anything else is text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def as_lists(settings: Any) -> dict[str, list[Any]]:
    """Return the settings of a sweep's file with a list of values for each. Raises `UserError`."""
    if not isinstance(settings, dict):
        raise UserError("`settings` of the sweep's file must be a table, such as [settings].")
    return {name: value if isinstance(value, list) else [value] for name, value in settings.items()}


def _world(world: Any) -> Any:
    """Return a world's name, or the fields of a world's file."""
    if not isinstance(world, str) or not world.endswith((".toml", ".json")):
        return world
    from hamlet_trio.world.world_file import as_fields

    return as_fields(find_world(world))
