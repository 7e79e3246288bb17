"""Render a recording as a film: draw its frames and encode them."""

import contextlib
import os
import secrets
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from hamlet_trio.common.agents import AgentId
from hamlet_trio.film.formats import FORMATS, SPEEDS, FilmFormat
from hamlet_trio.recording.file import Recording
from hamlet_trio.recording.trajectory import Trajectory

if TYPE_CHECKING:
    from hamlet_trio.film.company_painter import FramePainter

STEPS_PER_SECOND: Final = 10.0

_LAST_FRAME_SECONDS: Final = 2.0
_GIF_RATE: Final = (
    50.0  # a GIF counts in hundredths of a second; players show a frame of only one hundredth for ten
)
_TV_COLOURS: Final = "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"
_TAGS: Final = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")
_ENCODING: Final[dict[FilmFormat, tuple[str, ...]]] = {
    "mp4": (
        *("-vf", _TV_COLOURS, *_TAGS),
        *("-c:v", "libx264", "-preset", "veryfast", "-tune", "animation", "-crf", "20"),
        *("-movflags", "+faststart", "-f", "mp4"),
    ),
    "webm": (
        *("-vf", _TV_COLOURS, *_TAGS),
        *("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-crf", "24", "-b:v", "0"),
        *("-f", "webm"),
    ),
    # With 256 colours chosen beforehand: choosing from the whole film would hold all of it in memory.
    "gif": ("-lavfi", "paletteuse=dither=none:diff_mode=rectangle", "-loop", "0", "-f", "gif"),
}


class FilmError(Exception):
    """The film could not be made; the message is a sentence for a person."""


class FilmCancelledError(Exception):
    """The progress callback asked to stop; no file is left."""


def format_of(path: Path) -> FilmFormat:
    """Return the format that a file's name asks for; raises `FilmError` for an unknown one."""
    for name in FORMATS:
        if path.suffix.lower() == f".{name}":
            return name
    endings = ", ".join(f".{name}" for name in FORMATS)
    raise FilmError(f"{path.name} does not name a film format; give it one of the endings {endings}.")


def frame_count(steps: int, speed: float = 1.0) -> int:
    """Return the number of frames for these steps: the start, one a step, and the last for two seconds."""
    return steps + 1 + round(_LAST_FRAME_SECONDS * STEPS_PER_SECOND * speed)


def make_film(
    recording: Recording,
    path: Path,
    *,
    kind: FilmFormat | None = None,
    speed: float = 1.0,
    agent: AgentId | None = None,
    on_frame: Callable[[int, int], bool] = lambda made, of: True,
) -> None:
    """Make a film of a recording: 1920 x 1080, one frame a step, `speed` times ten steps a second.

    A GIF has at most 50 frames a second; a faster one skips steps.

    Of several agents it shows all alike or, with `agent`, follows one as if it were alone. Without `kind` the
    file's ending decides the format. `on_frame` receives the number of frames made and the
    total, and may return False to stop. The file appears once it is complete; until then, and after an error,
    what was there before is unchanged. Memory does not grow with the length.

    Raises `FilmError` if Pillow or ffmpeg is not installed, ffmpeg fails, the file cannot be written or the
    recording has no such agent; `FilmCancelledError` when told to stop; `RecordingError` as `Recording.play`
    does.
    """
    kind = format_of(path) if kind is None else kind
    if not SPEEDS[0] <= speed <= SPEEDS[1]:
        raise FilmError(f"The speed is {speed:g}; a film can run at {SPEEDS[0]:g} to {SPEEDS[1]:g}.")
    paint, ffmpeg = _tools()
    trajectories = recording.play_company()
    trajectory = trajectories[0]
    try:
        painter = paint(recording, trajectories, agent)
    except ValueError as error:
        raise FilmError(f"{error}.") from error
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with tempfile.TemporaryDirectory(prefix="hamlet-film-") as folder:
            palette = None
            if kind == "gif":
                palette = Path(folder) / "palette.png"
                _palette(painter, trajectory).save(palette)
            command = _command(ffmpeg, kind, speed=speed, out=temporary, palette=palette)
            _encode(command, painter, trajectory, frame_count(trajectory.steps, speed), on_frame)
        os.replace(temporary, path)
    except OSError as error:
        raise FilmError(f"{path} could not be written: {error.strerror}.") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def _tools() -> tuple["Callable[[Recording, Sequence[Trajectory], AgentId | None], FramePainter]", str]:
    try:
        import imageio_ffmpeg  # noqa: PLC0415 (an extra)

        from hamlet_trio.film.company_painter import painter_of  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError as error:
        raise FilmError(
            f'Films need {error.name}, which is not installed: pip install "hamlet-trio[film]".'
        ) from error
    try:
        return painter_of, imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise FilmError(f"There is no ffmpeg for this machine: {error}") from error


def _command(ffmpeg: str, kind: FilmFormat, *, speed: float, out: Path, palette: Path | None) -> list[str]:
    from hamlet_trio.film.layout import HEIGHT, WIDTH  # noqa: PLC0415 (only where frames are drawn)

    rate = f"{STEPS_PER_SECOND * speed:g}"
    command = [ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-y"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", rate, "-i", "pipe:0"]
    if palette is not None:
        command += ["-i", str(palette), "-r", f"{min(STEPS_PER_SECOND * speed, _GIF_RATE):g}"]
    # One thread: a film is made while a class goes on, and may take one core.
    return [*command, "-threads", "1", *_ENCODING[kind], str(out)]


def _encode(
    command: list[str],
    painter: "FramePainter",
    trajectory: Trajectory,
    count: int,
    on_frame: Callable[[int, int], bool],
) -> None:
    with tempfile.TemporaryFile() as stderr, _running(command, stderr) as encoder:
        assert encoder.stdin is not None
        try:
            for number in range(count):
                if number <= trajectory.steps:
                    pixels = painter.frame(number).tobytes()
                encoder.stdin.write(pixels)
                if not on_frame(number + 1, count):
                    raise FilmCancelledError
            encoder.stdin.close()
        except BrokenPipeError:
            pass  # it ended early; its exit code and its last line say why
        if encoder.wait() != 0:
            stderr.seek(0)
            lines = stderr.read().decode(errors="replace").strip().splitlines()
            raise FilmError(
                f"The film could not be encoded: {lines[-1] if lines else 'ffmpeg gave no reason'}"
            )


@contextlib.contextmanager
def _running(command: list[str], stderr: IO[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the encoder; it does not outlive the block."""
    with subprocess.Popen(  # noqa: S603 (our own command; only the file name comes from outside)
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=stderr
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()  # type: ignore[union-attr]  # it is a pipe


def _palette(painter: "FramePainter", trajectory: Trajectory) -> Any:
    """Return 256 colours of some of the film's frames, as the 16 x 16 image for ffmpeg's paletteuse."""
    from PIL import Image  # noqa: PLC0415 (an extra)

    steps = sorted({round(share * trajectory.steps / 7) for share in range(8)})
    frames = [painter.frame(step).reduce(2) for step in steps]
    sheet = Image.new("RGB", (frames[0].width, frames[0].height * len(frames)))
    for row, frame in enumerate(frames):
        sheet.paste(frame, (0, row * frame.height))
    colours = sheet.quantize(256, Image.Quantize.MEDIANCUT).getpalette() or []
    palette = Image.new("RGB", (16, 16))
    triples = [tuple(colours[at : at + 3]) for at in range(0, len(colours), 3)]
    palette.putdata([*triples, *[(0, 0, 0)] * (256 - len(triples))])
    return palette
