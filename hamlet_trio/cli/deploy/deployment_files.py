"""Read the files of a deployment, which people write."""

from pathlib import Path

from hamlet_trio.cli.errors import UserError
from hamlet_trio.common.text import printable, readable
from hamlet_trio.common.written_text import WrittenTextError, read_text


def read_file(option: str, path: Path) -> str:
    """Return the text of a file that an option names. Raises `UserError`."""
    try:
        return read_text(path.read_bytes())
    except OSError as error:
        reason: object = error.strerror
    except WrittenTextError as error:
        reason = error
    except ValueError:  # a NUL in the name
        reason = "no file can have this name"
    raise UserError(f"{option} {printable(readable(path), 500)} cannot be read: {reason}.")
