"""`hamlet replay`: list recordings, check them, and make films of them."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hamlet_trio.cli.errors import UserError
from hamlet_trio.cli.tables import console
from hamlet_trio.common.agents import AgentId
from hamlet_trio.common.text import printable
from hamlet_trio.settings import load_settings

if TYPE_CHECKING:
    from hamlet_trio.recording.file import Recording
    from hamlet_trio.recording.info import RecordingInfo

_MOST_ROWS = 50
_KINDS = {"interaction": "uses", "critical": "turns critical:", "end": "ends:"}

RecordingArgument = Annotated[
    str | None,
    typer.Argument(
        help="Id of a recording in the data folder, or its file; without, those there are listed."
    ),
]
VideoOption = Annotated[
    Path | None,
    typer.Option("--video", help="Make a film: a file ending in .mp4, .webm or .gif.", show_default=False),
]
SpeedOption = Annotated[
    float, typer.Option("--speed", min=0.1, max=6, help="Of the film, as a multiple of 10 steps a second.")
]


AgentOption = Annotated[
    AgentId | None,
    typer.Option("--agent", help="Follow this one of several agents, instead of showing all alike."),
]


def replay(
    recording: RecordingArgument = None,
    *,
    video: VideoOption = None,
    speed: SpeedOption = 1.0,
    agent: AgentOption = None,
) -> None:
    """Play a recorded episode out again, check that it is the same, and make a film of it.

    Without --video it prints what happened when. Ctrl-C ends a film that is being made and leaves no file.
    """
    from hamlet_trio.recording.file import RecordingError

    if recording is None:
        _list()
        return
    try:
        loaded = _load(recording)
        if video is None:
            loaded.play()
            _print_markers(loaded.info)
        else:
            _film(loaded, video, speed, agent)
    except RecordingError as error:
        raise UserError(str(error)) from error


def _load(name: str) -> "Recording":
    from hamlet_trio.recording.file import RecordingError, read_recording
    from hamlet_trio.recording.folder import RecordingFolder

    path = Path(name)
    if path.is_file():
        try:
            return read_recording(path)
        except OSError as error:
            raise RecordingError(f"{name} cannot be read: {error.strerror}.") from error
    settings = load_settings()
    return RecordingFolder.of(settings).load(name.removesuffix(".rec"))


def _list() -> None:
    from rich.markup import escape
    from rich.table import Table

    from hamlet_trio.recording.folder import RecordingFolder

    folder = RecordingFolder.of(load_settings())
    entries = folder.entries()
    if not entries:
        print(f"There are no recordings in {folder.path}.")
        return
    table = Table()
    for column in ("recording", "kept as", "model", "episode", "steps", "return", "ended by"):
        # The id must stay in one piece, to be copied, however narrow the window is.
        table.add_column(
            column,
            justify="right" if column in ("episode", "steps", "return") else "left",
            overflow="fold",
            no_wrap=column == "recording",
        )
    for entry in entries[:_MOST_ROWS]:
        info = entry.info
        if info is None:
            table.add_row(entry.recording, "", "", "", "", "", escape(printable(entry.error, 300)))
            continue
        table.add_row(
            entry.recording,
            ", ".join(reason.replace("_", " ") for reason in info.reasons),
            escape(printable(info.model or "")),
            str(info.episode),
            str(info.steps),
            f"{info.episode_return:.1f}",
            _ending(info),
        )
    out = console()
    out.print(table)
    if len(entries) > _MOST_ROWS:
        out.print(f"and {len(entries) - _MOST_ROWS} older ones")


def _ending(info: "RecordingInfo") -> str:
    if info.ended is None:
        return "cut off"
    return printable(info.failure_reason or "reaching the last step").replace("_", " ")


def _print_markers(info: "RecordingInfo") -> None:
    name, total = printable(info.recording), info.episode_return
    print(f"{name}: episode {info.episode}, {info.steps} steps, return {total:.1f}")
    for marker in info.markers:
        what = printable(marker.what).replace("_", " ")
        times = f" ({marker.count} times)" if marker.count > 1 else ""
        print(f"{marker.step:>6}  {_KINDS[marker.kind]} {what}{times}")
    print("It plays out as it was recorded, bit for bit.")


def _film(recording: "Recording", video: Path, speed: float, agent: AgentId | None) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from hamlet_trio.film.render import FilmError, format_of, make_film

    try:
        kind = format_of(video)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with _terminations_as_interrupts(), Progress(*columns) as progress:
            task = progress.add_task(f"Filming {recording.info.recording}")

            def show(made: int, of: int) -> bool:
                progress.update(task, completed=made, total=of)
                return True

            make_film(recording, video, kind=kind, speed=speed, agent=agent, on_frame=show)
    except FilmError as error:
        raise UserError(str(error)) from error
    except KeyboardInterrupt:
        raise UserError(f"Ended; {video} was not written.") from None
    print(f"{video}: {video.stat().st_size / 1e6:.1f} MB")


@contextmanager
def _terminations_as_interrupts() -> Iterator[None]:
    """Within the block, end on SIGTERM and SIGINT as on Ctrl-C, after cleaning up."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
