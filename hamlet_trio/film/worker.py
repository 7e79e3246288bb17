"""The process that makes one film, at the lowest priority (`python -m hamlet_trio.film.worker`).

It writes one JSON object a line: `{"made": 12, "of": 521}` now and then, and `{"error": "..."}` if it fails.
It ends when it is terminated, and when nobody reads its output any more, as after the death of the server;
in both cases no partial film is left.
"""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from hamlet_trio.common.agents import AgentId
from hamlet_trio.common.encoding import path_from_text, to_json
from hamlet_trio.film.formats import FilmFormat

_NICENESS: Final = 19
_REPORT_EVERY: Final = 0.2  # seconds


class FilmOrder(Struct, frozen=True, kw_only=True):
    """What to film: the process's one argument, as JSON."""

    recording: str
    out: str
    kind: FilmFormat
    speed: float
    agent: AgentId | None = None


class FilmReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The progress in frames, or why the film failed."""

    made: int = 0
    of: int = 0
    error: str | None = None


class _Reporter:
    """Write reports; stop the film once the process is terminated or nobody reads."""

    def __init__(self) -> None:
        self._ended = False
        self._next = 0.0

    def end(self, number: int, frame: object) -> None:
        """Handle a signal: ask the film to stop."""
        self._ended = True

    def on_frame(self, made: int, of: int) -> bool:
        """Report progress; `make_film` calls this with each frame."""
        now = time.monotonic()
        if now >= self._next or made == of:
            self._next = now + _REPORT_EVERY
            self.write(FilmReport(made=made, of=of))
        return not self._ended

    def write(self, report: FilmReport) -> None:
        """Write one line."""
        try:
            os.write(sys.stdout.fileno(), to_json(report) + b"\n")
        except OSError:  # the pipe's other end is closed
            self._ended = True


def main(argument: str) -> int:
    """Make the film; return the exit code, 1 if it could not be made."""
    reporter = _Reporter()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, reporter.end)
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    order = msgspec.json.decode(argument, type=FilmOrder)
    # These take long to import; signals must be handled before.
    from hamlet_trio.film.render import FilmCancelledError, FilmError, make_film  # noqa: PLC0415
    from hamlet_trio.recording.file import RecordingError, read_recording  # noqa: PLC0415

    try:
        recording = read_recording(Path(path_from_text(order.recording)))
        out = Path(path_from_text(order.out))
        make_film(
            recording, out, kind=order.kind, speed=order.speed, agent=order.agent, on_frame=reporter.on_frame
        )
    except FilmCancelledError:
        return 1
    except (FilmError, RecordingError) as error:
        reporter.write(FilmReport(error=str(error)))
        return 1
    except OSError as error:
        reporter.write(FilmReport(error=f"The recording cannot be read: {error.strerror}."))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
