"""`hamlet train`: a training run without a server."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from hamlet_trio.cli.errors import UserError
from hamlet_trio.cli.options import with_training_options
from hamlet_trio.protocol.parameters import TrainingParameters
from hamlet_trio.settings import load_settings

if TYPE_CHECKING:
    from hamlet_trio.cli.train_report import Report

OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="File of the model; trained_agent.pt in the models folder, or where a resumed run had it.",
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
    snapshots: SnapshotsOption = "",
    device: DeviceOption = None,
    tensorboard: TensorBoardOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train an agent and save it as a model.

    Ctrl-C saves what was learnt and ends; the last line then says how to go on.
    """
    settings = load_settings(device=device, tensorboard=tensorboard)
    models_dir = Path(settings.models_dir)
    if resume is not None:
        parameters = parameters | {"resume_from": resume}
    import torch

    from hamlet_trio.cli.train_report import JsonReport, ProgressReport
    from hamlet_trio.history import HistoryDatabase, history_path
    from hamlet_trio.recording.folder import RecordingFolder
    from hamlet_trio.training.local_run import DivergedError, SaveError, StartError, train_to_file

    torch.set_num_threads(1)
    report: Report = JsonReport() if as_json else ProgressReport()
    try:
        with report, _interruption() as should_stop:
            result = train_to_file(
                msgspec.convert(parameters, TrainingParameters),
                out,
                data_dir=Path(settings.data_dir),
                models_dir=models_dir,
                device=settings.device,
                snapshots=_episodes(snapshots),
                tensorboard=settings.tensorboard,
                history=HistoryDatabase(history_path(settings)),
                recordings=RecordingFolder.of(settings),
                record_every=settings.record_every,
                on_start=report.on_start,
                on_episode=report.on_episode,
                on_save_problem=report.on_problem,
                on_history_problem=report.on_problem,
                on_recording_problem=report.on_problem,
                on_tensorboard_problem=report.on_problem,
                should_stop=should_stop,
            )
    except (StartError, SaveError, DivergedError) as error:
        raise UserError(str(error)) from error
    report.on_end(result)


def _episodes(text: str) -> set[int]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() for part in parts):
        raise UserError(f"--snapshots {text}: give episodes as numbers with commas between, such as 50,455.")
    return {int(part) for part in parts}


@contextmanager
def _interruption() -> Iterator["Interruption"]:
    """Within the block Ctrl-C and SIGTERM ask for the end instead of tearing the run apart.

    A second Ctrl-C does what it always does.
    """
    interruption = Interruption()
    previous = {
        number: signal.signal(number, interruption.request) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class Interruption:
    """Whether the run was asked to end."""

    def __init__(self) -> None:
        self._requested = False

    def __call__(self) -> bool:
        return self._requested

    def request(self, number: int, frame: object) -> None:
        """The signal handler."""
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True
