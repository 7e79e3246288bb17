"""Read, write and watch the tokens file, which only its owner may read."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import msgspec

from hamlet_trio.common.decoding import decode_json
from hamlet_trio.common.files import read_regular, write_atomically
from hamlet_trio.common.lock import FileLock, LockedError
from hamlet_trio.common.text import printable
from hamlet_trio.logs import get_logger
from hamlet_trio.settings import Settings, SettingsError
from hamlet_trio.web.access.roles import Role
from hamlet_trio.web.access.tokens import Tokens, new_tokens

PRIVATE: Final = 0o600
_MAX_BYTES: Final = 16 * 2**20
_State: TypeAlias = tuple[int, int, int]

Value = TypeVar("Value")


class TokenFileError(Exception):
    """The tokens file or cookie key cannot be read or written; the message says what to do."""


def tokens_path(settings: Settings) -> Path:
    """Return the path of the tokens file."""
    return Path(settings.tokens_file) if settings.tokens_file else Path(settings.data_dir) / "tokens.json"


def read_tokens(path: Path) -> Tokens:
    """Return the tokens in the file, none if there is no file. Raises `TokenFileError`."""
    try:
        data = read_regular(path, _MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise TokenFileError(f"{path} is not a tokens file: it has more than {_MAX_BYTES:,} bytes.")
        return decode_json(data, Tokens)
    except FileNotFoundError:
        return new_tokens()
    except OSError as error:
        raise TokenFileError(
            f"The tokens in {path} cannot be read: {error.strerror}; the file must belong to the user that "
            "Hamlet runs as."
        ) from None
    except msgspec.DecodeError as error:
        raise TokenFileError(f"{path} is not a tokens file, or damaged: {printable(error, 200)}.") from None


def check_access(settings: Settings) -> None:
    """Raise `SettingsError` if training requires a login and nobody could log in as a teacher.

    A tokens file that exists but cannot be read is not that: the server starts without it and waits for it.
    """
    if settings.login == "nobody" or settings.trusted_teachers:
        return
    path = tokens_path(settings)
    try:
        tokens = read_tokens(path)
    except TokenFileError:
        return
    # One that has expired counts: a server that is up must be able to start again.
    if not any(token.grants is Role.TEACHER for token in tokens.tokens):
        raise SettingsError(
            f"HAMLET_LOGIN={settings.login} needs a teacher's token, and there is none in {path} "
            f"(HAMLET_TOKENS_FILE); make one: hamlet tokens create --role teacher --name NAME --file {path}"
        )


def change_tokens(path: Path, change: Callable[[Tokens], tuple[Tokens, Value]]) -> Value:
    """Read, change and rewrite the file under a lock; return the second value that `change` returns.

    When root runs this, the file gets the owner of its folder, as whom the server runs. Raises
    `TokenFileError`, and whatever `change` raises; the file is then unchanged.
    """
    try:
        with _as_owner_of(path.parent), FileLock(path.with_name(f"{path.name}.lock")):
            changed, value = change(read_tokens(path))
            write_atomically(path, msgspec.json.format(msgspec.json.encode(changed)), mode=PRIVATE)
            return value
    except LockedError:
        raise TokenFileError(f"{path} is being changed by another command; try again in a moment.") from None
    except OSError as error:
        raise TokenFileError(
            f"{path} cannot be written: {error.strerror}; run this as the user that Hamlet runs as."
        ) from None


@contextmanager
def _as_owner_of(folder: Path) -> Iterator[None]:
    """Act as the folder's owner if this process is root, so that the service can read new files."""
    folder.mkdir(parents=True, exist_ok=True)
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        yield
        return
    owner, group = folder.stat().st_uid, folder.stat().st_gid
    before = os.getegid()
    os.setegid(group)
    os.seteuid(owner)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(before)


class WatchedTokens:
    """Provide the current tokens, rereading the file when its modification time, inode or size changes.

    An unreadable file counts as one without tokens, so that nobody is admitted by a token, and is logged once
    for each of its states. Reading is retried at each use, because its cause may disappear without a trace
    in the file: wrong ownership, or a lack of file descriptors.

    `on_change` is called with the tokens each time the file was read; `problem` says why it could not be.
    """

    def __init__(self, path: Path, on_change: Callable[[Tokens], object] = lambda _: None) -> None:
        self.path: Final = path
        self._on_change = on_change
        self._state: _State | None = None
        self._complained: _State | None = None
        self.problem: str | None = None
        self._tokens = new_tokens()

    def now(self) -> Tokens:
        """Return the current tokens."""
        state = _state_of(self.path)
        if self.problem is not None or state != self._state:
            self._state = state
            try:
                self._tokens = read_tokens(self.path)
                self.problem = self._complained = None
                self._on_change(self._tokens)
            except TokenFileError as error:
                self._tokens, self.problem = new_tokens(), str(error)
                if state != self._complained:
                    self._complained = state
                    get_logger().error("tokens_unreadable", reason=str(error))
        return self._tokens


def _state_of(path: Path) -> _State | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
