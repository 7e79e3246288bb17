"""Sign and read the browser's login cookie, and keep the signing key.

The cookie holds no secret and no role, only which token was shown and when. What that token allows is looked
up with each request, so that revoking it ends all its logins.
"""

import contextlib
import hashlib
import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from itsdangerous import BadSignature, URLSafeTimedSerializer

from hamlet_trio.common.files import read_regular
from hamlet_trio.settings import Settings
from hamlet_trio.web.access.token_file import PRIVATE, TokenFileError

SECURE_NAME: Final = "__Host-hamlet"
"""The cookie's name under https: browsers accept the prefix only with Secure and for this very host."""
PLAIN_NAME: Final = "hamlet"
KEY_BYTES: Final = 32
_PURPOSE: Final = "hamlet login 1"


def cookie_key_path(settings: Settings) -> Path:
    """Return the path of the key."""
    if settings.cookie_key_file:
        return Path(settings.cookie_key_file)
    return Path(settings.data_dir) / "cookie.key"


def read_key(path: Path) -> bytes:
    """Return the key, creating it if there is none; of two processes that create it, one wins.

    Raises `TokenFileError`.
    """
    try:
        if not path.exists():
            _make_key(path)
        key = read_regular(path)
    except OSError as error:
        raise TokenFileError(
            f"HAMLET_COOKIE_KEY_FILE, {path}, cannot be used: {error.strerror}; it must be the service's own."
        ) from None
    if len(key) < KEY_BYTES:
        raise TokenFileError(
            f"HAMLET_COOKIE_KEY_FILE, {path}, is too short for a key; remove it and restart."
        )
    return key


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    try:
        with open(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()


class Cookies:
    """Make and read the cookie's value, which is valid for `seconds`."""

    def __init__(self, key: bytes, seconds: float) -> None:
        self.seconds: Final = int(seconds)
        self._serializer = URLSafeTimedSerializer(
            key, salt=_PURPOSE, signer_kwargs={"digest_method": hashlib.sha256}
        )

    def make(self, token_id: str) -> str:
        """Return a value, valid from now on, for a client that showed this token."""
        return str(self._serializer.dumps(token_id))

    def read(self, value: str) -> tuple[str, datetime] | None:
        """Return the token's id and when the login ends; None for a forged, damaged or expired value."""
        try:
            token_id, signed = self._serializer.loads(value, max_age=self.seconds, return_timestamp=True)
        except BadSignature:
            return None
        return (token_id, signed + timedelta(seconds=self.seconds)) if isinstance(token_id, str) else None
