"""`hamlet train`: a training run without a server."""

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from hamlet_trio.cli.errors import UserError
from hamlet_trio.cli.options import with_training_options
from hamlet_trio.cli.world import find_world
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import load_settings

_HANGUP: Final[signal.Signals | None] = getattr(signal, "SIGHUP", None)  # Windows has none

OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="File of the model; without, one of the run's own in the data folder, or a resumed run's.",
    ),
]
ResumeOption = Annotated[
    str | None,
    typer.Option("--resume", metavar="RUN|MODEL", help="Go on with an interrupted run, or from a model."),
]
SnapshotsOption = Annotated[
    str,
    typer.Option(
        "--snapshots",
        metavar="N,N,...",
        help="Also keep the model as it is after these episodes, as checkpoint_epN.pt beside --out.",
    ),
]
WorldOption = Annotated[
    str | None,
    typer.Option(
        "--world", metavar="NAME|FILE", help="World to train in: a name, or a file in TOML or JSON."
    ),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace --out and its snapshots if they are there.")
]
DeviceOption = Annotated[str | None, typer.Option("--device", help="auto, cpu or cuda [HAMLET_DEVICE].")]
TensorBoardOption = Annotated[
    bool | None,
    typer.Option(
        "--tensorboard/--no-tensorboard",
        help="Write event files for TensorBoard into the data folder [HAMLET_TENSORBOARD].",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object a line: each episode, then the ending.")
]


@with_training_options
def train(
    parameters: dict[str, Any],
    *,
    out: OutOption = None,
    resume: ResumeOption = None,
    world: WorldOption = None,
    snapshots: SnapshotsOption = "",
    overwrite: OverwriteOption = False,
    device: DeviceOption = None,
    tensorboard: TensorBoardOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train an agent and save it as a model.

    Ctrl-C saves what was learnt and ends; the last line then says how to go on.
    """
    settings = load_settings(device=device, tensorboard=tensorboard)
    if resume is not None:
        parameters = parameters | {"resume_from": resume}
    if world is not None:
        from hamlet_trio.world.world_file import as_fields

        parameters = parameters | {"world": as_fields(find_world(world))}
    import torch

    from hamlet_trio.cli.train_report import JsonReport, ProgressReport
    from hamlet_trio.history import HistoryDatabase, history_path
    from hamlet_trio.training.local_run import DivergedError, SaveError, StartError, train_to_file

    torch.set_num_threads(1)
    try:
        with closing(JsonReport() if as_json else ProgressReport()) as report, _interruption() as should_stop:
            train_to_file(
                msgspec.convert(parameters, TrainingParameters),
                settings,
                out=out,
                snapshots=_episodes(snapshots),
                overwrite=overwrite,
                history=HistoryDatabase(history_path(settings)),
                listener=report,
                should_stop=should_stop,
            )
    except (StartError, SaveError, DivergedError) as error:
        raise UserError(str(error)) from error


def _episodes(text: str) -> set[int]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() for part in parts):
        raise UserError(f"--snapshots {text}: give episodes as numbers with commas between, such as 50,455.")
    return {int(part) for part in parts}


@contextmanager
def _interruption() -> Iterator["Interruption"]:
    """Have Ctrl-C, SIGTERM and a closed terminal ask for the end within the block, between two steps.

    A second Ctrl-C raises `KeyboardInterrupt`, as always. SIGHUP stays ignored where it is, as under nohup.
    """
    interruption = Interruption()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if _HANGUP is not None and signal.getsignal(_HANGUP) is not signal.SIG_IGN:
        numbers.append(_HANGUP)
    previous = {number: signal.signal(number, interruption.request) for number in numbers}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class Interruption:
    """Record whether the run was asked to end."""

    def __init__(self) -> None:
        self._requested = False

    def __call__(self) -> bool:
        return self._requested

    def request(self, number: int, frame: object) -> None:
        """Handle the signal."""
        if self._requested and number != _HANGUP:
            raise KeyboardInterrupt
        self._requested = True
