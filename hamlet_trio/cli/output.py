"""Write the standard output to its end, or report in one sentence why that failed."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from hamlet_trio.cli.errors import UserError

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


@contextmanager
def writing_output() -> Iterator[None]:
    """Flush the output when the block ends, which raises `UserError` if it cannot be written.

    A reader that ended, as of a pipe into `head`, is no error.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        drop_output()
    except OSError as error:
        # Errors of a file that a command names are its own to report.
        if error.filename is not None or error.errno not in _FULL:
            raise
        drop_output()
        raise UserError(f"The output cannot be written: {error.strerror}.") from error


def drop_output() -> None:
    """Send the rest nowhere, so that the interpreter's own flush at its end does not fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
