"""Make the standard streams of a process fit to be written to, however it was started."""

import codecs
import io
import os
import sys
from typing import TextIO

from hamlet_trio.common.text import escape


def open_standard_streams() -> None:
    """Connect each closed standard stream to the null device, and have the others take every text.

    Otherwise the next file or socket that the process opens would get its number, and what is meant for a
    terminal would be written there. What the terminal or pipe cannot show is written as an escape.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            os.set_inheritable(descriptor, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", errors="replace"))  # noqa: SIM115
    codecs.register_error("escape", _escape_rest)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="escape")


def leads_nowhere(stream: TextIO) -> bool:
    """Return whether a stream is the null device, as `open_standard_streams` makes a closed one."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(os.devnull))
    except (OSError, io.UnsupportedOperation):
        return False


def _escape_rest(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(escape, error.object[error.start : error.end])), error.end
