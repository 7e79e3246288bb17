"""Read the bytes of a foreign file that may be a checkpoint, without torch and without looking into it."""

import os
from pathlib import Path
from typing import Final

from hamlet_trio.common.files import NotAFileError, open_regular

MAX_FILE_BYTES: Final = 160 * 2**20
"""Largest checkpoint that is read: twice the largest network there may be, and Adam's two averages of it."""


class CheckpointError(Exception):
    """A checkpoint cannot be read or written; the message is one sentence that says what is wrong with it."""


def read_bytes(path: Path, *, limit: int = MAX_FILE_BYTES) -> bytes:
    """Read the whole of a regular file of at most `limit` bytes, once.

    Raises `CheckpointError` when there is none, it is empty, too large, a folder or device, or unreadable.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise CheckpointError(
                    f"{path.name} is too large: {size:,} bytes, where {limit:,} are allowed."
                )
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise CheckpointError(f"{path.name} was not found.") from None
    except NotAFileError as error:
        raise CheckpointError(f"{path.name} is {error.strerror}.") from None
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror}.") from error
    if not data:
        raise CheckpointError(f"{path.name} is empty.")
    if len(data) > limit:
        raise CheckpointError(f"{path.name} is too large: it grew past {limit:,} bytes while it was read.")
    return data
